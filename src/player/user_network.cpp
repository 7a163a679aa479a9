#include "player/user_network.h"

#include "process/exec.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <string_view>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace baton::player {

namespace {

using process::Descriptor;

bool is_port(std::string_view text) {
    unsigned port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    return error == std::errc{} && end == text.data() + text.size() && port >= 1 && port <= 65535;
}

struct Pipe {
    Descriptor read;
    Descriptor write;
};

Result<Pipe> make_pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0)
        return fail_errno(errno, "cannot start the network of the desk");
    return Pipe{Descriptor(ends[0]), Descriptor(ends[1])};
}

/// After fork: descriptors 3, 4 and 5 as pasta_command says, then pasta. Async-signal-safe.
struct PastaStart {
    const char* program;
    std::vector<char*> words;
    int users, network, ready, said;
    pid_t parent;

    [[noreturn]] void go() {
        ::setsid();
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::getppid() != parent)
            ::_exit(127);
        // pasta takes the ignored signal that it inherits for an error of its own: "Couldn't
        // install signal handlers"
        process::reset_signals();
        const int nothing = ::open("/dev/null", O_RDWR);
        ::dup2(nothing, 0);
        ::dup2(nothing, 1);
        ::dup2(said, 2);
        // first out of the way of 3 to 5
        const int from[] = {::fcntl(users, F_DUPFD, 10), ::fcntl(network, F_DUPFD, 10),
                            ::fcntl(ready, F_DUPFD, 10)};
        for (int i = 0; i < 3; ++i)
            ::dup2(from[i], 3 + i);
        ::close_range(6, ~0U, 0);
        ::execv(program, words.data());
        ::_exit(127);
    }
};

} // namespace

Result<void> check_publish(const std::string& text) {
    const auto slash = text.find('/');
    const auto ports = text.substr(slash == std::string::npos ? 0 : slash + 1);
    const auto colon = ports.find(':');
    const auto address = slash == std::string::npos ? std::string("x") : text.substr(0, slash);
    const bool plain = std::all_of(address.begin(), address.end(), [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || c == '.' || c == ':' || c == 'x';
    });
    if (!address.empty() && plain && is_port(ports.substr(0, colon)) &&
        (colon == std::string::npos || is_port(ports.substr(colon + 1))))
        return {};
    return fail(Errc::invalid_argument, "\"" + text + "\" is no port to publish",
                "write PC's port:port inside, with an address before a '/': 127.0.0.1/8080:80");
}

Resolver resolver_for(const std::string& resolv_conf, Network network) {
    constexpr const char* inside = "169.254.0.53";
    Resolver resolver{resolv_conf, ""};
    if (network == Network::none)
        return {"", ""};
    const bool on_loopback = resolv_conf.find("nameserver 127.") != std::string::npos ||
                             resolv_conf.find("nameserver ::1") != std::string::npos;
    if (network == Network::host || !on_loopback)
        return resolver;
    return {std::string("nameserver ") + inside + "\n", inside};
}

process::Command pasta_command(const std::vector<std::string>& publish,
                               const std::string& forward_names) {
    process::Command command;
    command.words = {"pasta",       "--foreground", "--quiet", "--stderr", "--config-net",
                     "--no-map-gw", "--runas",      "0:0",     "-u",       "none",
                     "-T",          "none",         "-U",      "none"};
    if (publish.empty())
        command.words.insert(command.words.end(), {"-t", "none"});
    for (const auto& port : publish)
        command.words.insert(command.words.end(), {"-t", port});
    if (!forward_names.empty())
        command.words.insert(command.words.end(), {"--dns-forward", forward_names});
    command.words.insert(command.words.end(), {"--userns", "/proc/self/fd/3", "--netns",
                                               "/proc/self/fd/4", "--pid", "/proc/self/fd/5"});
    return command;
}

Result<UserNetwork> UserNetwork::start(const process::Command& command, pid_t init) {
    const auto program = process::find_program(command.words.front());
    if (!program)
        return fail(Errc::not_found, "the desk has no way to the network: pasta is not installed",
                    "apt install passt");
    const auto folder = "/proc/" + std::to_string(init) + "/ns/";
    const Descriptor users(::open((folder + "user").c_str(), O_RDONLY | O_CLOEXEC));
    const Descriptor network(::open((folder + "net").c_str(), O_RDONLY | O_CLOEXEC));
    auto ready = make_pipe();
    auto said = make_pipe();
    if (!users.open() || !network.open() || !ready || !said)
        return fail_errno(errno, "cannot start the network of the desk");
    PastaStart launch{program->c_str(),   process::exec_pointers(command.words),
                      users.get(),        network.get(),
                      ready->write.get(), said->write.get(),
                      ::getpid()};
    const pid_t pid = ::fork();
    if (pid < 0)
        return fail_errno(errno, "cannot start the network of the desk");
    if (pid == 0)
        launch.go();
    UserNetwork result;
    result.pid_ = pid;
    result.ready_ = std::move(ready->read);
    result.said_ = std::move(said->read);
    return result;
}

Result<void> UserNetwork::wait_ready(std::chrono::milliseconds deadline) {
    pollfd up{ready_.get(), POLLIN, 0};
    while (::poll(&up, 1, static_cast<int>(deadline.count())) < 0 && errno == EINTR) {
    }
    char digit = 0;
    if ((up.revents & POLLIN) != 0 && ::read(ready_.get(), &digit, 1) == 1)
        return {};
    std::array<char, 2048> text{};
    ::fcntl(said_.get(), F_SETFL, O_NONBLOCK);
    const auto n = ::read(said_.get(), text.data(), text.size());
    const auto words =
        process::last_line({text.data(), static_cast<std::size_t>(std::max<ssize_t>(n, 0))});
    stop();
    return fail(Errc::unavailable,
                "the desk has no way to the network" + (words.empty() ? "" : ": pasta: " + words));
}

void UserNetwork::stop() {
    if (pid_ <= 0)
        return;
    ::kill(pid_, SIGKILL);
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
}

UserNetwork::~UserNetwork() {
    stop();
}

UserNetwork::UserNetwork(UserNetwork&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      ready_(std::move(other.ready_)),
      said_(std::move(other.said_)) {}

UserNetwork& UserNetwork::operator=(UserNetwork&& other) noexcept {
    if (this != &other) {
        stop();
        pid_ = std::exchange(other.pid_, -1);
        ready_ = std::move(other.ready_);
        said_ = std::move(other.said_);
    }
    return *this;
}

} // namespace baton::player
