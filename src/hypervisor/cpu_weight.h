#pragma once

#include "model/error.h"

#include <libvirt/libvirt.h>

namespace baton::hypervisor {

/// libvirt's cpu_shares for a weight of 1 to 10000. Version 2 of control groups counts in weights,
/// version 1 in shares of which every group begins with 1024.
[[nodiscard]] unsigned long long cpu_shares(unsigned weight, bool version_1);

/// Errc::unsupported: this host's libvirt cannot, and why; Errc::not_found: it has just ended.
Result<void> set_cpu_weight(virDomain* domain, unsigned weight);

} // namespace baton::hypervisor
