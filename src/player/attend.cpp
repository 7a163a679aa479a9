#include "player/attend.h"

#include <boost/json.hpp>

#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <optional>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

namespace baton::player {

namespace {

constexpr std::chrono::milliseconds starting{30'000};
constexpr std::chrono::milliseconds after_term{5'000};
constexpr std::array passed_on{SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGCONT};

sigset_t heard() {
    sigset_t set;
    sigemptyset(&set);
    for (const int number : passed_on)
        sigaddset(&set, number);
    sigaddset(&set, SIGWINCH);
    return set;
}

/// A terminal without echo and line editing, until this ends.
class RawTerminal {
  public:
    explicit RawTerminal(int fd) : fd_(fd) {
        if (::tcgetattr(fd, &before_) != 0) {
            fd_ = -1;
            return;
        }
        termios raw = before_;
        ::cfmakeraw(&raw);
        ::tcsetattr(fd, TCSANOW, &raw);
    }

    ~RawTerminal() {
        if (fd_ >= 0)
            ::tcsetattr(fd_, TCSADRAIN, &before_);
    }

    RawTerminal(const RawTerminal&) = delete;
    RawTerminal& operator=(const RawTerminal&) = delete;

  private:
    int fd_;
    termios before_{};
};

int first_terminal() {
    for (const int fd : {0, 1, 2})
        if (::isatty(fd) != 0)
            return fd;
    return -1;
}

bool write_fully(int fd, const char* bytes, std::size_t length) {
    while (length > 0) {
        const auto n = ::write(fd, bytes, length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN) {
            pollfd ready{fd, POLLOUT, 0};
            ::poll(&ready, 1, 1'000);
            continue;
        }
        if (n <= 0)
            return false;
        bytes += n;
        length -= static_cast<std::size_t>(n);
    }
    return true;
}

/// Carries a program's screen and keys, its signals, and waits for its end.
class Attendant {
  public:
    Attendant(Session& session, std::int64_t program, const std::vector<Watch>& watches)
        : session_(session),
          program_(program),
          watches_(watches),
          signals_(make_signals()),
          terminal_(first_terminal()) {}

    Result<int> run(bool with_terminal);

  private:
    static Descriptor make_signals() {
        const auto set = heard();
        return Descriptor(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    }

    /// What somebody inside has written: bounded, printable. At a terminal that is the desk's it
    /// waits for the end of a line like any other output.
    void tell(std::string_view text) const;
    void hear_signals();
    Result<std::optional<int>> hear_environment();
    /// false: that side has ended.
    static bool carry(int from, int to);
    void show_the_rest();
    /// `ready`: the watches' part of what was polled.
    [[nodiscard]] Result<void> hear_watches(const pollfd* ready) const;

    Session& session_;
    std::int64_t program_;
    const std::vector<Watch>& watches_;
    Descriptor signals_;
    int terminal_;      ///< the PC's, or -1
    Descriptor master_; ///< of the desk's terminal
    bool keys_ = true;  ///< standard input still gives any
    std::optional<std::chrono::steady_clock::time_point> patience_;
};

void Attendant::tell(std::string_view text) const {
    std::string clean(text.substr(0, 500));
    for (char& c : clean)
        if (static_cast<unsigned char>(c) < ' ' || static_cast<unsigned char>(c) >= 0x7f)
            c = '?';
    session_.note(master_.open() ? clean + "\r" : clean);
}

void Attendant::hear_signals() {
    signalfd_siginfo which{};
    while (::read(signals_.get(), &which, sizeof which) == sizeof which) {
        const int number = static_cast<int>(which.ssi_signo);
        if (number == SIGWINCH) {
            winsize size{};
            if (master_.open() && ::ioctl(terminal_, TIOCGWINSZ, &size) == 0)
                ::ioctl(master_.get(), TIOCSWINSZ, &size);
            continue;
        }
        // an environment that is gone is heard of by its channel
        (void)session_.environment().signal(program_, number);
        if (number == SIGTERM || number == SIGHUP) {
            // a shell at a terminal passes over SIGTERM
            if (master_.open())
                (void)session_.environment().signal(program_, SIGHUP);
            if (!patience_)
                patience_ = std::chrono::steady_clock::now() + after_term;
        }
    }
}

Result<std::optional<int>> Attendant::hear_environment() {
    auto message = session_.environment().channel().receive(starting);
    if (!message)
        return fail(Errc::unavailable, "everything inside the desk was killed",
                    "its files are as they were last written");
    auto& words = message->words;
    if (const auto* note = words.if_contains("note"))
        tell(note->as_string());
    const auto* ended = words.if_contains("ended");
    if (ended == nullptr || ended->as_int64() != program_)
        return std::optional<int>();
    return std::optional<int>(static_cast<int>(words.at("status").as_int64()));
}

bool Attendant::carry(int from, int to) {
    std::array<char, 16384> bytes{};
    const auto n = ::read(from, bytes.data(), bytes.size());
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    return n > 0 && write_fully(to, bytes.data(), static_cast<std::size_t>(n));
}

void Attendant::show_the_rest() {
    const int shown = ::isatty(1) != 0 ? 1 : terminal_;
    for (pollfd ready{master_.get(), POLLIN, 0};
         ::poll(&ready, 1, 0) > 0 && (ready.revents & POLLIN) != 0;)
        if (!carry(master_.get(), shown))
            return;
}

Result<void> Attendant::hear_watches(const pollfd* ready) const {
    for (const auto& watch : watches_) {
        if (ready->revents != 0)
            BATON_TRY(watch.heard());
        ++ready;
    }
    return {};
}

Result<int> Attendant::run(bool with_terminal) {
    auto started = session_.environment().channel().receive(starting);
    while (started && started->words.contains("note")) {
        tell(started->words.at("note").as_string());
        started = session_.environment().channel().receive(starting);
    }
    if (!started)
        return tl::unexpected(started.error());
    if (const auto error = error_in(started->words))
        return tl::unexpected(*error);
    session_.opening().done(Row::environment, "first program started");
    if (with_terminal && !started->files.empty())
        master_ = std::move(started->files.front());
    std::optional<RawTerminal> raw;
    if (master_.open())
        raw.emplace(terminal_);
    const int shown = ::isatty(1) != 0 ? 1 : terminal_;
    const bool typed = ::isatty(0) != 0;
    bool screen = master_.open();
    for (;;) {
        std::vector<pollfd> ready{{session_.environment().channel().fd(), POLLIN, 0},
                                  {signals_.get(), POLLIN, 0},
                                  {screen ? master_.get() : -1, POLLIN, 0},
                                  {master_.open() && keys_ && typed ? 0 : -1, POLLIN, 0}};
        for (const auto& watch : watches_)
            ready.push_back({watch.fd, POLLIN, 0});
        int wait = -1;
        if (patience_)
            wait = static_cast<int>(
                std::max<std::int64_t>(0, std::chrono::duration_cast<std::chrono::milliseconds>(
                                              *patience_ - std::chrono::steady_clock::now())
                                              .count()));
        const int events = ::poll(ready.data(), ready.size(), wait);
        if (events == 0)
            return 128 + SIGTERM;
        if (events < 0)
            continue;
        if (ready[2].revents != 0)
            screen = carry(master_.get(), shown);
        if (ready[3].revents != 0)
            keys_ = carry(0, master_.get());
        if (ready[1].revents != 0)
            hear_signals();
        if (ready[0].revents != 0) {
            auto ended = hear_environment();
            if (!ended)
                return tl::unexpected(ended.error());
            if (*ended) {
                if (screen)
                    show_the_rest();
                return **ended;
            }
        }
        BATON_TRY(hear_watches(ready.data() + 4));
    }
}

} // namespace

void block_signals() {
    const auto set = heard();
    ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
    std::signal(SIGPIPE, SIG_IGN); // NOLINT(concurrency-mt-unsafe): one thread
}

Result<void> start_aside(Session& session, const Program& program) {
    const Descriptor nothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
    const int file = nothing.get();
    const auto id = session.environment().run(program, {file, file, file});
    if (!id)
        return tl::unexpected(id.error());
    for (;;) {
        auto message = session.environment().channel().receive(starting);
        if (!message)
            return tl::unexpected(message.error());
        if (const auto error = error_in(message->words))
            return tl::unexpected(*error);
        if (message->words.contains("started"))
            return {};
        if (const auto* note = message->words.if_contains("note"))
            session.note(std::string(note->as_string()));
    }
}

Result<int> attend(Session& session, Program program, const std::vector<Watch>& watches) {
    const int terminal = program.desktop ? -1 : first_terminal();
    program.terminal = terminal >= 0;
    winsize size{};
    if (terminal >= 0 && ::ioctl(terminal, TIOCGWINSZ, &size) == 0 && size.ws_row > 0) {
        program.rows = size.ws_row;
        program.columns = size.ws_col;
    }
    const Descriptor nothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
    const int none = nothing.get();
    const auto id = session.environment().run(
        program, program.desktop ? std::vector{none, none, none} : std::vector{0, 1, 2});
    if (!id)
        return tl::unexpected(id.error());
    return Attendant(session, *id, watches).run(program.terminal);
}

} // namespace baton::player
