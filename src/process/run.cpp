#include "process/run.h"

#include "process/child.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

namespace baton::process {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t error_kept = 65'536;
constexpr std::size_t longest_line = 65'536;
/// After its end, output that a grandchild still holds open is not waited for longer than this.
constexpr std::chrono::milliseconds drain_time{200};

/// What the program writes, on its way into Finished or into on_line.
class Collector {
  public:
    explicit Collector(const Command& command) : command_(command) {}

    /// False: more than output_limit.
    bool take_output(std::string_view bytes) {
        if (!command_.on_line) {
            out_.append(bytes);
            return out_.size() <= command_.output_limit;
        }
        for (const char c : bytes) {
            if (c == '\n' || c == '\r') {
                if (c == '\r' || !after_return_)
                    command_.on_line(line_);
                line_.clear();
            } else if (line_.size() < longest_line) {
                line_.push_back(c);
            }
            after_return_ = c == '\r';
        }
        return true;
    }

    void take_error(std::string_view bytes) {
        error_.append(bytes);
        if (error_.size() > 2 * error_kept)
            error_.erase(0, error_.size() - error_kept);
    }

    Finished finish(int status) {
        if (command_.on_line && !line_.empty())
            command_.on_line(line_);
        if (error_.size() > error_kept)
            error_.erase(0, error_.size() - error_kept);
        return Finished{status, std::move(out_), std::move(error_)};
    }

  private:
    const Command& command_;
    std::string out_;
    std::string line_;
    bool after_return_ = false;
    std::string error_;
};

/// Reads what is there. False at the end of the stream.
bool read_some(const Descriptor& pipe, const std::function<void(std::string_view)>& sink) {
    std::array<char, 16'384> buffer{};
    const ssize_t n = ::read(pipe.get(), buffer.data(), buffer.size());
    if (n > 0) {
        sink(std::string_view(buffer.data(), static_cast<std::size_t>(n)));
        return true;
    }
    return n < 0 && (errno == EAGAIN || errno == EINTR);
}

/// A program that closes its input must not end us; the process's own signal settings stay.
ssize_t write_without_sigpipe(int fd, std::string_view bytes) {
    sigset_t pipe_signal;
    sigset_t before;
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    const int reason = errno;
    if (n < 0 && reason == EPIPE && sigismember(&before, SIGPIPE) == 0) {
        const timespec at_once{};
        ::sigtimedwait(&pipe_signal, nullptr, &at_once);
    }
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    errno = reason;
    return n;
}

/// Feeds a child and reads it until it ends, its deadline passes or it is cancelled.
class Conversation {
  public:
    Conversation(const Command& command, Child child)
        : command_(command),
          child_(std::move(child)),
          collector_(command),
          until_(Clock::now() + command.deadline) {
        if (command_.input.empty())
            child_.input.reset();
    }

    Result<Finished> hold() {
        while (!ended_) {
            const auto now = Clock::now();
            if (now >= until_)
                return end(Errc::timeout, "'" + command_.words.front() + "' did not end within " +
                                              std::to_string(command_.deadline.count()) + " ms");
            if (!step(until_ - now))
                return end(stop_, stop_what_);
        }
        // whoever is left of the process group may hold the pipes open: only what is there counts
        const auto drained = Clock::now() + drain_time;
        while ((child_.output.open() || child_.error.open()) && Clock::now() < drained)
            if (!step(drained - Clock::now()))
                return end(stop_, stop_what_);
        return collector_.finish(child_.wait());
    }

  private:
    Result<Finished> end(Errc code, const std::string& what) {
        child_.kill_group();
        return fail(code, what);
    }

