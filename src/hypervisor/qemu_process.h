#pragma once

#include "model/error.h"

#include <cstdint>
#include <string>
#include <sys/types.h>

/// QEMU's process behind a domain: what libvirt has no call for.
namespace baton::hypervisor {

/// The process that was started with that domain UUID; 0: none is seen (it has ended, or runs in
/// another PID namespace).
pid_t find_qemu(const std::string& uuid);

/// No file that this process writes may grow beyond `bytes`: the kernel refuses (EFBIG), which the
/// guest sees as a write error of its disk. Holds also when nobody of ours is there to watch.
Result<void> limit_file_size(pid_t process, std::int64_t bytes);

} // namespace baton::hypervisor
