#include "netboot/supervisor.h"

#include "netboot/watch.h"
#include "osimage/files.h"
#include "process/child.h"
#include "process/run.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <optional>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace baton::netboot {

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds long_enough{10}; // it ran: what ended it was no wrong setting
constexpr unsigned most_doublings = 5;

/// dnsmasq gives up root, and with it the kernel's promise to end it when we are killed: one that
/// still serves with our configuration file is ended here.
void end_left_over(const std::string& pid_file, const DnsmasqPlaces& places) {
    const auto text = osimage::read_file(pid_file, 32);
    const pid_t pid = text ? std::atoi(text->c_str()) : 0;
    if (pid <= 1)
        return;
    // held first: the number may be another process's by the time that we have looked
    const process::Descriptor held(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    const auto words = osimage::read_file("/proc/" + std::to_string(pid) + "/cmdline", 8192);
    if (!held.open() || !words ||
        words->find("--conf-file=" + places.config_file + '\0') == std::string::npos)
        return;
    for (const int signal : {SIGTERM, SIGKILL}) {
        ::syscall(SYS_pidfd_send_signal, held.get(), signal, nullptr, 0);
        pollfd ended{held.get(), POLLIN, 0};
        if (::poll(&ended, 1, 2'000) == 1)
            return;
    }
}

class Supervisor {
  public:
    Supervisor(Folder& folder, const SupervisorSettings& settings)
        : folder_(folder), settings_(settings) {
        places_.tftp_root = folder.path();
        places_.lease_file = settings.run_folder + "/leases";
        places_.config_file = settings.run_folder + "/dnsmasq.conf";
        places_.user = settings.user;
        pid_file_ = settings.run_folder + "/dnsmasq.pid";
    }

    Result<void> run();

  private:
    void read_settings();
    Result<void> start();
    void stop();
    void ended();
    void read_words(process::Descriptor& from);
    [[nodiscard]] int patience() const;

    Folder& folder_;
    const SupervisorSettings& settings_;
    DnsmasqPlaces places_;
    std::string pid_file_;
    std::optional<std::string> wanted_; ///< dnsmasq's configuration; empty: none is to run
    std::optional<process::Child> child_;
    Clock::time_point started_;
    std::optional<Clock::time_point> again_at_;
    unsigned early_ends_ = 0;
    std::string words_; ///< what dnsmasq has said, up to the next newline
};

void Supervisor::read_settings() {
    const auto now = folder_.settings();
    if (!now)
        return settings_.log("settings not taken: " + now.error().message());
    std::string text;
    if (now->enabled) {
        const auto options = configuration(*now, places_);
        const auto said = options ? to_text(*options) : tl::unexpected(options.error());
        if (!said)
            return settings_.log("settings not taken: " + said.error().message());
        text = *said;
    }
    if (text == wanted_ && (child_ || again_at_ || text.empty()))
        return;
    stop();
    wanted_ = text;
    early_ends_ = 0;
    if (text.empty())
        return settings_.log("network boot is not enabled: no DHCP, no TFTP");
    if (auto started = start(); !started) {
        settings_.log(started.error().message());
        again_at_ = Clock::now() + pause_after(++early_ends_);
    }
}

Result<void> Supervisor::start() {
    again_at_.reset();
    BATON_TRY(osimage::write_file(places_.config_file, wanted_.value_or(""), 0644));
    BATON_TRY(process::run_checked(dnsmasq_test(places_), "reading dnsmasq's configuration"));
    const auto program = process::find_program("dnsmasq");
    if (!program)
        return tl::unexpected(program.error());
    auto child = process::Child::start(*program, dnsmasq_words(places_), {"LC_ALL=C"});
    if (!child)
        return tl::unexpected(child.error());
    child_.emplace(std::move(*child));
    BATON_TRY(osimage::write_file(pid_file_, std::to_string(child_->pid()), 0644));
    child_->input.reset();
    started_ = Clock::now();
    settings_.log("dnsmasq runs, process " + std::to_string(child_->pid()));
    return {};
}

void Supervisor::stop() {
    again_at_.reset();
    if (!child_)
        return;
    child_->kill_group();
    child_.reset();
    settings_.log("dnsmasq has been ended");
}

void Supervisor::ended() {
    read_words(child_->error);
    const int status = child_->wait();
    early_ends_ = Clock::now() - started_ < long_enough ? early_ends_ + 1 : 1;
    child_.reset();
    const auto pause = pause_after(early_ends_);
    again_at_ = Clock::now() + pause;
    settings_.log("dnsmasq has ended with status " + std::to_string(status) +
                  "; it is started again in " + std::to_string(pause.count()) + " s");
}

void Supervisor::read_words(process::Descriptor& from) {
    std::array<char, 4096> bytes{};
    for (;;) {
        const ssize_t n = ::read(from.get(), bytes.data(), bytes.size());
        if (n <= 0) {
            if (n == 0)
                from.reset();
            return;
        }
        words_.append(bytes.data(), static_cast<std::size_t>(n));
        for (auto end = words_.find('\n'); end != std::string::npos; end = words_.find('\n')) {
            settings_.log(words_.substr(0, end));
            words_.erase(0, end + 1);
        }
        if (words_.size() > bytes.size())
            words_.clear(); // no line of dnsmasq's is that long
    }
}

int Supervisor::patience() const {
    if (!again_at_)
        return -1;
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(*again_at_ - Clock::now());
    return static_cast<int>(std::max<std::int64_t>(left.count(), 0)) + 1;
}

Result<void> Supervisor::run() {
    end_left_over(pid_file_, places_);
    auto changes = Watch::open(folder_.path());
    if (!changes)
        return tl::unexpected(changes.error());
    read_settings();
    for (;;) {
        std::array<pollfd, 5> fds{{{settings_.stop_fd, POLLIN, 0},
                                   {changes->fd(), POLLIN, 0},
                                   {child_ ? child_->pidfd.get() : -1, POLLIN, 0},
                                   {child_ ? child_->error.get() : -1, POLLIN, 0},
                                   {child_ ? child_->output.get() : -1, POLLIN, 0}}};
        if (::poll(fds.data(), fds.size(), patience()) < 0 && errno != EINTR)
            return fail_errno(errno, "cannot wait for dnsmasq");
        if (fds[0].revents != 0) {
            stop();
            return {};
        }
        if (child_ && fds[3].revents != 0)
            read_words(child_->error);
        if (child_ && fds[4].revents != 0)
            read_words(child_->output);
        if (child_ && fds[2].revents != 0)
            ended();
        if (fds[1].revents != 0) {
            changes->take();
            read_settings();
        }
        if (again_at_ && Clock::now() >= *again_at_) {
            if (auto started = start(); !started) {
                settings_.log(started.error().message());
                again_at_ = Clock::now() + pause_after(++early_ends_);
            }
        }
    }
}

} // namespace

std::chrono::seconds pause_after(unsigned early_ends) {
    const unsigned doublings = std::min(early_ends == 0 ? 0 : early_ends - 1, most_doublings);
    return std::min(std::chrono::seconds(1U << doublings), std::chrono::seconds(30));
}

Result<void> supervise(Folder& folder, const SupervisorSettings& settings) {
    if (::geteuid() != 0)
        return fail(Errc::forbidden,
                    "DHCP and TFTP are served as root (dnsmasq then becomes " + settings.user + ")",
                    "run it through sudo, or as the service baton-netboot");
    if (const auto program = process::find_program("dnsmasq"); !program)
        return tl::unexpected(program.error());
    BATON_TRY(osimage::make_folder(settings.run_folder));
    const auto lock_file = settings.run_folder + "/lock";
    BATON_TRY(osimage::open_file(lock_file, O_RDONLY | O_CREAT, 0644));
    const auto lock = osimage::try_lock(lock_file, osimage::LockKind::exclusive);
    if (!lock)
        return tl::unexpected(lock.error());
    if (!*lock)
        return fail(Errc::busy, "network boot is served already, out of " + settings.run_folder);
    return Supervisor(folder, settings).run();
}

} // namespace baton::netboot
