#include "player/init.h"

#include "player/inside_display.h"
#include "player/mounts.h"
#include "player/program.h"
#include "player/services.h"
#include "player/session_bus.h"
#include "process/exec.h"

#include <boost/algorithm/hex.hpp>
#include <boost/json.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <grp.h>
#include <map>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace baton::player {

namespace {

constexpr std::chrono::milliseconds at_once{1'000};

struct Terminal {
    Descriptor master;
    Descriptor slave;
};

Result<Terminal> make_terminal(const Program& program, const Account& account) {
    Terminal terminal;
    terminal.master = Descriptor(::open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC));
    int zero = 0;
    if (!terminal.master.open() || ::ioctl(terminal.master.get(), TIOCSPTLCK, &zero) != 0)
        return fail_errno(errno, "cannot make a terminal inside");
    terminal.slave =
        Descriptor(::ioctl(terminal.master.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
    const winsize size{static_cast<unsigned short>(program.rows),
                       static_cast<unsigned short>(program.columns), 0, 0};
    if (!terminal.slave.open() || ::fchown(terminal.slave.get(), account.uid, 5) != 0 ||
        ::ioctl(terminal.master.get(), TIOCSWINSZ, &size) != 0)
        return fail_errno(errno, "cannot make a terminal inside");
    return terminal;
}

/// Between fork and exec.
struct Launch {
    const Account& account;
    const Terminal* terminal;
    std::array<int, 3> files;
    std::string program;
    std::string folder;
    std::vector<std::string> words;
    std::vector<std::string> environment;
    int report;
    DesktopStart desktop; ///< instead of `program`

    [[noreturn]] void go() {
        ::setsid();
        if (terminal != nullptr)
            ::ioctl(terminal->slave.get(), TIOCSCTTY, 0);
        for (int i = 0; i < 3; ++i)
            ::dup2(files.at(static_cast<std::size_t>(i)), i);
        ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
        process::reset_signals();
        std::vector<gid_t> groups(account.groups.begin(), account.groups.end());
        if (::setgroups(groups.size(), groups.data()) == 0 &&
            ::setresgid(account.gid, account.gid, account.gid) == 0 &&
            ::setresuid(account.uid, account.uid, account.uid) == 0) {
            if (::chdir(folder.c_str()) != 0 && ::chdir("/") != 0)
                ::_exit(127);
            if (desktop != nullptr)
                tell(ENOENT, desktop(account, environment));
            auto argument_pointers = process::exec_pointers(words);
            auto environment_pointers = process::exec_pointers(environment);
            ::execve(program.c_str(), argument_pointers.data(), environment_pointers.data());
        }
        tell(errno, "");
    }

    [[noreturn]] void tell(int reason, const std::string& text) const {
        std::string said(reinterpret_cast<const char*>(&reason), sizeof reason);
        said += text;
        [[maybe_unused]] const auto told = ::write(report, said.data(), said.size());
        ::_exit(127);
    }
};

class Init {
  public:
    Init(Channel channel, std::string owner, DesktopStart desktop)
        : channel_(std::move(channel)), owner_(std::move(owner)), desktop_(desktop) {}

    [[noreturn]] void run();

  private:
    void hear(Message message);
    Result<void> start(std::int64_t id, Message& message);
    void reap();
    void pass_on(int signal, std::int64_t to);
    [[noreturn]] void end(std::chrono::milliseconds grace);
    void begin_services();
    void begin_display(const Message& message);
    void choose(const Program& program, const Account& account, Launch& launch) const;
    void pass_note();

    Channel channel_;
    SessionBus bus_;
    Descriptor notes_; ///< of the services' keeper
    std::string owner_;
    DesktopStart desktop_;
    std::optional<InsideDisplay> display_;
    std::map<pid_t, std::int64_t> programs_;
};

/// What a child says that could not become its program; nothing once it has.
std::optional<Error> why_not(int report, const std::string& program) {
    std::array<char, 512> words{};
    const auto n = ::read(report, words.data(), words.size());
    int reason = 0;
    if (n < static_cast<ssize_t>(sizeof reason))
        return std::nullopt;
    std::memcpy(&reason, words.data(), sizeof reason);
    std::string text(words.data() + sizeof reason, static_cast<std::size_t>(n) - sizeof reason);
    std::replace_if(text.begin(), text.end(), [](char c) { return c < ' ' || c >= 0x7f; }, '?');
    if (!text.empty())
        return Error{Errc::not_found, text, "", 0};
    return fail_errno(reason, "cannot start " + program + " inside").value();
}

/// What is to be started, with which words.
void Init::choose(const Program& program, const Account& account, Launch& launch) const {
    launch.environment = environment_for(account, program);
    launch.folder = program.folder.empty() ? account.home : program.folder;
    launch.words = program.words;
    if (program.desktop) {
        launch.desktop = desktop_;
        return;
    }
    if (launch.words.empty()) {
        launch.program =
            ::access(account.shell.c_str(), X_OK) == 0 ? account.shell : std::string("/bin/sh");
        launch.words = {"-" + launch.program.substr(launch.program.rfind('/') + 1)};
        return;
    }
    launch.program = find_in_path(launch.words[0], launch.environment);
}

Result<void> Init::start(std::int64_t id, Message& message) {
    auto program = program_from(message.words.at("program").as_object());
    if (!program)
        return tl::unexpected(program.error());
    if (message.files.size() != 3)
        return fail(Errc::internal, "a program came without its files");
    const auto account = find_account(contents_of(AT_FDCWD, "/etc/passwd").value_or(""),
                                      contents_of(AT_FDCWD, "/etc/group").value_or(""),
                                      program->user.empty() ? owner_ : program->user);
    if (!account)
        return tl::unexpected(account.error());
    std::optional<Terminal> terminal;
    if (program->terminal) {
        auto made = make_terminal(*program, *account);
        if (!made)
            return tl::unexpected(made.error());
        terminal = std::move(*made);
    }
    std::array<int, 2> report{};
    if (::pipe2(report.data(), O_CLOEXEC) != 0)
        return fail_errno(errno, "cannot start a program inside");
    const Descriptor reading(report[0]);
    Descriptor writing(report[1]);
    Launch launch{*account, terminal ? &*terminal : nullptr, {}, "", "", {}, {}, writing.get(),
                  nullptr};
    for (std::size_t i = 0; i < 3; ++i)
        // what is a terminal of the PC's is replaced by the desk's own
        launch.files.at(i) = terminal && ::isatty(message.files[i].get()) != 0
                                 ? terminal->slave.get()
                                 : message.files[i].get();
    if (bus_.open() && account->name == owner_)
        program->environment.try_emplace("DBUS_SESSION_BUS_ADDRESS", bus_.address());
    if (display_ && (account->name == owner_ || account->uid == 0))
        display_->say_in(program->environment);
    choose(*program, *account, launch);
    if (launch.program.empty() && launch.desktop == nullptr)
        return fail(Errc::not_found, "the desk has no program " + launch.words[0],
                    "install it inside, or name it with its path");
    const pid_t pid = ::fork();
    if (pid < 0)
        return fail_errno(errno, "cannot start " + launch.program + " inside");
    if (pid == 0)
        launch.go();
    programs_[pid] = id;
    writing.reset();
    if (const auto failed = why_not(reading.get(), launch.program)) {
        programs_.erase(pid);
        return tl::unexpected(*failed);
    }
    std::vector<int> files;
    if (terminal)
        files.push_back(terminal->master.get());
    return channel_.send({{"started", id}, {"pid", pid}}, files);
}

void Init::pass_on(int signal, std::int64_t to) {
    for (const auto& [pid, id] : programs_)
        if (id == to)
            ::kill(-pid, signal);
}

/// What fails here is left out: a desk without services is a desk all the same.
void Init::begin_services() {
    const auto account = find_account(contents_of(AT_FDCWD, "/etc/passwd").value_or(""),
                                      contents_of(AT_FDCWD, "/etc/group").value_or(""), owner_);
    if (!account)
        return;
    bus_ = SessionBus::listen(*account);
    std::array<int, 2> pipe{};
    const auto folder = account->home + "/" + services_folder;
    if (::access(folder.c_str(), F_OK) != 0 || ::pipe2(pipe.data(), O_CLOEXEC) != 0)
        return;
    notes_ = Descriptor(pipe[0]);
    ::fcntl(notes_.get(), F_SETFL, O_NONBLOCK);
    Descriptor writing(pipe[1]);
    if (::fork() != 0)
        return;
    // the keeper: the owner, and nothing of this process's but the pipe
    ::dup3(writing.get(), 3, 0);
    ::close_range(4, ~0U, 0);
    ::fcntl(3, F_SETFD, FD_CLOEXEC);
    Program plain;
    if (bus_.open())
        plain.environment["DBUS_SESSION_BUS_ADDRESS"] = bus_.address();
    become(*account);
    keep_services(*account, environment_for(*account, plain), Descriptor(3));
}

void Init::begin_display(const Message& message) {
    const auto account = find_account(contents_of(AT_FDCWD, "/etc/passwd").value_or(""),
                                      contents_of(AT_FDCWD, "/etc/group").value_or(""), owner_);
    auto display =
        account ? InsideDisplay::open(*account, boost::algorithm::unhex(std::string(
                                                    message.words.at("display").as_string())))
                : tl::unexpected(account.error());
    Result<void> told;
    if (display) {
        told = channel_.send({{"display", true}}, {display->server(), display->client()});
        display->let_go();
        display_ = std::move(*display);
    } else {
        told = channel_.send(to_words(display.error()));
    }
    if (!told)
        end(at_once);
}

void Init::pass_note() {
    std::array<char, 2048> text{};
    const auto n = ::read(notes_.get(), text.data(), text.size());
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        notes_.reset();
        return;
    }
    // names of files are bytes; what goes over the channel is text
    std::replace_if(
        text.begin(), text.begin() + n, [](char c) { return c != '\n' && (c < ' ' || c >= 0x7f); },
        '?');
    std::string_view rest(text.data(), static_cast<std::size_t>(n));
    while (!rest.empty()) {
        const auto stop = std::min(rest.find('\n'), rest.size());
        if (stop > 0 && !channel_.send({{"note", rest.substr(0, stop)}}))
            end(at_once);
        rest.remove_prefix(std::min(stop + 1, rest.size()));
    }
}

void Init::hear(Message message) {
    auto& words = message.words;
    const auto number = [&](const char* key) { return words.at(key).to_number<std::int64_t>(); };
    if (words.contains("run")) {
        const auto id = number("run");
        if (auto started = start(id, message); !started) {
            auto answer = to_words(started.error());
            answer["failed"] = id;
            if (!channel_.send(answer))
                end(at_once);
        }
    } else if (words.contains("services")) {
        begin_services();
    } else if (words.contains("display")) {
        begin_display(message);
    } else if (words.contains("signal")) {
        pass_on(static_cast<int>(number("signal")), number("to"));
    } else if (words.contains("end")) {
        end(std::chrono::milliseconds(number("end")));
    }
}

void Init::reap() {
    int status = 0;
    for (pid_t pid = 0; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
        bus_.ended(pid);
        const auto found = programs_.find(pid);
        if (found == programs_.end())
            continue;
        const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        const auto id = found->second;
        programs_.erase(found);
        if (!channel_.send({{"ended", id}, {"status", code}}))
            end(at_once);
    }
}

/// When this process ends, the kernel kills whatever is left in its process namespace.
void Init::end(std::chrono::milliseconds grace) {
    const auto until = std::chrono::steady_clock::now() + grace;
    ::kill(-1, SIGTERM);
    ::kill(-1, SIGCONT);
    sigset_t ended;
    sigemptyset(&ended);
    sigaddset(&ended, SIGCHLD);
    for (;;) {
        while (::waitpid(-1, nullptr, WNOHANG) > 0) {
        }
        siginfo_t left{};
        if (::waitid(P_ALL, 0, &left, WEXITED | WNOHANG | WNOWAIT) != 0 && errno == ECHILD)
            ::_exit(0);
        const auto rest = std::chrono::duration_cast<std::chrono::nanoseconds>(
            until - std::chrono::steady_clock::now());
        if (rest.count() <= 0)
            ::_exit(0);
        const timespec limit{rest.count() / 1'000'000'000, rest.count() % 1'000'000'000};
        ::sigtimedwait(&ended, nullptr, &limit);
    }
}

void Init::run() {
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, nullptr);
    sigset_t children;
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    const Descriptor signals(::signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK));
    for (;;) {
        std::array<pollfd, 4> ready{{{channel_.fd(), POLLIN, 0},
                                     {signals.get(), POLLIN, 0},
                                     {bus_.waits_for(), POLLIN, 0},
                                     {notes_.open() ? notes_.get() : -1, POLLIN, 0}}};
        if (::poll(ready.data(), ready.size(), -1) < 0)
            continue;
        if (ready[1].revents != 0) {
            signalfd_siginfo which{};
            while (::read(signals.get(), &which, sizeof which) > 0) {
            }
            reap();
        }
        if (ready[2].revents != 0)
            bus_.start();
        if (ready[3].revents != 0)
            pass_note();
        if (ready[0].revents != 0) {
            auto message = channel_.receive(at_once);
            if (!message) // the player is gone
                end(std::chrono::milliseconds(0));
            hear(std::move(*message));
        }
    }
}

} // namespace

void run_init(Channel channel, const std::string& owner, DesktopStart desktop) {
    try {
        Init(std::move(channel), owner, desktop).run();
    } catch (const std::exception&) {
        ::_exit(1);
    }
}

} // namespace baton::player
