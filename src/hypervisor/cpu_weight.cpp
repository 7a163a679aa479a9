#include "hypervisor/cpu_weight.h"

#include "hypervisor/libvirt_handles.h"

#include <libvirt/virterror.h>

#include <algorithm>
#include <array>
#include <string>
#include <unistd.h>

namespace baton::hypervisor {

namespace {

constexpr unsigned equal_weight = 100;
constexpr unsigned long long equal_shares = 1024;
constexpr unsigned long long least_shares = 2;

/// Whether the host's CPU controller is one of control groups of version 1. libvirtd is on this
/// host, so that its kernel is ours.
bool has_version_1() {
    return ::access("/sys/fs/cgroup/cpu/cpu.shares", F_OK) == 0 ||
           ::access("/sys/fs/cgroup/cpu,cpuacct/cpu.shares", F_OK) == 0;
}

} // namespace

unsigned long long cpu_shares(unsigned weight, bool version_1) {
    if (!version_1)
        return weight;
    return std::max(least_shares, weight * equal_shares / equal_weight);
}

Result<void> set_cpu_weight(virDomain* domain, unsigned weight) {
    std::array<virTypedParameter, 1> parameters{};
    parameters[0].type = VIR_TYPED_PARAM_ULLONG;
    parameters[0].value.ul = cpu_shares(weight, has_version_1());
    std::string(VIR_DOMAIN_SCHEDULER_CPU_SHARES)
        .copy(parameters[0].field, VIR_TYPED_PARAM_FIELD_LENGTH - 1);
    if (virDomainSetSchedulerParametersFlags(domain, parameters.data(), 1,
                                             VIR_DOMAIN_AFFECT_LIVE) == 0)
        return {};
    Error error = libvirt_error("CPU shares cannot be set");
    // "cgroup CPU controller is not mounted" comes as an invalid operation, a libvirtd without
    // privileges and drivers that know no scheduler say that it is not supported
    if (error.code == Errc::unsupported || error.native == VIR_ERR_NO_SUPPORT ||
        error.what.find("cgroup") != std::string::npos) {
        error.code = Errc::unsupported;
        error.hint = "they need a system libvirtd and the kernel's CPU control groups "
                     "(cgroup_controllers in qemu.conf)";
    } else if (error.code == Errc::conflict) { // not running any more
        error.code = Errc::not_found;
    }
    return tl::unexpected(std::move(error));
}

} // namespace baton::hypervisor
