#include "netboot/dnsmasq.h"
#include "netboot/doctor.h"
#include "netboot/script.h"
#include "support/temporary_directory.h"
#include "unit/netboot_test/settings.h"

#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

#include <fstream>

namespace baton::netboot::testing {
namespace {

using baton::testing::TemporaryDirectory;
using ::testing::HasSubstr;

std::vector<std::uint8_t> an_offer(std::uint32_t transaction, std::uint8_t message = 2) {
    auto bytes = dhcp_discover({2, 0, 0, 0, 0, 1}, transaction);
    bytes.resize(240);
    bytes[0] = 2;
    bytes[16] = 192;
    bytes[17] = 168;
    bytes[19] = 50;
    const std::vector<std::uint8_t> options{53, 1, message, 0, 54,  4,  192, 168,
                                            0,  1, 67,      3, 'p', 27, 'x', 255};
    bytes.insert(bytes.end(), options.begin(), options.end());
    return bytes;
}

TEST(Dhcp, AnOfferSaysWhoAndWhat) {
    const auto offer = dhcp_offer(an_offer(7), 7, "192.168.0.9");
    ASSERT_TRUE(offer);
    EXPECT_EQ(*offer, (DhcpOffer{"192.168.0.1", "192.168.0.50", "p?x", false}));
}

TEST(Dhcp, AnythingElseIsNoOffer) {
    EXPECT_FALSE(dhcp_offer(an_offer(7), 8, ""));
    EXPECT_FALSE(dhcp_offer(an_offer(7, 5), 7, "")); // an acknowledgement
    auto question = dhcp_discover({2, 0, 0, 0, 0, 1}, 7);
    EXPECT_FALSE(dhcp_offer(question, 7, ""));
    const auto whole = an_offer(7);
    for (std::size_t cut = 0; cut < 243; ++cut)
        EXPECT_FALSE(dhcp_offer(std::span(whole).first(cut), 7, "")) << cut;
}

RC_GTEST_PROP(Dhcp, ForeignBytesHurtNobody,
              (std::vector<std::uint8_t> tail, std::uint8_t at, std::uint8_t byte)) {
    auto bytes = an_offer(7);
    bytes.resize(240);
    bytes.insert(bytes.end(), tail.begin(), tail.end());
    bytes[at % 240] = byte;
    if (const auto offer = dhcp_offer(bytes, 7, "10.0.0.1"))
        RC_ASSERT(std::ranges::all_of(offer->boot_file, [](char c) { return c > 0x20; }));
}

struct DoctorTest : ::testing::Test {
    TemporaryDirectory directory;
    Folder folder = Folder::open(directory.file("netboot")).value();
    DoctorDoors doors;
    std::vector<DhcpOffer> offers;
    InterfaceNow interface{true, {"10.98.0.1", "fd98::1"}};

    DoctorTest() {
        auto workshop = folder.workshop().value();
        for (const auto name : image_files)
            std::ofstream(workshop.folder() + "/" + std::string(name)) << name;
        EXPECT_TRUE(folder.publish(std::move(workshop), Manifest{}));
        for (const auto name : {bios_loader, uefi_loader})
            std::ofstream(folder.path() + "/" + std::string(name)) << name;
        auto settings = own_range();
        settings.ipv6_prefix = "fd98::";
        EXPECT_TRUE(folder.write(settings));
        doors.interface = [this](const std::string&) { return std::optional(interface); };
        doors.offers = [this](const std::string&) {
            return Result<std::vector<DhcpOffer>>(offers);
        };
        doors.http = [this](const std::string&) { return Result<std::string>(script()); };
        doors.tftp = [this](const std::string&, const std::string&) {
            return Result<std::string>(script().substr(0, 100));
        };
        doors.tcp = [](const std::string&, std::uint16_t) { return Result<void>(); };
    }

    std::string script() {
        return to_text(script_for(*folder.current().value(), folder.settings().value()));
    }

    /// What is not good, with its hint.
    std::string bad() {
        std::string text;
        for (const auto& finding : examine(folder, doors))
            if (finding.health != Health::good) {
                EXPECT_FALSE(finding.hint.empty()) << finding.text;
                text += finding.about + ": " + finding.text + "\n";
            }
        return text;
    }
};

TEST_F(DoctorTest, NothingIsWrong) {
    EXPECT_EQ(bad(), "");
    EXPECT_EQ(worst(examine(folder, doors)), Health::good);
}

TEST_F(DoctorTest, ASecondDhcpServer) {
    offers = {{"10.98.0.1", "10.98.0.101", "", false}, {"10.98.0.254", "10.98.0.7", "", false}};
    EXPECT_THAT(bad(), HasSubstr("a second DHCP server, 10.98.0.254, offers 10.98.0.7"));
}

TEST_F(DoctorTest, AProxyNeedsOneAndHasNoRival) {
    auto settings = proxied();
    settings.ipv6_prefix = "fd98::";
    ASSERT_TRUE(folder.write(settings));
    EXPECT_THAT(bad(), HasSubstr("nobody gives addresses"));
    offers = {{"10.98.0.254", "10.98.0.7", "", false}};
    EXPECT_EQ(bad(), "");
    offers[0].boot_file = "pxelinux.0";
    EXPECT_THAT(bad(), HasSubstr("pxelinux.0"));
}

TEST_F(DoctorTest, MissingAndDamagedFiles) {
    const auto image = folder.current().value()->id;
    const auto root = folder.path() + "/images/" + image + "/root.squashfs";
    std::filesystem::remove(root);
    EXPECT_THAT(bad(), HasSubstr("root.squashfs"));
    std::filesystem::remove(folder.path() + "/" + std::string(uefi_loader));
    EXPECT_THAT(bad(), HasSubstr("snponly.efi is missing"));
}

TEST_F(DoctorTest, ClosedPorts) {
    doors.tftp = [](const std::string&, const std::string&) -> Result<std::string> {
        return fail(Errc::timeout, "nobody answers at 10.98.0.1");
    };
    doors.http = [](const std::string&) -> Result<std::string> {
        return fail(Errc::unavailable, "nothing listens");
    };
    EXPECT_THAT(bad(), HasSubstr("TFTP, UDP port 69: nobody answers"));
    EXPECT_THAT(bad(), HasSubstr("HTTP, TCP port 8480: no answer"));
}

TEST_F(DoctorTest, InterfacesThatAreNotAsTheyShouldBe) {
    interface.addresses = {"10.98.0.1"};
    EXPECT_THAT(bad(), HasSubstr("iPXE waits some 15 s"));
    interface.addresses = {"10.98.0.2", "fd98::1"};
    EXPECT_THAT(bad(), HasSubstr("does not have the address 10.98.0.1"));
    interface.up = false;
    EXPECT_THAT(bad(), HasSubstr("is down"));
    doors.interface = [](const std::string&) { return std::optional<InterfaceNow>(); };
    EXPECT_THAT(bad(), HasSubstr("there is none of that name"));
}

TEST_F(DoctorTest, NotEnabledIsSaidAndNothingElseIsAsked) {
    ASSERT_TRUE(folder.write(Settings{}));
    doors = {};
    EXPECT_THAT(bad(), HasSubstr("not enabled"));
}

} // namespace
} // namespace baton::netboot::testing
