#include "desk/sandbox.h"

#include "process/child.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

namespace baton::desk {

namespace {

/// Processor time and memory that a check may take. A file system of 16 TiB needs some GiB.
constexpr const char* processor_seconds = "600";
constexpr const char* memory_bytes = "8589934592";

/// Reading and writing open files, memory, and the dynamic linker's start. Nothing that makes
/// sockets, mounts, namespaces, processes or looks at others.
constexpr std::array allowed{
    SCMP_SYS(access),
    SCMP_SYS(arch_prctl),
    SCMP_SYS(brk),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(close),
    SCMP_SYS(dup),
    SCMP_SYS(dup2),
    SCMP_SYS(execve),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2),
    SCMP_SYS(fadvise64),
    SCMP_SYS(fallocate),
    SCMP_SYS(fcntl),
    SCMP_SYS(fdatasync),
    SCMP_SYS(fstat),
    SCMP_SYS(fsync),
    SCMP_SYS(ftruncate),
    SCMP_SYS(futex),
    SCMP_SYS(getcwd),
    SCMP_SYS(getdents64),
    SCMP_SYS(getegid),
    SCMP_SYS(geteuid),
    SCMP_SYS(getgid),
    SCMP_SYS(getpid),
    SCMP_SYS(getppid),
    SCMP_SYS(getrandom),
    SCMP_SYS(getrlimit),
    SCMP_SYS(getrusage),
    SCMP_SYS(gettid),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(getuid),
    SCMP_SYS(ioctl),
    SCMP_SYS(lseek),
    SCMP_SYS(lstat),
    SCMP_SYS(madvise),
    SCMP_SYS(mmap),
    SCMP_SYS(mprotect),
    SCMP_SYS(mremap),
    SCMP_SYS(munmap),
    SCMP_SYS(newfstatat),
    SCMP_SYS(open),
    SCMP_SYS(openat),
    SCMP_SYS(pipe),
    SCMP_SYS(pipe2),
    SCMP_SYS(poll),
    SCMP_SYS(pread64),
    SCMP_SYS(prlimit64),
    SCMP_SYS(pwrite64),
    SCMP_SYS(read),
    SCMP_SYS(readlink),
    SCMP_SYS(readlinkat),
    SCMP_SYS(readv),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(rseq),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(sched_yield),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(set_tid_address),
    SCMP_SYS(stat),
    SCMP_SYS(statx),
    SCMP_SYS(sync_file_range),
    SCMP_SYS(sysinfo),
    SCMP_SYS(time),
    SCMP_SYS(umask),
    SCMP_SYS(uname),
    SCMP_SYS(wait4),
    SCMP_SYS(write),
    SCMP_SYS(writev),
};

} // namespace

process::Command sandbox_command(const SandboxOrder& order, std::string filter) {
    process::Command command;
    command.words = {"prlimit",
                     std::string("--as=") + memory_bytes,
                     std::string("--cpu=") + processor_seconds,
                     "--nofile=64",
                     "--core=0",
                     "bwrap",
                     "--unshare-ipc",
                     "--unshare-pid",
                     "--unshare-net",
                     "--unshare-uts",
                     "--unshare-cgroup-try",
                     "--cap-drop",
                     "ALL",
                     "--die-with-parent",
                     "--new-session",
                     "--clearenv",
                     "--setenv",
                     "PATH",
                     "/usr/sbin:/usr/bin",
                     "--ro-bind",
                     "/usr",
                     "/usr",
                     "--symlink",
                     "usr/lib",
                     "/lib",
                     "--symlink",
                     "usr/lib64",
                     "/lib64",
                     "--dev-bind",
                     "/dev/null",
                     "/dev/null",
                     "--dev-bind",
                     "/dev/null",
                     "/etc/mtab",
                     order.writable ? "--bind" : "--ro-bind",
                     order.image,
                     image_in_sandbox,
                     "--remount-ro",
                     "/",
                     "--seccomp",
                     "0",
                     "--"};
    if (!order.program.empty()) {
        const auto place = std::ranges::find(command.words, "--remount-ro");
        command.words.insert(place, {"--ro-bind", order.program, program_in_sandbox});
    }
    if (order.own_user)
        command.words.insert(std::ranges::find(command.words, "--unshare-ipc"), "--unshare-user");
    command.words.insert(command.words.end(), order.words.begin(), order.words.end());
    command.input = std::move(filter);
    command.deadline = order.deadline;
    command.output_limit = order.output_limit;
    return command;
}

Result<std::string> sandbox_filter() {
    const std::unique_ptr<void, void (*)(scmp_filter_ctx)> context(seccomp_init(SCMP_ACT_ERRNO(1)),
                                                                   seccomp_release);
    const process::Descriptor file(::memfd_create("filter", MFD_CLOEXEC));
    if (!context || !file.open())
        return fail(Errc::internal, "cannot make the filter of the sandbox");
    for (const int call : allowed)
        if (call >= 0 && seccomp_rule_add(context.get(), SCMP_ACT_ALLOW, call, 0) != 0)
            return fail(Errc::internal, "cannot make the filter of the sandbox");
    // e2fsck reads bitmaps with threads: those it may make, by the call whose flags can be seen
    constexpr scmp_datum_t thread = CLONE_THREAD | CLONE_VM | CLONE_SIGHAND;
    // (the library's own macro for it is C, which clang does not take)
    const scmp_arg_cmp flags{0, SCMP_CMP_MASKED_EQ, thread, thread};
    if (seccomp_rule_add_array(context.get(), SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, &flags) != 0 ||
        seccomp_rule_add(context.get(), SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) != 0)
        return fail(Errc::internal, "cannot make the filter of the sandbox");
    if (seccomp_export_bpf(context.get(), file.get()) != 0)
        return fail(Errc::internal, "cannot write the filter of the sandbox");
    std::string filter(static_cast<std::size_t>(::lseek(file.get(), 0, SEEK_END)), '\0');
    if (::pread(file.get(), filter.data(), filter.size(), 0) != static_cast<ssize_t>(filter.size()))
        return fail_errno(errno, "cannot read the filter of the sandbox");
    return filter;
}

Result<process::Finished> run_in_sandbox(const SandboxOrder& order) {
    for (const auto* name : {"bwrap", "prlimit"})
        BATON_TRY(process::find_program(name));
    auto filter = sandbox_filter();
    if (!filter)
        return tl::unexpected(filter.error());
    auto finished = process::run(sandbox_command(order, *filter));
    if (finished && order.own_user && ::geteuid() == 0 &&
        finished->error.starts_with("bwrap: No permissions to create new namespace")) {
        SandboxOrder as_root = order;
        as_root.own_user = false;
        finished = process::run(sandbox_command(as_root, std::move(*filter)));
    }
    if (finished && finished->error.starts_with("bwrap: "))
        return fail(Errc::unsupported,
                    "cannot make a sandbox for looking into a desk: " +
                        process::last_line(finished->error),
                    "run as root, or let users make user namespaces "
                    "(sysctl kernel.unprivileged_userns_clone)");
    return finished;
}

} // namespace baton::desk
