/// Every parser of the monitor: the first byte chooses which, the rest is its text. What is read is
/// made into usage too: no input may give a value that is not finite.
#include "monitor/codec.h"
#include "monitor/fields.h"
#include "monitor/host_files.h"
#include "monitor/process_files.h"
#include "monitor/rates.h"
#include "sampling/domain_facts.h"
#include "sampling/link_messages.h"

#include <boost/json/parse.hpp>

#include <cmath>
#include <cstdlib>
#include <string_view>

namespace {

using namespace baton::monitor;

void check(std::string_view, const Value& value) {
    if (value && !std::isfinite(*value))
        std::abort();
}

/// Usage out of what was read, and of nothing before it.
void use(HostSample sample) {
    sample.at = sample.disks_at = sample.interfaces_at = {2'000'000'000};
    sample.cpu.at = sample.memory.at = sample.pressure.at = sample.at;
    HostSample before;
    before.at = before.disks_at = before.interfaces_at = {1'000'000'000};
    before.cpu.at = before.pressure.at = before.at;
    before.disks = sample.disks;
    before.interfaces = sample.interfaces;
    for (DiskCounters& disk : before.disks)
        disk.r_sectr = disk.io_milsc = 0;
    for (NetCounters& one : before.interfaces)
        one.r_byte = one.r_pack = 0;
    const auto rates = host_rates(before, sample);
    each_host_value(rates, check);
}

void use_json(std::string_view text) {
    boost::system::error_code error;
    const auto value = boost::json::parse(text, error);
    if (error || !value.is_object())
        return;
    if (const auto reading = reading_from_json(value.get_object()))
        (void)to_csv(*reading);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0)
        return 0;
    const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
    const std::span bytes(reinterpret_cast<const std::byte*>(data) + 1, size - 1);
    HostSample sample;
    std::vector<ShortName> names;
    switch (data[0] % 16) {
    case 0:
        if (parse_stat(text, sample.cpu))
            use(sample);
        break;
    case 1:
        if (parse_meminfo(text, sample.memory))
            use(sample);
        break;
    case 2:
        if (parse_diskstats(text, sample.disks))
            use(sample);
        break;
    case 3:
        (void)parse_partitions(text, names);
        break;
    case 4:
        if (parse_net_dev(text, sample.interfaces))
            use(sample);
        break;
    case 5:
        (void)parse_pressure(text);
        break;
    case 6:
        (void)parse_process_stat(text);
        break;
    case 7:
        (void)parse_process_io(text);
        break;
    case 8:
        (void)parse_schedstat(text);
        break;
    case 9:
        (void)parse_group_cpu_ns(text);
        break;
    case 10:
        (void)parse_cgroup(text);
        break;
    case 11:
        (void)is_qemu_of(text, "12345678-1234-1234-1234-123456789012");
        (void)is_vcpu_thread(text);
        break;
    case 12:
        if (baton::sampling::parse_link_stats(bytes, sample.interfaces))
            use(sample);
        break;
    case 13:
        (void)baton::sampling::parse_links(bytes, sample.interfaces);
        break;
    case 14:
        (void)baton::sampling::domain_facts(text);
        break;
    default:
        use_json(text);
        break;
    }
    return 0;
}
