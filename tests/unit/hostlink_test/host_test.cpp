// What baton-hostd decides before anything is done: configuration, network, waiting times.
#include "hostlink/config.h"
#include "hostlink/desktop_network.h"
#include "net/dialer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace baton::hostlink {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Words = std::vector<std::string>;

// ---- subnets ------------------------------------------------------------------------------------

TEST(Subnet, IsReadAndWritten) {
    const auto subnet = parse_subnet("10.101.2.0/24").value();
    EXPECT_EQ(subnet.text(), "10.101.2.0/24");
    EXPECT_EQ(subnet.mask(), "255.255.255.0");
    EXPECT_EQ(subnet.address(1), "10.101.2.1");
    EXPECT_EQ(subnet.size(), 256U);
    EXPECT_EQ(parse_subnet("10.0.0.8/29")->mask(), "255.255.255.248");
    EXPECT_EQ(parse_subnet("10.7.0.0/16")->address(300), "10.7.1.44");
}

TEST(Subnet, SaysWhatIsWrong) {
    for (const auto* text :
         {"", "10.101.2.0", "10.101.2.0/", "10.101.2/24", "10.101.256.0/24", "10.101.2.0/24 ",
          "10.101.2.0/33", "10.101.2.0/30", "10.0.0.0/8", "-1.0.0.0/24", "a.b.c.d/24"}) {
        const auto subnet = parse_subnet(text);
        ASSERT_FALSE(subnet) << text;
        EXPECT_EQ(subnet.error().code, Errc::invalid_argument);
    }
    EXPECT_THAT(parse_subnet("10.101.2.7/24").error().what, HasSubstr("10.101.2.0/24"));
}

TEST(Subnet, AnyOneSurvives) {
    EXPECT_TRUE(rc::check("there and back", [](std::uint32_t bits) {
        Subnet subnet;
        subnet.prefix = *rc::gen::inRange(16U, 30U);
        subnet.base = bits & ~(subnet.size() - 1U);
        RC_ASSERT(parse_subnet(subnet.text()).value() == subnet);
    }));
}

// ---- the network --------------------------------------------------------------------------------

DesktopNetwork example() {
    return {"baton", "baton0", *parse_subnet("10.101.1.0/24"), "10.99.0.1"};
}

TEST(DesktopNetwork, IsRoutedAndLeavesTheFirewallAlone) {
    EXPECT_EQ(network_xml(example()), R"(<network>
  <name>baton</name>
  <forward mode="open"/>
  <bridge name="baton0" stp="off" delay="0"/>
  <ip address="10.101.1.1" netmask="255.255.255.0">
    <dhcp>
      <range start="10.101.1.2" end="10.101.1.254"/>
    </dhcp>
  </ip>
</network>)");
}

TEST(DesktopNetwork, IsRecognisedAgain) {
    auto back = network_from_xml(network_xml(example())).value();
    back.gateway = example().gateway;
    EXPECT_EQ(back, example());
    EXPECT_EQ(network_from_xml("<network/>").error().code, Errc::corrupt);
    EXPECT_EQ(network_from_xml("none").error().code, Errc::corrupt);
}

TEST(DesktopNetwork, WhatComesFromTheBridgeGoesToTheBootServer) {
    EXPECT_THAT(routing_commands(example(), R"([{"priority":0,"src":"all","table":"local"}])"),
                ElementsAre(Words{"ip", "-4", "route", "replace", "10.101.1.0/24", "dev", "baton0",
                                  "table", "7101"},
                            Words{"ip", "-4", "route", "replace", "default", "via", "10.99.0.1",
                                  "table", "7101"},
                            Words{"ip", "-4", "rule", "add", "priority", "7101", "iif", "baton0",
                                  "lookup", "7101"}));
    auto plain = example();
    plain.gateway.clear();
    EXPECT_THAT(routing_commands(plain, "[]"), IsEmpty());
}

TEST(DesktopNetwork, TheRuleIsMadeOnceAndAnOldBridgesGoes) {
    const auto again = routing_commands(
        example(), R"([{"priority":7101,"src":"all","iif":"baton0","table":"7101"}])");
    EXPECT_EQ(again.size(), 2U);
    const auto other =
        routing_commands(example(), R"([{"priority":7101,"src":"all","iif":"old0","table":"7101"},
                       {"priority":9,"src":"all","iif":"theirs","table":"9"}])");
    ASSERT_EQ(other.size(), 4U);
    EXPECT_EQ(other[2], (Words{"ip", "-4", "rule", "delete", "iif", "old0", "lookup", "7101"}));
    EXPECT_EQ(routing_commands(example(), "no JSON").size(), 3U);
}

// ---- configuration ------------------------------------------------------------------------------

TEST(HostConfig, NeedsOnlyItsController) {
    const auto config =
        parse_host_config("[controller]\nurl = \"https://10.99.0.1:8443\"", "h.toml").value();
    EXPECT_EQ(config.controller_url, "https://10.99.0.1:8443");
    EXPECT_EQ(config.images_folder, "/var/lib/baton-host/images");
    EXPECT_FALSE(config.memory);
    EXPECT_FALSE(config.network);
    EXPECT_TRUE(config.allow_kvm);
    EXPECT_EQ(config.relay_port, 5899);
    EXPECT_FALSE(config.gateways);
}

