#pragma once

#include "model/error.h"
#include "process/child.h"

#include <cstdint>
#include <string>

namespace baton::player {

/// A file shown as a block device. Given back by the kernel itself (autoclear) when the last file
/// system on it and the last descriptor of it are gone, also after kill -9: nobody has to detach.
struct LoopDevice {
    process::Descriptor device;
    std::string path; ///< "/dev/loop3"
    unsigned number = 0;
};

/// Attaches `size_bytes` of the open file from `offset` on. The device keeps the file's open
/// description, and with it the byte-range locks that were taken on it, until it is cleared.
/// Errc::forbidden: not root; Errc::unsupported: no loop devices here.
Result<LoopDevice> attach_loop(int file, std::int64_t offset, std::int64_t size_bytes,
                               bool read_only, const std::string& file_path);

} // namespace baton::player
