/// `baton-guest`: runs inside a desktop and does what its host says over virtio-serial: mounts and
/// lets go of the desk, starts and ends the person's session, shows messages. Wiring only.
#include "guest/agent.h"
#include "guest/facts.h"
#include "programs/baton_guest/linux_machine.h"
#include "programs/baton_guest/loop.h"
#include "programs/baton_guest/port.h"
#include "programs/baton_guest/session.h"
#include "programs/baton_guest/text_screen.h"
#include "programs/baton_guest/x_screen.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <exception>
#include <linux/netlink.h>
#include <memory>
#include <optional>
#include <signal.h>
#include <string>
#include <string_view>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace baton::guest_program {

namespace {

constexpr const char* version = "0.1.0";

/// A session without a screen of ours: the image's own (another Linux) shows the person's work.
class NoScreen : public Screen {
  public:
    NoScreen(Loop& loop, ScreenEvents events) : loop_(loop), events_(std::move(events)) {}

    Result<void> open() override {
        loop_.soon(events_.drawn);
        return {};
    }

    void show(const guest::ScreenState&) override {}

    Result<void> start_session(const std::string&) override {
        loop_.soon(events_.session_visible);
        return {};
    }

    void session_ended() override {}

    bool ask_to_close(std::chrono::milliseconds) override { return false; }

    bool child_ended(pid_t, int) override { return false; }

  private:
    Loop& loop_;
    ScreenEvents events_;
};

/// The kernel's own events of devices that come and go.
Fd open_uevents() {
    Fd socket(
        ::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT));
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    address.nl_groups = 1; // the kernel, not udev
    if (socket &&
        ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        socket.reset();
    return socket;
}

/// Takes all signals that this program acts on through a descriptor.
Fd open_signals() {
    sigset_t set;
    ::sigemptyset(&set);
    for (const int signal : {SIGCHLD, SIGTERM, SIGINT})
        ::sigaddset(&set, signal);
    ::pthread_sigmask(SIG_BLOCK, &set, nullptr); // NOLINT(concurrency-mt-unsafe)
    ::signal(SIGPIPE, SIG_IGN); // NOLINT(concurrency-mt-unsafe): there is one thread
    ::signal(SIGHUP, SIG_IGN);  // NOLINT(concurrency-mt-unsafe)
    return Fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

int fail_start(const Error& error) {
    std::fprintf(stderr, "baton-guest: %s\n", error.message().c_str());
    return 1;
}

int run(std::string_view screen_kind) {
    Loop loop;
    const Fd signals = open_signals();
    const Fd uevents = open_uevents();
    if (!signals || !uevents)
        return fail_start(fail_errno(errno, "cannot listen to the kernel").value());

    std::optional<guest::Agent> agent;
    std::unique_ptr<Screen> screen;
    Session session(loop, [&] {
        screen->session_ended();
        agent->session_ended();
    });
    if (const auto prepared = session.prepare(); !prepared)
        return fail_start(prepared.error());
    ScreenEvents events{[&] { agent->screen_drawn(); }, [&] { agent->session_visible(); },
                        [&](bool now) { agent->person_answered(now); }};
    if (screen_kind == "text")
        screen = std::make_unique<TextScreen>(loop, session, std::move(events));
    else if (screen_kind == "x11")
        screen = std::make_unique<XScreen>(loop, session, std::move(events));
    else
        screen = std::make_unique<NoScreen>(loop, std::move(events));

    Port port(loop, {[&] { agent->host_connected(); },
                     [&](std::string_view line) { agent->host_said(line); }});
    LinuxMachine machine(port, *screen, session);
    const OwnFacts own = own_facts();
    agent.emplace(machine, guest::GuestFacts{version, own.os_image, own.boot_id, own.memory});
    if (const auto opened = screen->open(); !opened)
        return fail_start(opened.error());

    const auto open_port = [&] {
        if (!port.is_open())
            if (const auto device = guest::find_port("/sys", guest::port_name))
                port.open(*device);
    };
    loop.watch(uevents.get(), EPOLLIN, [&](std::uint32_t) {
        std::array<char, 8192> buffer{};
        bool disk = false;
        bool removed = false;
        bool any_port = false;
        while (true) {
            const ssize_t count = ::recv(uevents.get(), buffer.data(), buffer.size(), 0);
            if (count < 0 && errno == ENOBUFS) { // some were lost: look at everything
                disk = any_port = true;
                continue;
            }
            if (count <= 0)
                break;
            const std::string_view text(buffer.data(), static_cast<std::size_t>(count));
            disk = disk || text.find("SUBSYSTEM=block") != std::string_view::npos;
            // the disk's device goes after the disk, and with it the machine's slot is free
            removed = removed || (text.starts_with("remove@") &&
                                  text.find("SUBSYSTEM=pci") != std::string_view::npos);
            any_port = any_port || text.find("SUBSYSTEM=virtio-ports") != std::string_view::npos;
        }
        if (any_port)
            open_port();
        if (disk)
            agent->disks_changed();
        if (removed)
            screen->disk_removed();
    });
    loop.watch(signals.get(), EPOLLIN, [&](std::uint32_t) {
        signalfd_siginfo info{};
        while (::read(signals.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info))
            if (info.ssi_signo != SIGCHLD) {
                agent->shut_down();
                loop.stop();
            }
        int status = 0;
        for (pid_t pid = ::waitpid(-1, &status, WNOHANG); pid > 0;
             pid = ::waitpid(-1, &status, WNOHANG)) {
            if (auto outcome = machine.check_ended(pid, status))
                agent->check_finished(std::move(*outcome));
            else if (!screen->child_ended(pid, status))
                session.child_ended(pid);
        }
    });
    open_port();
    loop.run([&] { return agent->next_deadline(); }, [&] { agent->tick(); });
    return 0;
}

} // namespace

} // namespace baton::guest_program

int main(int argc, char** argv) {
    // no library for this: the program has one option and is linked statically into small images
    std::string_view screen = "none";
    for (int i = 1; i < argc; ++i) {
        const std::string_view argument = argv[i];
        if (argument == "--version") {
            std::printf("baton-guest %s\n", baton::guest_program::version);
            return 0;
        }
        if (argument == "--screen" && i + 1 < argc) {
            screen = argv[++i];
            if (screen == "text" || screen == "x11" || screen == "none")
                continue;
        }
        std::fprintf(stderr,
                     "baton-guest: usage: baton-guest [--screen text|x11|none] [--version]\n");
        return 2;
    }
    if (::geteuid() != 0) {
        std::fprintf(stderr, "baton-guest: must run as root, inside a desktop\n");
        return 1;
    }
    try {
        return baton::guest_program::run(screen);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "baton-guest: %s\n", error.what());
        return 1;
    }
}
