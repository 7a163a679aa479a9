#include "screen/presenter.h"

#include "process/exec.h"
#include "screen/stage.h"

#include <boost/json.hpp>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <grp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace baton::screen {

namespace {

constexpr std::chrono::milliseconds switching{5'000};

/// The copy: the person, with nothing open but its end of the channel.
[[noreturn]] void live(const player::Channel& outer, const PresenterOrder& order, pid_t parent) {
    const auto& person = order.person;
    if (person.uid != ::geteuid() &&
        (::setgroups(0, nullptr) != 0 || ::setresgid(person.gid, person.gid, person.gid) != 0 ||
         ::setresuid(person.uid, person.uid, person.uid) != 0))
        ::_exit(1);
    // after the change of user, which forgets it
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::prctl(PR_SET_NAME, "baton-present");
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (::getppid() != parent)
        ::_exit(1);
    process::reset_signals();
    std::signal(SIGPIPE, SIG_IGN); // NOLINT(concurrency-mt-unsafe): one thread
    ::setsid();
    constexpr int place = 3;
    if (outer.fd() != place && ::dup2(outer.fd(), place) < 0)
        ::_exit(1);
    ::close_range(place + 1, ~0U, 0);
    ::fcntl(place, F_SETFD, FD_CLOEXEC);
    const int nothing = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int i = 0; i < place; ++i)
        ::dup2(nothing, i);
    if (order.pc_cookies.empty())
        ::unsetenv("XAUTHORITY"); // NOLINT(concurrency-mt-unsafe): one thread
    else
        ::setenv("XAUTHORITY", order.pc_cookies.c_str(), 1); // NOLINT(concurrency-mt-unsafe)
    try {
        run_stage(player::Channel(process::Descriptor(place)), order);
    } catch (const std::exception&) {
        ::_exit(1);
    }
}

} // namespace

Result<Presenter> Presenter::start(const PresenterOrder& order) {
    auto ends = player::Channel::make();
    if (!ends)
        return tl::unexpected(ends.error());
    const pid_t parent = ::getpid();
    const pid_t pid = ::fork();
    if (pid < 0)
        return fail_errno(errno, "cannot start what speaks with the PC's display");
    if (pid == 0)
        live(ends->second, order, parent);
    return Presenter(std::move(ends->first), pid);
}

Presenter::Presenter(Presenter&& other) noexcept
    : channel_(std::move(other.channel_)),
      pid_(std::exchange(other.pid_, -1)),
      shown_(other.shown_),
      managed_(other.managed_),
      note_(std::move(other.note_)) {}

Presenter::~Presenter() {
    if (pid_ <= 0)
        return;
    ::kill(pid_, SIGKILL);
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
}

Result<Presenter::Window> Presenter::window(std::chrono::milliseconds deadline) {
    auto message = channel_.receive(deadline);
    if (!message)
        return fail(Errc::unavailable, "the PC's display does not answer",
                    "can another X program be started on it?");
    if (const auto error = player::error_in(message->words))
        return tl::unexpected(*error);
    const auto number = [&](const char* key) {
        return message->words.at(key).to_number<std::uint32_t>();
    };
    return Window{number("window"), number("width"), number("height")};
}

void Presenter::take(const player::Message& message) {
    if (const auto* shown = message.words.if_contains("shown"))
        shown_ = shown->as_bool();
    managed_ = managed_ || message.words.contains("managed");
    if (const auto* text = message.words.if_contains("note"); text != nullptr && note_)
        note_(std::string(text->as_string()));
}

Result<void> Presenter::hear() {
    auto message = channel_.receive(switching);
    if (!message)
        return fail(Errc::unavailable, "the PC's display is gone, and the desk's desktop with it",
                    "the desk's files are as its programs have written them");
    take(*message);
    return {};
}

Result<void> Presenter::name(const std::string& owner) {
    return channel_.send({{"owner", owner}});
}

Result<void> Presenter::show(bool shown) {
    BATON_TRY(channel_.send({{"show", shown}}));
    for (;;) {
        auto message = channel_.receive(switching);
        if (!message)
            return tl::unexpected(message.error().in("switching"));
        take(*message);
        if (message->words.contains("done"))
            return {};
    }
}

Result<void> Presenter::wait_managed(std::chrono::milliseconds deadline) {
    const auto until = std::chrono::steady_clock::now() + deadline;
    while (!managed_) {
        const auto rest = std::chrono::duration_cast<std::chrono::milliseconds>(
            until - std::chrono::steady_clock::now());
        auto message = channel_.receive(std::max(rest, std::chrono::milliseconds(0)));
        if (!message)
            return tl::unexpected(message.error());
        take(*message);
    }
    return {};
}

Result<void> Presenter::give_desk(int socket, const std::string& cookie) {
    return channel_.send({{"desk", cookie}}, {socket});
}

} // namespace baton::screen
