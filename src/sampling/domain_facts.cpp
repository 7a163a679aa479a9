#include "sampling/domain_facts.h"

#include "hypervisor/domain_xml.h"
#include "hypervisor/xml.h"
#include "monitor/scan.h"

#include <libvirt/libvirt.h>

#include <array>
#include <charconv>
#include <cstring>
#include <string>

namespace baton::sampling {

using namespace monitor;
namespace xml = hypervisor::xml;

namespace {

template <class Number>
Number number(const std::string& text) {
    Number value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

std::string attribute(xmlNode* node, const char* name) {
    xmlChar* raw = xmlGetProp(node, reinterpret_cast<const xmlChar*>(name));
    std::string text = raw != nullptr ? reinterpret_cast<const char*>(raw) : "";
    xmlFree(raw);
    return text;
}

/// libvirt writes live XML in KiB.
Mebibytes memory_of(const xml::Document& document) {
    const auto kibibytes = number<std::int64_t>(xml::value(document, "/domain/memory"));
    return Mebibytes(kibibytes / 1024);
}

/// A parameter as a number that is not negative; nullopt: of another kind.
std::optional<std::uint64_t> value_of(const virTypedParameter& parameter) {
    switch (parameter.type) {
    case VIR_TYPED_PARAM_ULLONG:
        return parameter.value.ul;
    case VIR_TYPED_PARAM_UINT:
        return parameter.value.ui;
    case VIR_TYPED_PARAM_LLONG:
        if (parameter.value.l >= 0)
            return static_cast<std::uint64_t>(parameter.value.l);
        return std::nullopt;
    case VIR_TYPED_PARAM_INT:
        if (parameter.value.i >= 0)
            return static_cast<std::uint64_t>(parameter.value.i);
        return std::nullopt;
    default:
        return std::nullopt;
    }
}

std::optional<std::uint64_t> bytes_of(std::optional<std::uint64_t> kibibytes) {
    if (!kibibytes || *kibibytes > UINT64_MAX / 1024)
        return std::nullopt;
    return *kibibytes * 1024;
}

/// The element of that index, made if it is not there. nullptr: no machine has so many.
template <class T>
T* at(std::vector<T>& list, std::uint64_t index) {
    constexpr std::uint64_t most = 1024;
    if (index >= most)
        return nullptr;
    if (list.size() <= index)
        list.resize(index + 1);
    return &list[index];
}

class StatsReader {
  public:
    StatsReader(DesktopSample& sample, Moment moment) : sample_(sample), moment_(moment) {}

    void read(const virTypedParameter& parameter) {
        Scan name(
            std::string_view(parameter.field, ::strnlen(parameter.field, sizeof parameter.field)));
        const auto group = name.upto('.');
        const auto rest = name.upto('\n');
        if (group == "cpu" && rest == "time")
            read_cpu(parameter);
        else if (group == "vcpu")
            read_vcpu(rest, parameter);
        else if (group == "balloon")
            read_balloon(rest, parameter);
        else if (group == "net")
            read_net(rest, parameter);
        else if (group == "block")
            read_block(rest, parameter);
    }

    void finish() {
        // each vCPU tells its own time; one that does not would make the sum too small
        if (vcpu_time_ && sample_.process.at.known())
            sample_.process.vcpu_ns = vcpu_time_;
        if (vcpu_delay_ && sample_.process.at.known())
            sample_.process.vcpu_wait_ns = vcpu_delay_;
    }

  private:
    void read_cpu(const virTypedParameter& parameter) {
        const auto value = value_of(parameter);
        if (!value)
            return;
        sample_.process.at = moment_;
        sample_.process.cpu_time_ns = *value;
    }

    void read_vcpu(std::string_view rest, const virTypedParameter& parameter) {
        Scan name(rest);
        std::uint64_t index = 0;
        if (!Scan(name.upto('.')).number(index))
            return; // vcpu.current, vcpu.maximum
        const auto field = name.upto('\n');
        const auto value = value_of(parameter);
        if (field == "time" && value)
            vcpu_time_ = vcpu_time_.value_or(0) + *value;
        else if (field == "delay" && value)
            vcpu_delay_ = vcpu_delay_.value_or(0) + *value;
    }

    void read_balloon(std::string_view field, const virTypedParameter& parameter) {
        const auto value = value_of(parameter);
        if (!value)
            return;
        GuestMemory& memory = sample_.memory;
        memory.at = moment_;
        if (field == "current")
            memory.actual = bytes_of(value);
        else if (field == "available")
            memory.available = bytes_of(value);
        else if (field == "usable")
            memory.usable = bytes_of(value);
        else if (field == "unused")
            memory.unused = bytes_of(value);
        else if (field == "disk_caches")
            memory.disk_caches = bytes_of(value);
        else if (field == "swap_in")
            memory.swap_in = bytes_of(value);
        else if (field == "swap_out")
            memory.swap_out = bytes_of(value);
        else if (field == "major_fault")
            memory.major_faults = value;
        else if (field == "minor_fault")
            memory.minor_faults = value;
        else if (field == "last-update")
            memory.last_update = *value;
        else if (field == "rss")
            sample_.process.rss_bytes = bytes_of(value).value_or(0);
    }

    void read_net(std::string_view rest, const virTypedParameter& parameter) {
        if (rest == "count")
            sample_.interfaces_at = moment_;
        Scan name(rest);
        std::uint64_t index = 0;
        if (!Scan(name.upto('.')).number(index))
            return;
        NetCounters* const counters = at(sample_.interfaces, index);
        if (counters == nullptr)
            return;
        const auto field = name.upto('\n');
        if (field == "name" && parameter.type == VIR_TYPED_PARAM_STRING)
            counters->net_name = std::string_view(parameter.value.s);
        const auto value = value_of(parameter);
        if (!value)
            return;

        struct Place {
            std::string_view field;
            std::uint64_t NetCounters::* counter;
        };

        static constexpr std::array places{
            Place{"rx.bytes", &NetCounters::r_byte}, Place{"rx.pkts", &NetCounters::r_pack},
            Place{"rx.errs", &NetCounters::r_err},   Place{"rx.drop", &NetCounters::r_drop},
            Place{"tx.bytes", &NetCounters::t_byte}, Place{"tx.pkts", &NetCounters::t_pack},
            Place{"tx.errs", &NetCounters::t_err},   Place{"tx.drop", &NetCounters::t_drop}};
        for (const Place& place : places)
            if (place.field == field)
                counters->*place.counter = *value;
    }

    void read_block(std::string_view rest, const virTypedParameter& parameter) {
        if (rest == "count")
            sample_.disks_at = moment_;
        Scan name(rest);
        std::uint64_t index = 0;
        if (!Scan(name.upto('.')).number(index))
            return;
        DesktopDisk* const disk = at(sample_.disks, index);
        if (disk == nullptr)
            return;
        const auto field = name.upto('\n');
        if (field == "name" && parameter.type == VIR_TYPED_PARAM_STRING)
            disk->target = std::string_view(parameter.value.s);
        const auto value = value_of(parameter);
        if (!value)
            return;
        if (field == "rd.reqs")
            disk->rd_req = *value;
        else if (field == "rd.bytes")
            disk->rd_bytes = *value;
        else if (field == "wr.reqs")
            disk->wr_req = *value;
        else if (field == "wr.bytes")
            disk->wr_bytes = *value;
        else if (field == "fl.reqs")
            disk->flush_req = *value;
    }

    DesktopSample& sample_;
    Moment moment_;
    std::optional<std::uint64_t> vcpu_time_, vcpu_delay_;
};

} // namespace

DomainState domain_state(int libvirt_state) {
    switch (libvirt_state) {
    case VIR_DOMAIN_RUNNING:
    case VIR_DOMAIN_BLOCKED:
        return DomainState::running;
    case VIR_DOMAIN_PAUSED:
    case VIR_DOMAIN_PMSUSPENDED:
        return DomainState::paused;
    case VIR_DOMAIN_SHUTDOWN:
        return DomainState::shutting_down;
    case VIR_DOMAIN_CRASHED:
        return DomainState::crashed;
    case VIR_DOMAIN_SHUTOFF:
        return DomainState::off;
    default:
        return DomainState::unknown;
    }
}

Result<DomainFacts> domain_facts(std::string_view text) {
    const xml::Document document = xml::parse(text);
    DomainFacts facts;
    if (document) {
        facts.who.uuid = xml::value(document, "/domain/uuid");
        facts.who.name = xml::value(document, "/domain/name");
    }
    if (facts.who.uuid.empty())
        return fail(Errc::corrupt, "libvirt's description of a domain cannot be read");
    const auto current = xml::value(document, "/domain/vcpu/@current");
    facts.who.vcpus =
        number<unsigned>(current.empty() ? xml::value(document, "/domain/vcpu") : current);
    facts.who.given = memory_of(document);
    for (xmlNode* interface : xml::find(document, "/domain/devices/interface")) {
        for (xmlNode* child = interface->children; child != nullptr; child = child->next) {
            if (std::string_view(reinterpret_cast<const char*>(child->name)) != "target")
                continue;
            if (const std::string device = attribute(child, "dev"); !device.empty())
                facts.taps.push_back({device.c_str(), attribute(interface, "type") != "direct"});
        }
    }
    if (const auto ours = hypervisor::facts_from_xml(text)) {
        facts.who.desktop = ours->desktop;
        facts.who.session = ours->session;
    }
    return facts;
}

DesktopSample domain_stats(const virTypedParameter* parameters, int count, Moment moment) {
    DesktopSample sample;
    sample.at = moment;
    StatsReader reader(sample, moment);
    for (int i = 0; i < count; ++i)
        reader.read(parameters[i]);
    reader.finish();
    // a slot without a name was skipped over by libvirt: a disk without a medium
    std::erase_if(sample.disks, [](const DesktopDisk& disk) { return disk.target.view().empty(); });
    std::erase_if(sample.interfaces,
                  [](const NetCounters& one) { return one.net_name.view().empty(); });
    return sample;
}

} // namespace baton::sampling
