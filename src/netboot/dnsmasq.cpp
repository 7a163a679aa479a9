#include "netboot/dnsmasq.h"

#include "netboot/script.h"

#include <algorithm>

namespace baton::netboot {

namespace {

void add_addresses(const Settings& settings, std::vector<DnsmasqOption>& options) {
    if (settings.dhcp == Dhcp::proxy) {
        options.push_back({"dhcp-range", network_of(settings.address, settings.netmask) +
                                             ",proxy," + settings.netmask});
        return;
    }
    options.push_back({"dhcp-authoritative", ""});
    options.push_back({"dhcp-range", settings.range_first + "," + settings.range_last + "," +
                                         settings.netmask + "," +
                                         std::to_string(settings.lease_minutes) + "m"});
    // it would ping each new address for 3 s, and serve nobody meanwhile: nobody else gives any
    // here
    options.push_back({"no-ping", ""});
    // without a value dnsmasq would tell its own address for both
    options.push_back(
        {"dhcp-option", "option:router" + (settings.router.empty() ? "" : "," + settings.router)});
    options.push_back(
        {"dhcp-option", "option:dns-server" + (settings.dns.empty() ? "" : "," + settings.dns)});
}

void add_boot_files(const Settings& settings, std::vector<DnsmasqOption>& options) {
    options.push_back({"dhcp-match", "set:ipxe,175"});
    options.push_back({"dhcp-userclass", "set:ipxe,iPXE"});
    // client architectures: IANA "Processor Architecture Types", 7 and 9 are both x86-64 UEFI
    options.push_back({"dhcp-match", "set:bios,option:client-arch,0"});
    options.push_back({"dhcp-match", "set:uefi,option:client-arch,7"});
    options.push_back({"dhcp-match", "set:uefi,option:client-arch,9"});
    if (settings.dhcp == Dhcp::proxy) {
        // a ROM asks port 4011 for these, by the type of its firmware
        const std::string bios(bios_loader);
        const std::string uefi(uefi_loader);
        options.push_back({"pxe-service", "tag:!ipxe,x86PC,Baton," + bios});
        options.push_back({"pxe-service", "tag:!ipxe,X86-64_EFI,Baton," + uefi});
        options.push_back({"pxe-service", "tag:!ipxe,BC_EFI,Baton," + uefi});
    } else {
        options.push_back({"dhcp-boot", "tag:!ipxe,tag:bios," + std::string(bios_loader)});
        options.push_back({"dhcp-boot", "tag:!ipxe,tag:uefi," + std::string(uefi_loader)});
    }
    // iPXE takes a proxy's file name only together with a next server
    options.push_back(
        {"dhcp-boot", "tag:ipxe," + script_place(settings) +
                          (settings.dhcp == Dhcp::proxy ? ",," + settings.address : "")});
}

} // namespace

Result<std::vector<DnsmasqOption>> configuration(const Settings& settings,
                                                 const DnsmasqPlaces& places) {
    BATON_TRY(check(settings));
    std::vector<DnsmasqOption> options{
        {"port", "0"}, // no DNS
        {"no-resolv", ""},       {"no-hosts", ""},          {"user", places.user},
        {"bind-interfaces", ""}, {"except-interface", "lo"}};
    std::string all;
    for (const auto& name : settings.interfaces) {
        options.push_back({"interface", name});
        all += (all.empty() ? "" : ",") + name;
    }
    add_addresses(settings, options);
    add_boot_files(settings, options);
    if (!settings.ipv6_prefix.empty()) {
        options.push_back({"enable-ra", ""});
        options.push_back({"dhcp-range", settings.ipv6_prefix + ",ra-only,64"});
        // often, as nobody may know the way on; never as a default router
        for (const auto& name : settings.interfaces)
            options.push_back({"ra-param", name + ",10,0"});
    }
    options.push_back({"enable-tftp", all});
    options.push_back({"tftp-root", places.tftp_root});
    options.push_back({"tftp-no-fail", ""});
    options.push_back({"dhcp-leasefile", places.lease_file});
    options.push_back({"log-dhcp", ""});
    options.push_back({"log-facility", "-"}); // to its standard error
    return options;
}

Result<std::string> to_text(const std::vector<DnsmasqOption>& options) {
    const auto has_control = [](const std::string& text) {
        return std::ranges::any_of(
            text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
    };
    std::string text = "# written by Baton at every start; docs/netboot.md\n";
    for (const auto& option : options) {
        if (option.name.empty() || has_control(option.name) || has_control(option.value))
            return fail(Errc::invalid_argument,
                        "the setting '" + option.name +
                            "' of dnsmasq has a line break or another control character");
        text += option.name + (option.value.empty() ? "" : "=" + option.value) + "\n";
    }
    return text;
}

std::vector<std::string> dnsmasq_words(const DnsmasqPlaces& places) {
    return {"dnsmasq", "--keep-in-foreground", "--conf-file=" + places.config_file, "--pid-file="};
}

process::Command dnsmasq_test(const DnsmasqPlaces& places) {
    process::Command command;
    command.words = {"dnsmasq", "--test", "--conf-file=" + places.config_file};
    return command;
}

} // namespace baton::netboot
