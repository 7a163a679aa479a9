#pragma once

#include "model/error.h"
#include "process/run.h"

#include <chrono>
#include <string>
#include <vector>

/// e2fsprogs over a file system that a guest has written, which may be made to attack its reader.
/// The kernel never sees it; the program that does sees nothing else.
namespace baton::desk {

struct SandboxOrder {
    /// The program and its arguments; the word `image_in_sandbox` (also as a prefix) stands for the
    /// image.
    std::vector<std::string> words;
    std::string image; ///< path
    /// A program of Baton's own that is in `words` as `program_in_sandbox`: its path. May be empty.
    std::string program{};
    bool writable = false; ///< the image may be written (a repair)
    std::chrono::milliseconds deadline{600'000};
    std::size_t output_limit = 16 * 1024 * 1024;
    /// In a user namespace of its own. Without one (for root alone, where the kernel allows none,
    /// as in a chroot) the program is root by number, without a capability and behind the same
    /// walls.
    bool own_user = true;
};

/// The image's path as the program in the sandbox sees it.
inline constexpr const char* image_in_sandbox = "/desk";

inline constexpr const char* program_in_sandbox = "/program";

/// The command: prlimit (memory, processor time, files, no core), then bwrap (own user, mount,
/// network, process, IPC and host name namespaces; only /usr, read-only, and the image are there;
/// no capability; dies with us), then the program under a seccomp filter given on standard input.
process::Command sandbox_command(const SandboxOrder& order, std::string filter);

/// The filter: what e2fsck and debugfs need and no other system call. A compiled BPF program.
Result<std::string> sandbox_filter();

/// Runs it. Errc::timeout, Errc::not_found (a package is missing), Errc::unsupported: this machine
/// lets nobody make a sandbox.
Result<process::Finished> run_in_sandbox(const SandboxOrder& order);

} // namespace baton::desk
