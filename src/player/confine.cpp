#include "player/confine.h"

#include "process/child.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <memory>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace baton::player {

namespace {

constexpr std::array refused_calls{
    // code in the kernel, another kernel
    SCMP_SYS(init_module), SCMP_SYS(finit_module), SCMP_SYS(delete_module), SCMP_SYS(kexec_load),
    SCMP_SYS(kexec_file_load), SCMP_SYS(reboot), SCMP_SYS(bpf),
    // the PC's clocks, swap, accounting, quotas, log, console
    SCMP_SYS(settimeofday), SCMP_SYS(clock_settime), SCMP_SYS(clock_adjtime), SCMP_SYS(adjtimex),
    SCMP_SYS(stime), SCMP_SYS(swapon), SCMP_SYS(swapoff), SCMP_SYS(acct), SCMP_SYS(quotactl),
    SCMP_SYS(quotactl_fd), SCMP_SYS(syslog), SCMP_SYS(vhangup), SCMP_SYS(iopl), SCMP_SYS(ioperm),
    // all of the PC at once, past names and namespaces
    SCMP_SYS(open_by_handle_at), SCMP_SYS(perf_event_open), SCMP_SYS(lookup_dcookie),
    SCMP_SYS(fanotify_init),
    // the PC's keys
    SCMP_SYS(add_key), SCMP_SYS(request_key), SCMP_SYS(keyctl),
    // favourite ways into the kernel that no desk needs
    SCMP_SYS(userfaultfd), SCMP_SYS(io_uring_setup), SCMP_SYS(io_uring_enter),
    SCMP_SYS(io_uring_register), SCMP_SYS(vm86), SCMP_SYS(vm86old), SCMP_SYS(nfsservctl),
    SCMP_SYS(uselib), SCMP_SYS(_sysctl)};

bool missing_is_expected(int call) {
    // a program that asks whether there is io_uring goes on without
    return call == SCMP_SYS(io_uring_setup) || call == SCMP_SYS(io_uring_enter) ||
           call == SCMP_SYS(io_uring_register);
}

using Filter = std::unique_ptr<void, void (*)(scmp_filter_ctx)>;

} // namespace

std::vector<ForbiddenCall> forbidden_calls() {
    std::vector<ForbiddenCall> calls;
    calls.reserve(std::size(refused_calls));
    for (const int call : refused_calls)
        calls.push_back({call, missing_is_expected(call) ? ENOSYS : EPERM});
    return calls;
}

const std::vector<unsigned>& kept_capabilities() {
    static const std::vector<unsigned> kept{
        CAP_CHOWN,    CAP_DAC_OVERRIDE, CAP_FOWNER,     CAP_FSETID,     CAP_KILL,
        CAP_SETGID,   CAP_SETUID,       CAP_SETPCAP,    CAP_SETFCAP,    CAP_NET_BIND_SERVICE,
        CAP_NET_RAW,  CAP_NET_ADMIN,    CAP_SYS_CHROOT, CAP_SYS_PTRACE, CAP_IPC_OWNER,
        CAP_IPC_LOCK, CAP_AUDIT_WRITE};
    return kept;
}

Result<std::vector<std::uint8_t>> system_call_filter() {
    const Filter context(seccomp_init(SCMP_ACT_ALLOW), seccomp_release);
    const process::Descriptor file(::memfd_create("filter", MFD_CLOEXEC));
    bool made = context && file.open();
#ifdef __x86_64__
    made = made && seccomp_arch_add(context.get(), SCMP_ARCH_X86) == 0 &&
           seccomp_arch_add(context.get(), SCMP_ARCH_X32) == 0;
#endif
    for (const auto& [call, error] : forbidden_calls())
        made = made &&
               seccomp_rule_add(context.get(), SCMP_ACT_ERRNO(static_cast<std::uint32_t>(error)),
                                call, 0) == 0;
    for (const scmp_datum_t request : {scmp_datum_t{TIOCSTI}, scmp_datum_t{TIOCLINUX}}) {
        // the kernel looks at the lower half alone
        const scmp_arg_cmp typed{1, SCMP_CMP_MASKED_EQ, 0xffffffffU, request};
        made = made && seccomp_rule_add_array(context.get(), SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl),
                                              1, &typed) == 0;
    }
    made = made && seccomp_export_bpf(context.get(), file.get()) == 0;
    if (!made)
        return fail(Errc::internal, "cannot make the filter of system calls");
    std::vector<std::uint8_t> program(static_cast<std::size_t>(::lseek(file.get(), 0, SEEK_END)));
    if (::pread(file.get(), program.data(), program.size(), 0) !=
        static_cast<ssize_t>(program.size()))
        return fail_errno(errno, "cannot read the filter of system calls");
    return program;
}

Result<void> confine(const std::vector<std::uint8_t>& filter) {
    const auto& kept = kept_capabilities();
    for (unsigned capability = 0; ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; ++capability)
        if (std::find(kept.begin(), kept.end(), capability) == kept.end() &&
            ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0)
            return fail_errno(errno, "cannot give up capability " + std::to_string(capability));
    const rlimit no_core{1, 1};
    if (::setrlimit(RLIMIT_CORE, &no_core) != 0)
        return fail_errno(errno, "cannot forbid core dumps");
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return fail_errno(errno, "cannot forbid new privileges");
    const sock_fprog program{
        static_cast<unsigned short>(filter.size() / sizeof(sock_filter)),
        const_cast<sock_filter*>(reinterpret_cast<const sock_filter*>(filter.data()))};
    if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0)
        return fail(Errc::unsupported, "this kernel filters no system calls",
                    "the player needs a kernel with seccomp (CONFIG_SECCOMP_FILTER)", errno);
    return {};
}

} // namespace baton::player
