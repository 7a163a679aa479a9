#pragma once

#include "model/types.h"
#include "process/run.h"

#include <chrono>
#include <string>

/// Whether KVM works here. A /dev/kvm that exists proves nothing: a guest is started, and has to
/// do what kernels do when they start. (Some clouds offer a /dev/kvm on which no kernel boots.)
namespace baton::hypervisor {

/// 512 bytes for a BIOS to start: goes from real mode into 64-bit mode with paging, uses SSE and
/// cmpxchg16b there, and says so to QEMU's isa-debug-exit.
std::string probe_boot_sector();

/// QEMU's exit status when the boot sector has come to its end.
inline constexpr int probe_reached_end = 85;

/// `accelerator`: "kvm" (with the host's processor, as desktops have it) or "tcg".
process::Command probe_command(const std::string& accelerator, const std::string& boot_sector_file,
                               std::chrono::milliseconds deadline);

/// Starts the guest, through a file in `folder` that is removed again. Never an error: what hinders
/// is the reason.
Acceleration probe_kvm(const std::string& folder, std::chrono::milliseconds deadline);

/// The same, remembered in the file `cache` until the machine is booted anew or QEMU changes.
Acceleration probe_kvm_once(const std::string& cache, const std::string& folder,
                            std::chrono::milliseconds deadline);

} // namespace baton::hypervisor
