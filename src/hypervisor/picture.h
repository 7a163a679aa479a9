#pragma once

#include "model/error.h"

#include <string>

namespace baton::hypervisor {

/// A screenshot as libvirt gives it (PNG with QEMU 7.1 and later, PPM before) as a binary PPM (P6).
/// Errc::corrupt: neither, or larger than 64 MiB.
Result<std::string> to_pixmap(std::string picture);

} // namespace baton::hypervisor
