#include "netboot/dnsmasq.h"
#include "netboot/script.h"
#include "netboot/supervisor.h"
#include "unit/netboot_test/settings.h"

#include <gmock/gmock.h>

namespace baton::netboot::testing {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

using Options = std::vector<DnsmasqOption>;

const DnsmasqPlaces places{"/srv/netboot", "/run/x/leases", "/run/x/dnsmasq.conf"};

std::vector<DnsmasqOption> options_of(const Settings& settings) {
    return configuration(settings, places).value();
}

std::vector<std::string> values_of(const std::vector<DnsmasqOption>& options,
                                   const std::string& name) {
    std::vector<std::string> values;
    for (const auto& option : options)
        if (option.name == name)
            values.push_back(option.value);
    return values;
}

TEST(Dnsmasq, KeepsNobodyWaitingForAPing) {
    EXPECT_THAT(options_of(own_range()), Contains(DnsmasqOption{"no-ping", ""}));
}

TEST(Dnsmasq, IsBoundToItsInterfacesAndToNoOther) {
    for (auto settings : {own_range(), proxied()}) {
        settings.interfaces = {"clients", "room2"};
        const auto options = options_of(settings);
        EXPECT_THAT(options, Contains(DnsmasqOption{"bind-interfaces", ""}));
        EXPECT_THAT(options, Contains(DnsmasqOption{"except-interface", "lo"}));
        EXPECT_THAT(options, Contains(DnsmasqOption{"port", "0"}));
        EXPECT_EQ(values_of(options, "interface"), (std::vector<std::string>{"clients", "room2"}));
        EXPECT_EQ(values_of(options, "enable-tftp"), std::vector<std::string>{"clients,room2"});
        for (const char* never : {"listen-address", "bind-dynamic", "conf-dir", "dhcp-script"})
            EXPECT_TRUE(values_of(options, never).empty()) << never;
    }
}

TEST(Dnsmasq, RefusesWhatCheckRefuses) {
    auto settings = own_range();
    settings.interfaces.clear();
    EXPECT_EQ(configuration(settings, places).error().code, Errc::invalid_argument);
    settings.interfaces = {"lo"};
    EXPECT_EQ(configuration(settings, places).error().code, Errc::invalid_argument);
}

TEST(Dnsmasq, NoOptionBreaksItsLine) {
    EXPECT_EQ(to_text(Options{{"tftp-root", "/srv/a\nport=53"}}).error().code,
              Errc::invalid_argument);
    EXPECT_EQ(to_text(Options{{"user\n", "x"}}).error().code, Errc::invalid_argument);
    EXPECT_THAT(to_text(Options{{"port", "0"}, {"no-hosts", ""}}).value(),
                ::testing::EndsWith("port=0\nno-hosts\n"));
}

TEST(Dnsmasq, GivesAddressesOutOfItsRange) {
    const auto options = options_of(own_range());
    EXPECT_EQ(values_of(options, "dhcp-range"),
              std::vector<std::string>{"10.98.0.100,10.98.0.200,255.255.255.0,60m"});
    EXPECT_THAT(options, Contains(DnsmasqOption{"dhcp-authoritative", ""}));
    EXPECT_EQ(values_of(options, "dhcp-boot"),
              (std::vector<std::string>{"tag:!ipxe,tag:bios,loaders/undionly.kpxe",
                                        "tag:!ipxe,tag:uefi,loaders/snponly.efi",
                                        "tag:ipxe,http://10.98.0.1:8480/netboot/boot.ipxe"}));
    EXPECT_THAT(values_of(options, "dhcp-match"), Contains("set:ipxe,175"));
    EXPECT_THAT(values_of(options, "dhcp-userclass"), Contains("set:ipxe,iPXE"));
}

TEST(Dnsmasq, GivesNoAddressesAsAProxy) {
    const auto options = options_of(proxied());
    EXPECT_EQ(values_of(options, "dhcp-range"),
              std::vector<std::string>{"10.98.0.0,proxy,255.255.255.0"});
    EXPECT_TRUE(values_of(options, "dhcp-authoritative").empty());
    EXPECT_EQ(
        values_of(options, "dhcp-boot"),
        std::vector<std::string>{"tag:ipxe,http://10.98.0.1:8480/netboot/boot.ipxe,,10.98.0.1"});
    EXPECT_THAT(values_of(options, "pxe-service"),
                Contains("tag:!ipxe,x86PC,Baton,loaders/undionly.kpxe"));
    EXPECT_THAT(values_of(options, "pxe-service"),
                Contains("tag:!ipxe,X86-64_EFI,Baton,loaders/snponly.efi"));
}

TEST(Dnsmasq, AdvertisesAPrefixAndNoWayOn) {
    EXPECT_TRUE(values_of(options_of(own_range()), "enable-ra").empty());
    auto settings = proxied();
    settings.ipv6_prefix = "fd98::";
    const auto options = options_of(settings);
    EXPECT_THAT(values_of(options, "dhcp-range"), Contains("fd98::,ra-only,64"));
    EXPECT_EQ(values_of(options, "ra-param"), std::vector<std::string>{"clients,10,0"});
}

TEST(Dnsmasq, TftpNamesTheScriptByItsPath) {
    auto settings = own_range();
    settings.kernel_by = KernelBy::tftp;
    EXPECT_THAT(values_of(options_of(settings), "dhcp-boot"), Contains("tag:ipxe,boot.ipxe"));
}

TEST(Dnsmasq, IsStartedWithItsFileAndNoOther) {
    EXPECT_EQ(dnsmasq_words(places),
              (std::vector<std::string>{"dnsmasq", "--keep-in-foreground",
                                        "--conf-file=/run/x/dnsmasq.conf", "--pid-file="}));
    EXPECT_EQ(dnsmasq_test(places).words,
              (std::vector<std::string>{"dnsmasq", "--test", "--conf-file=/run/x/dnsmasq.conf"}));
}

TEST(BootScript, NamesKernelRootAndHash) {
    const auto image = an_image();
    const auto script = script_for(image, own_range());
    const auto folder = "http://10.98.0.1:8480/netboot/images/" + image.id;
    EXPECT_EQ(script.kernel, folder + "/kernel");
    EXPECT_EQ(script.initrd, folder + "/initrd");
    EXPECT_EQ(script.arguments, "console=tty0 quiet baton.image=" + image.id + " baton.root=" +
                                    folder + "/root.squashfs baton.sha256=" + std::string(64, 'a') +
                                    " baton.controller=https://10.98.0.1:8443");
    const auto text = to_text(script);
    EXPECT_TRUE(text.starts_with("#!ipxe\n"));
    EXPECT_THAT(text, HasSubstr("kernel " + script.kernel + " " + script.arguments +
                                " BOOTIF=01-${netX/mac:hexhyp} initrd=initrd"));
}

TEST(BootScript, ThePapersWayIsTftpAndNfs) {
    const auto image = an_image();
    auto settings = own_range();
    settings.kernel_by = KernelBy::tftp;
    settings.root_by = RootBy::nfs;
    settings.kernel_arguments = "debug";
    const auto script = script_for(image, settings);
    EXPECT_EQ(script.kernel, "tftp://10.98.0.1/images/" + image.id + "/kernel");
    EXPECT_THAT(script.arguments, HasSubstr("baton.root=nfs://10.98.0.1/netboot/images/" +
                                            image.id + "/root.squashfs "));
    EXPECT_TRUE(script.arguments.ends_with(" debug"));
}

TEST(Supervisor, WaitsLongerTheOftenerItFails) {
    EXPECT_EQ(pause_after(1), std::chrono::seconds(1));
    EXPECT_EQ(pause_after(2), std::chrono::seconds(2));
    EXPECT_EQ(pause_after(4), std::chrono::seconds(8));
    EXPECT_EQ(pause_after(1000), std::chrono::seconds(30));
}

} // namespace
} // namespace baton::netboot::testing
