#include "deskserver/storage_daemon.h"

#include "desk/header.h"
#include "process/exec.h"
#include "process/run.h"

#include <boost/json/array.hpp>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace baton::deskserver {

namespace {

namespace json = boost::json;

constexpr const char* node = "desk";
constexpr const char* export_id = "export";
/// A desktop needs one connection, and a second while the first one's end has not been noticed.
constexpr int most_connections = 16;

/// What the child does between fork and exec: async-signal-safe calls only.
struct Launch {
    const char* program;
    char** words;
    int nbd, monitor, input, log, report;

    [[noreturn]] void go() const {
        ::setsid(); // a Ctrl-C at our terminal is not meant for it
        process::reset_signals();
        // libraries open sockets without the flag: a storage daemon that held one of ours would
        // keep a connection alive that died with us
        ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
        ::fcntl(nbd, F_SETFD, 0);
        ::fcntl(monitor, F_SETFD, 0);
        ::dup2(input, 0);
        ::dup2(log, 1);
        ::dup2(log, 2);
        ::execv(program, words);
        const int reason = errno;
        [[maybe_unused]] const ssize_t told = ::write(report, &reason, sizeof reason);
        ::_exit(127);
    }
};

Result<pid_t> spawn(const std::string& program, const std::vector<std::string>& words, int nbd,
                    int monitor, const std::string& log_path) {
    const process::Descriptor input(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    const process::Descriptor log(
        ::open(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    if (!input.open() || !log.open())
        return fail_errno(errno, "cannot open the log " + log_path);
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0)
        return fail_errno(errno, "cannot make a pipe");
    const process::Descriptor read_end(ends[0]);
    process::Descriptor write_end(ends[1]);
    auto pointers = process::exec_pointers(words);
    const Launch launch{program.c_str(), pointers.data(), nbd, monitor, input.get(),
                        log.get(),       write_end.get()};
    const pid_t pid = ::fork();
    if (pid < 0)
        return fail_errno(errno, "cannot start " + program, "the machine may be out of memory");
    if (pid == 0)
        launch.go();
    write_end.reset();
    int reason = 0;
    if (::read(read_end.get(), &reason, sizeof reason) == sizeof reason) {
        ::waitpid(pid, nullptr, 0);
        return fail_errno(reason, "cannot start " + program);
    }
    return pid;
}

process::Descriptor open_pidfd(pid_t pid) {
    return process::Descriptor(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

/// 0: there is none.
pid_t pid_in(const std::string& path) {
    std::ifstream file(path);
    pid_t pid = 0;
    return file >> pid ? pid : 0;
}

/// Its words, a zero behind each; empty for a process that has ended or is about to.
std::string command_line_of(pid_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/cmdline");
    return {std::istreambuf_iterator<char>(file), {}};
}

std::string last_words(const std::string& log_path) {
    std::ifstream file(log_path);
    std::string line;
    std::string last;
    while (std::getline(file, line))
        if (!line.empty())
            last = line;
    return last.substr(0, 500);
}

std::string text_of(const json::object& object, std::string_view key) {
    const auto* value = object.if_contains(key);
    return value != nullptr && value->is_string() ? std::string(value->get_string())
                                                  : std::string();
}

} // namespace

std::string export_name(const DeskId& id, FencingNumber fence) {
    return "desk." + id.value + "." + std::to_string(fence.value);
}

std::string runtime_file(const DaemonOrder& order, std::string_view extension) {
    return order.runtime + "/" + order.desk.value + "." + std::to_string(order.fence.value) +
           std::string(extension);
}

std::vector<std::string> daemon_words(const DaemonOrder& order, int nbd_fd, int monitor_fd) {
    // commas separate options on QEMU's command line; doubled they are part of a value
    const auto quoted = [](const std::string& text) {
        std::string result;
        for (const char c : text)
            result.append(c == ',' ? 2 : 1, c);
        return result;
    };
    return {
        order.program,
        "--pidfile",
        runtime_file(order, ".pid"),
        "--chardev",
        "socket,id=monitor,server=on,wait=off,fd=" + std::to_string(monitor_fd),
        "--monitor",
        "chardev=monitor",
        "--object",
        "tls-creds-x509,id=tls,endpoint=server,verify-peer=on,dir=" + quoted(order.tls_folder),
        "--object",
        "authz-simple,id=holder,identity=CN=" + quoted(order.holder.value),
        "--nbd-server",
        "addr.type=fd,addr.str=" + std::to_string(nbd_fd) +
            ",tls-creds=tls,tls-authz=holder,max-connections=" + std::to_string(most_connections)};
}

json::object node_arguments(const DaemonOrder& order) {
    return {{"driver", "raw"},
            {"node-name", node},
            {"offset", desk::data_offset},
            {"size", order.size_bytes},
            {"read-only", order.read_only},
            {"discard", "unmap"},
            {"file", json::object{{"driver", "file"},
                                  {"node-name", "file"},
                                  {"filename", order.image},
                                  {"locking", "on"},
                                  {"read-only", order.read_only},
                                  {"discard", "unmap"}}}};
}

json::object export_arguments(const DaemonOrder& order) {
    return {{"type", "nbd"},
            {"id", export_id},
            {"node-name", node},
            {"name", export_name(order.id, order.fence)},
            {"writable", !order.read_only}};
}

Result<std::unique_ptr<StorageDaemon>> StorageDaemon::start(const DaemonOrder& order,
                                                            const process::Descriptor& nbd,
                                                            const DaemonDeadlines& deadlines) {
    auto program = process::find_program(order.program);
    if (!program)
        return tl::unexpected(program.error());
    auto monitor = listen_unix(runtime_file(order, ".qmp"));
    if (!monitor)
        return tl::unexpected(monitor.error());
    const auto pid = spawn(*program, daemon_words(order, nbd.get(), monitor->get()), nbd.get(),
                           monitor->get(), runtime_file(order, ".log"));
    if (!pid)
        return tl::unexpected(pid.error());
    monitor->reset(); // from now on its death refuses connections
    std::unique_ptr<StorageDaemon> daemon(new StorageDaemon(order, deadlines));
    daemon->pid_ = *pid;
    daemon->pidfd_ = open_pidfd(*pid);
    if (!daemon->pidfd_.open()) {
        ::kill(*pid, SIGKILL);
        ::waitpid(*pid, nullptr, 0);
        return fail_errno(errno, "cannot watch the storage daemon");
    }
    if (const auto greeted = daemon->greet(); !greeted) {
        const auto said = last_words(runtime_file(order, ".log"));
        BATON_TRY(daemon->end());
        return fail(greeted.error().code,
                    "the storage daemon of the desk '" + order.desk.value +
                        "' did not start: " + (said.empty() ? greeted.error().what : said),
                    "look at the certificates in " + order.tls_folder);
    }
    return daemon;
}

Result<std::unique_ptr<StorageDaemon>> StorageDaemon::adopt(const DaemonOrder& order,
                                                            const DaemonDeadlines& deadlines) {
    std::unique_ptr<StorageDaemon> daemon(new StorageDaemon(order, deadlines));
    const auto greeted = daemon->greet();
    // it writes its PID file before it serves its monitor
    daemon->pid_ = pid_in(runtime_file(order, ".pid"));
    if (!greeted && greeted.error().code == Errc::unavailable) {
        BATON_TRY(daemon->outlive());
        daemon->remove_files();
        return tl::unexpected(greeted.error());
    }
    if (daemon->pid_ <= 0)
        return fail(Errc::conflict,
                    "a storage daemon of the desk '" + order.desk.value +
                        "' runs and cannot be told from others",
                    "end it by hand: fuser -v " + order.image);
    daemon->pidfd_ = open_pidfd(daemon->pid_);
    if (!daemon->pidfd_.open()) {
        daemon->remove_files();
        return fail(Errc::unavailable, "the storage daemon has ended");
    }
    return daemon;
}

Result<void> StorageDaemon::outlive() {
    if (pid_ > 0)
        pidfd_ = open_pidfd(pid_);
    if (!pidfd_.open())
        return {};
    const auto words = command_line_of(pid_);
    if (words.empty()) {
        // its memory is gone, its descriptors perhaps not yet
        static_cast<void>(ended_within(deadlines_.kill));
        return {};
    }
    if (words.find(runtime_file(order_, ".pid")) == std::string::npos)
        return {}; // the number belongs to somebody else by now
    return end();
}

Result<void> StorageDaemon::greet() {
    auto qmp = Qmp::connect(runtime_file(order_, ".qmp"), Clock::now() + deadlines_.start);
    if (!qmp)
        return tl::unexpected(qmp.error());
    qmp_ = std::move(*qmp);
    return {};
}

Result<void> StorageDaemon::open_export() {
    const auto until = Clock::now() + deadlines_.start;
    for (const auto& [command, arguments] :
         {std::pair("blockdev-add", node_arguments(order_)),
          std::pair("block-export-add", export_arguments(order_))})
        if (auto done = qmp_->execute(command, arguments, until); !done)
            return tl::unexpected(
                done.error().in("exporting the desk '" + order_.desk.value + "'"));
    return {};
}

Result<bool> StorageDaemon::exports_it() {
    if (!qmp_)
        return false;
    const auto until = Clock::now() + deadlines_.start;
    auto nodes = qmp_->execute("query-named-block-nodes", {{"flat", true}}, until);
    auto exports = qmp_->execute("query-block-exports", {}, until);
    if (!nodes || !exports)
        return tl::unexpected(nodes ? exports.error() : nodes.error());
    if (!nodes->is_array() || !exports->is_array())
        return fail(Errc::corrupt, "the storage daemon's answer is no list");
    const bool image = std::any_of(
        nodes->get_array().begin(), nodes->get_array().end(), [&](const json::value& value) {
            return value.is_object() && text_of(value.get_object(), "node-name") == "file" &&
                   text_of(value.get_object(), "file") == order_.image;
        });
    const bool exported = std::any_of(
        exports->get_array().begin(), exports->get_array().end(), [&](const json::value& value) {
            if (!value.is_object() || text_of(value.get_object(), "id") != export_id)
                return false;
            const auto* leaving = value.get_object().if_contains("shutting-down");
            return leaving != nullptr && leaving->is_bool() && !leaving->get_bool();
        });
    return image && exported;
}

bool StorageDaemon::ended_within(std::chrono::milliseconds patience) const {
    const auto until = Clock::now() + patience;
    while (true) {
        pollfd set{pidfd_.get(), POLLIN, 0};
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now());
        const int ready =
            ::poll(&set, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
        if (ready > 0)
            return true;
        if (ready == 0 || errno != EINTR)
            return false;
    }
}

Result<void> StorageDaemon::end() {
    if (qmp_) {
        const auto until = Clock::now() + deadlines_.drain;
        // hard: the holder's connections are cut; the event comes when the last request has ended
        if (qmp_->execute("block-export-del", {{"id", export_id}, {"mode", "hard"}}, until))
            static_cast<void>(qmp_->wait_event("BLOCK_EXPORT_DELETED", until));
        static_cast<void>(qmp_->execute("quit", {}, Clock::now() + deadlines_.quit));
        qmp_.reset();
    } else {
        ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGTERM, nullptr, 0);
    }
    if (!ended_within(deadlines_.quit)) {
        ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
        if (!ended_within(deadlines_.kill))
            return fail(Errc::timeout,
                        "the storage daemon of the desk '" + order_.desk.value + "' (process " +
                            std::to_string(pid_) + ") does not end, not even when killed",
                        "its disk may hang; nothing else may open the desk until it has ended");
    }
    reap();
    return {};
}

std::string StorageDaemon::reap() {
    siginfo_t info{};
    std::string how = "it ended";
    // one that was adopted is another process's child: its status is not ours to know
    if (::waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(pidfd_.get()), &info, WEXITED) ==
            0 &&
        info.si_pid != 0) {
        how = info.si_code == CLD_EXITED
                  ? "it ended with status " + std::to_string(info.si_status)
                  : "it was killed by signal " + std::to_string(info.si_status);
    }
    const auto said = last_words(runtime_file(order_, ".log"));
    remove_files();
    return said.empty() ? how : how + ", its last words: " + said;
}

void StorageDaemon::remove_files() const {
    for (const auto* extension : {".qmp", ".pid", ".log"})
        ::unlink(runtime_file(order_, extension).c_str());
}

} // namespace baton::deskserver