    /// One wait and what it brought. False: stop_ says why to give up.
    bool step(Clock::duration patience) {
        enum { process, output, error, input, cancel, count };

        std::array<pollfd, count> set{};
        set[process] = {ended_ ? -1 : child_.pidfd.get(), POLLIN, 0};
        set[output] = {child_.output.get(), POLLIN, 0};
        set[error] = {child_.error.get(), POLLIN, 0};
        set[input] = {child_.input.get(), POLLOUT, 0};
        set[cancel] = {command_.cancel_fd, POLLIN, 0};
        const auto ms = std::chrono::ceil<std::chrono::milliseconds>(patience).count();
        const int ready =
            ::poll(set.data(), set.size(), static_cast<int>(std::clamp<long>(ms, 0, 60'000)));
        if (ready < 0)
            return true;
        if (set[cancel].revents != 0)
            return give_up(Errc::cancelled, "given up while '" + command_.words.front() + "' ran");
        if (set[input].revents != 0)
            feed();
        bool fits = true;
        if (set[output].revents != 0 && !read_some(child_.output, [&](std::string_view b) {
                fits = collector_.take_output(b);
            }))
            child_.output.reset();
        if (!fits)
            return give_up(Errc::refused, "'" + command_.words.front() +
                                              "' wrote more than its limit of " +
                                              std::to_string(command_.output_limit) + " bytes");
        if (set[error].revents != 0 &&
            !read_some(child_.error, [&](std::string_view b) { collector_.take_error(b); }))
            child_.error.reset();
        if (set[process].revents != 0)
            ended_ = true;
        return true;
    }

    bool give_up(Errc code, std::string what) {
        stop_ = code;
        stop_what_ = std::move(what);
        return false;
    }

    void feed() {
        const auto rest = std::string_view(command_.input).substr(fed_);
        const ssize_t n = write_without_sigpipe(child_.input.get(), rest);
        if (n > 0)
            fed_ += static_cast<std::size_t>(n);
        // a program that has closed its input has read what it wanted
        if (fed_ == command_.input.size() || (n < 0 && errno != EAGAIN && errno != EINTR))
            child_.input.reset();
    }

    const Command& command_;
    Child child_;
    Collector collector_;
    Clock::time_point until_;
    std::size_t fed_ = 0;
    bool ended_ = false;
    Errc stop_ = Errc::internal;
    std::string stop_what_;
};

} // namespace

Result<std::string> find_program(const std::string& name) {
    const auto runs = [](const std::string& path) {
        std::error_code ignored;
        return ::access(path.c_str(), X_OK) == 0 && !std::filesystem::is_directory(path, ignored);
    };
    if (name.find('/') != std::string::npos) {
        if (runs(name))
            return std::filesystem::absolute(name).string();
        return fail(Errc::not_found, "there is no program " + name + " that may be run");
    }
    // NOLINTNEXTLINE(concurrency-mt-unsafe): nothing of ours changes the environment
    const char* path = std::getenv("PATH");
    std::string folders = path != nullptr ? path : "/usr/bin:/bin";
    folders += ":/usr/local/sbin:/usr/sbin:/sbin";
    for (std::size_t begin = 0; begin < folders.size();) {
        const auto end = std::min(folders.find(':', begin), folders.size());
        auto candidate = folders.substr(begin, end - begin) + "/" + name;
        if (end > begin && runs(candidate))
            return candidate;
        begin = end + 1;
    }
    return fail(Errc::not_found, "the program '" + name + "' is not on this machine",
                "install it with: tools/setup run (or apt-get install the package it is in)");
}

Result<Finished> run(const Command& command) {
    if (command.words.empty())
        return fail(Errc::internal, "a command without words was to be run");
    auto program = find_program(command.words.front());
    if (!program)
        return tl::unexpected(program.error());
    // what programs say is read by us, and shown within our own sentences
    auto environment = command.environment;
    environment.emplace_back("LC_ALL=C.UTF-8"); // of two, the first counts
    auto child = Child::start(*program, command.words, environment);
    if (!child)
        return tl::unexpected(child.error());
    return Conversation(command, std::move(*child)).hold();
}

Result<Finished> run_checked(const Command& command, std::string_view doing) {
    auto finished = run(command);
    if (!finished)
        return tl::unexpected(finished.error().in(doing));
    if (finished->status != 0) {
        auto said = last_line(finished->error);
        if (said.empty())
            said = "it said nothing";
        return fail(failure_code(*finished), std::string(doing) + ": '" + command.words.front() +
                                                 "' failed with status " +
                                                 std::to_string(finished->status) + ": " + said);
    }
    return finished;
}

Errc failure_code(const Finished& finished) {
    // glibc's words for ENOSPC and EDQUOT, in the language that run() asks for
    for (const auto* words : {"No space left on device", "Disk quota exceeded"})
        if (finished.error.find(words) != std::string::npos)
            return Errc::full;
    return Errc::io;
}

std::string shown(const Command& command) {
    std::string text;
    for (const auto& word : command.words) {
        if (!text.empty())
            text += ' ';
        const bool plain =
            !word.empty() && word.find_first_not_of("abcdefghijklmnopqrstuvwxyz"
                                                    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                                    "0123456789_-./:=,+@%") == std::string::npos;
        if (plain) {
            text += word;
            continue;
        }
        text += '\'';
        for (const char c : word)
            text += c == '\'' ? std::string("'\\''") : std::string(1, c);
        text += '\'';
    }
    return text;
}

std::string last_line(std::string_view text) {
    const auto end = text.find_last_not_of(" \t\r\n");
    if (end == std::string_view::npos)
        return {};
    text = text.substr(0, end + 1);
    const auto begin = text.find_last_of('\n');
    if (begin != std::string_view::npos)
        text.remove_prefix(begin + 1);
    std::string line;
    for (const char c : text.substr(0, 500))
        if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f)
            line += c;
    return line;
}

} // namespace baton::process