TEST(HostConfig, ReadsEverything) {
    const auto config = parse_host_config(R"(
[controller]
url = "https://10.99.0.1:8443"
[host]
state_dir = "/srv/host"
memory = "12GiB"
screen_address = "10.99.0.11"
overlay_limit = "2GiB"
[libvirt]
uri = "qemu:///session"
kvm = false
[images]
folder = "/srv/images"
[screens]
port = 7000
gateways = "10.96.0.0/24"
[network]
subnet = "10.101.1.0/24"
bridge = "desktops"
name = "desks"
[redistribution]
cpu_shares = false
[monitor]
interval_ms = 500
guest_interval_ms = 5000
metrics = "127.0.0.1:9178"
[log]
level = "debug"
)",
                                          "h.toml")
                            .value();
    EXPECT_EQ(config.memory, 12_GiB);
    EXPECT_EQ(config.overlay_limit, 2_GiB);
    EXPECT_EQ(config.screen_address, "10.99.0.11");
    EXPECT_FALSE(config.allow_kvm);
    EXPECT_EQ(config.network, (DesktopNetwork{"desks", "desktops", *parse_subnet("10.101.1.0/24"),
                                              "10.99.0.1"})); // the controller's own address
    EXPECT_TRUE(config.monitor);
    EXPECT_EQ(config.relay_port, 7000);
    EXPECT_EQ(config.gateways, *parse_subnet("10.96.0.0/24"));
    EXPECT_FALSE(config.cpu_shares);
    EXPECT_EQ(config.monitor_interval, std::chrono::milliseconds(500));
    EXPECT_EQ(config.guest_interval, std::chrono::seconds(5));
    EXPECT_EQ(config.metrics, "127.0.0.1:9178");
    EXPECT_EQ(config.log_level, "debug");
}

TEST(HostConfig, SaysWhatIsWrongAndWhere) {
    const std::string start = "[controller]\nurl = \"https://10.99.0.1:8443\"\n";
    const auto wrong = [](const std::string& text) {
        const auto config = parse_host_config(text, "h.toml");
        EXPECT_FALSE(config) << text;
        return config ? std::string() : config.error().what;
    };
    EXPECT_THAT(wrong(""), HasSubstr("lacks its url"));
    EXPECT_THAT(wrong("x = = 1"), HasSubstr("h.toml:1: "));
    EXPECT_THAT(wrong("[controller]\nurl = \"http://10.99.0.1\""), HasSubstr("no https address"));
    EXPECT_THAT(wrong(start + "[host]\nmemry = \"1GiB\""),
                HasSubstr("h.toml, line 4: 'host.memry' is not a key"));
    EXPECT_THAT(wrong(start + "[host]\nmemory = 5"), HasSubstr("'host.memory' must be a text"));
    EXPECT_THAT(wrong(start + "[host]\nmemory = \"5\""), HasSubstr("line 4: 'host.memory'"));
    EXPECT_THAT(wrong(start + "[host]\nstate_dir = \"here\""), HasSubstr("absolute"));
    EXPECT_THAT(wrong(start + "[host]\nscreen_address = \"host1\""), HasSubstr("IPv4"));
    EXPECT_THAT(wrong(start + "[network]\nbridge = \"b\""), HasSubstr("lacks the subnet"));
    EXPECT_THAT(
        wrong(start + "[network]\nbridge = \"far-too-long-a-name\"\nsubnet=\"10.1.1.0/24\""),
        HasSubstr("1 to 15"));
    EXPECT_THAT(wrong(start + "[network]\nexisting_bridge = \"br0\"\nsubnet = \"10.1.1.0/24\""),
                HasSubstr("as well"));
    EXPECT_THAT(wrong(start + "[log]\nlevel = \"loud\""), HasSubstr("debug, info"));
    EXPECT_THAT(wrong(start + "[monitor]\ninterval_ms = 5"), HasSubstr("100 to 60000"));
    EXPECT_THAT(wrong(start + "[monitor]\nmetrics = \"here\""), HasSubstr("127.0.0.1:9178"));
    EXPECT_THAT(wrong(start + "[libvirt]\nkvm = \"no\""), HasSubstr("true or false"));
    EXPECT_THAT(wrong(start + "[screens]\nport = 0"), HasSubstr("1 to 65535"));
    EXPECT_THAT(wrong(start + "[screens]\nport = \"5899\""), HasSubstr("1 to 65535"));
    EXPECT_THAT(wrong(start + "[screens]\nport = 6000"), HasSubstr("desktops' own screens"));
    EXPECT_THAT(wrong(start + "[screens]\ngateways = \"10.96.0.1/24\""), HasSubstr("line 4"));
    EXPECT_THAT(wrong("top = 1\n" + start), HasSubstr("'top' is not a key"));
}

// ---- waiting ------------------------------------------------------------------------------------

TEST(Backoff, GrowsToItsMostAndBeginsAnew) {
    using namespace std::chrono_literals;
    net::Backoff backoff(100ms, 1000ms);
    EXPECT_EQ(backoff.next(0.0), 50ms);
    EXPECT_EQ(backoff.next(0.0), 100ms);
    EXPECT_EQ(backoff.next(0.999), 399ms);
    EXPECT_EQ(backoff.next(0.0), 400ms);
    EXPECT_EQ(backoff.next(0.0), 500ms);
    EXPECT_EQ(backoff.next(0.0), 500ms);
    backoff.reset();
    EXPECT_EQ(backoff.next(0.0), 50ms);
    backoff.slow();
    EXPECT_EQ(backoff.next(0.0), 500ms);
}

} // namespace
} // namespace baton::hostlink
