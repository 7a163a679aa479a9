#include "programs/baton_guest/text_screen.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <linux/vt.h>
#include <memory>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>
#include <utility>

// this program has one thread, and its children are alone in theirs
// NOLINTBEGIN(concurrency-mt-unsafe)

namespace baton::guest_program {

namespace {

constexpr const char* console_path = "/dev/tty1";
constexpr const char* cells_path = "/dev/vcsa1";
constexpr std::size_t most_files = 40;

void write_all(int fd, std::string_view text) {
    while (!text.empty()) {
        const ssize_t count = ::write(fd, text.data(), text.size());
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return;
        text.remove_prefix(static_cast<std::size_t>(count));
    }
}

} // namespace

TextScreen::TextScreen(Loop& loop, Session& session, ScreenEvents events)
    : loop_(loop), session_(session), events_(std::move(events)) {}

Result<void> TextScreen::open() {
    console_.reset(::open(console_path, O_RDWR | O_NOCTTY | O_CLOEXEC));
    cells_.reset(::open(cells_path, O_RDWR | O_CLOEXEC));
    if (!console_ || !cells_)
        return fail_errno(errno, std::string("cannot open the text console ") + console_path +
                                     " and " + cells_path);
    // the strip has to stay in the picture, and a blinking cursor is a new frame twice a second
    ::ioctl(console_.get(), VT_ACTIVATE, 1);
    ::ioctl(console_.get(), VT_LOCKSWITCH, 1);
    if (const Fd blink(::open("/sys/class/graphics/fbcon/cursor_blink", O_WRONLY | O_CLOEXEC));
        blink)
        write_all(blink.get(), "0");
    termios raw{};
    ::tcgetattr(console_.get(), &raw);
    ::cfmakeraw(&raw);
    ::tcsetattr(console_.get(), TCSANOW, &raw);
    winsize size{};
    if (::ioctl(console_.get(), TIOCGWINSZ, &size) == 0 && size.ws_row > guest::header_rows + 2 &&
        size.ws_col > 40) {
        rows_ = size.ws_row;
        columns_ = size.ws_col;
    }
    output_.emplace(rows_);
    write_all(console_.get(), guest::console_clear(rows_) + "\x1b[?25l");
    draw(true);
    loop_.watch(console_.get(), EPOLLIN, [this](std::uint32_t) { read_keys(); });
    loop_.soon(events_.drawn);
    return {};
}

void TextScreen::show(const guest::ScreenState& state) {
    state_ = state;
    if (cells_)
        draw(false);
}

void TextScreen::draw(bool everything) {
    const auto cells = guest::header_cells(state_, files_, columns_);
    if (everything)
        drawn_.clear();
    const auto same = [&](std::size_t at) { return at < drawn_.size() && drawn_[at] == cells[at]; };
    for (std::size_t row = 0; row < guest::header_rows; ++row) {
        std::size_t first = row * columns_;
        std::size_t last = first + columns_;
        while (first < last && same(first))
            ++first;
        while (last > first && same(last - 1))
            --last;
        if (first == last)
            continue;
        std::string bytes;
        for (std::size_t at = first; at < last; ++at) {
            bytes += cells[at].letter;
            bytes += static_cast<char>(cells[at].attribute);
        }
        constexpr std::size_t before_cells = 4; // rows, columns and the cursor's place
        if (::pwrite(cells_.get(), bytes.data(), bytes.size(),
                     static_cast<off_t>(before_cells + 2 * first)) < 0)
            return;
    }
    drawn_ = cells;
}

void TextScreen::read_keys() {
    std::array<char, 1024> buffer{};
    const ssize_t count = ::read(console_.get(), buffer.data(), buffer.size());
    if (count <= 0)
        return;
    std::string keys;
    const bool offered = state_.message && state_.message->may_defer;
    const auto key = input_.feed(std::string_view(buffer.data(), static_cast<std::size_t>(count)),
                                 offered, keys);
    if (program_)
        write_all(program_.get(), keys); // not blocking: what does not fit is lost, as on a console
    if (key != guest::ConsoleInput::Key::none)
        events_.answered(key == guest::ConsoleInput::Key::now);
}

void TextScreen::read_program() {
    std::array<char, 8192> buffer{};
    const ssize_t count = ::read(program_.get(), buffer.data(), buffer.size());
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (count <= 0) { // the last program on it has closed it
        loop_.forget(program_.get());
        program_.reset();
        return;
    }
    std::string out;
    const bool redraw =
        output_->feed(std::string_view(buffer.data(), static_cast<std::size_t>(count)), out);
    write_all(console_.get(), out);
    if (redraw)
        draw(true);
    if (!std::exchange(visible_, true))
        events_.session_visible();
}

Result<void> TextScreen::start_session(const std::string& person) {
    Fd master(::posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
    if (!master || ::grantpt(master.get()) != 0 || ::unlockpt(master.get()) != 0)
        return fail_errno(errno, "cannot make a terminal for the session");
    std::array<char, 64> name{};
    if (::ptsname_r(master.get(), name.data(), name.size()) != 0)
        return fail_errno(errno, "cannot name the session's terminal");
    winsize size{};
    size.ws_row = static_cast<unsigned short>(rows_ - guest::header_rows);
    size.ws_col = static_cast<unsigned short>(columns_);
    ::ioctl(master.get(), TIOCSWINSZ, &size);

    home_ = "/home/" + person;
    list_files();
    watch_files();
    output_.emplace(rows_);
    visible_ = false;
    write_all(console_.get(), guest::console_clear(rows_));
    draw(true);

    auto started = session_.start([&] {
        const Fd terminal(::open(name.data(), O_RDWR | O_NOCTTY));
        if (!terminal)
            return;
        if (::fchown(terminal.get(), 1000, 5) != 0) // gid 5: tty, for write(1)
            return;
        become_person(person, home_);
        ::ioctl(terminal.get(), TIOCSCTTY, 0);
        for (int fd = 0; fd < 3; ++fd)
            ::dup2(terminal.get(), fd);
        ::setenv("TERM", "linux", 1);
        const std::string shell = ::getenv("SHELL");
        const std::string dashed = "-" + shell.substr(shell.rfind('/') + 1);
        ::execl(shell.c_str(), dashed.c_str(), static_cast<char*>(nullptr));
    });
    if (!started)
        return started;
    program_ = std::move(master);
    loop_.watch(program_.get(), EPOLLIN, [this](std::uint32_t) { read_program(); });
    return {};
}

void TextScreen::session_ended() {
    if (program_) {
        loop_.forget(program_.get());
        program_.reset();
    }
    if (files_watch_) {
        loop_.forget(files_watch_.get());
        files_watch_.reset();
    }
    files_.clear();
    output_.emplace(rows_);
    write_all(console_.get(), guest::console_clear(rows_) + "\x1b[?25l");
    draw(true);
}

void TextScreen::list_files() {
    files_.clear();
    const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir(home_.c_str()), &::closedir);
    if (!folder)
        return;
    while (const dirent* entry = ::readdir(folder.get())) {
        std::string name = entry->d_name;
        if (name.starts_with('.'))
            continue;
        if (entry->d_type == DT_DIR)
            name += '/';
        files_.push_back(std::move(name));
    }
    std::sort(files_.begin(), files_.end());
    files_.resize(std::min(files_.size(), most_files));
}

void TextScreen::watch_files() {
    files_watch_.reset(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
    if (!files_watch_ ||
        ::inotify_add_watch(files_watch_.get(), home_.c_str(),
                            IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR) < 0)
        return; // the list then shows what there was at the beginning
    loop_.watch(files_watch_.get(), EPOLLIN, [this](std::uint32_t) {
        std::array<char, 4096> buffer{};
        while (::read(files_watch_.get(), buffer.data(), buffer.size()) > 0) {
        }
        list_files();
        draw(false);
    });
}

} // namespace baton::guest_program

// NOLINTEND(concurrency-mt-unsafe)
