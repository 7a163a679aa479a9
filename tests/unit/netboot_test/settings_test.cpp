#include "unit/netboot_test/settings.h"

#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

namespace baton::netboot::testing {
namespace {

std::string complaint(const std::function<void(Settings&)>& change, Settings settings) {
    change(settings);
    const auto fine = check(settings);
    return fine ? "fine" : fine.error().message();
}

std::string complaint(const std::function<void(Settings&)>& change) {
    return complaint(change, own_range());
}

TEST(NetbootSettings, AreFineAsTheyAreMeant) {
    EXPECT_TRUE(check(own_range()));
    EXPECT_TRUE(check(proxied()));
}

TEST(NetbootSettings, NoInterfaceLoopbackAndWildcardsAreRefused) {
    EXPECT_THAT(complaint([](auto& s) { s.interfaces.clear(); }),
                ::testing::HasSubstr("no network interface"));
    EXPECT_THAT(complaint([](auto& s) { s.interfaces = {"lo"}; }), ::testing::HasSubstr("'lo'"));
    for (const char* name : {"", "*", "eth*", "eth1\nport=53", "eth1,eth0", "a b", "-x", ".",
                             "sixteen-letters-x", "eth1#", "eth1/"})
        EXPECT_NE(complaint([&](auto& s) { s.interfaces = {name}; }), "fine") << name;
    EXPECT_NE(complaint([](auto& s) { s.interfaces = {"clients", "lo"}; }), "fine");
    EXPECT_EQ(complaint([](auto& s) { s.interfaces = {"enp3s0.10", "br-room_1"}; }), "fine");
}

TEST(NetbootSettings, TheRangeIsInTheNetworkAndBesideTheServer) {
    EXPECT_NE(complaint([](auto& s) { s.range_first = "10.98.1.1"; }), "fine");
    EXPECT_NE(complaint([](auto& s) { std::swap(s.range_first, s.range_last); }), "fine");
    EXPECT_NE(complaint([](auto& s) { s.range_first = "10.98.0.1"; }), "fine");
    EXPECT_NE(complaint([](auto& s) { s.range_first = "10.98.0.100,static"; }), "fine");
    EXPECT_NE(complaint([](auto& s) { s.address = "127.0.0.1"; }), "fine");
    EXPECT_NE(complaint([](auto& s) { s.netmask = "255.0.255.0"; }), "fine");
    EXPECT_EQ(complaint([](auto& s) { s.range_first = "nonsense"; }, proxied()), "fine")
        << "without a range of its own there is none to be wrong";
}

TEST(NetbootSettings, WhatGoesToTheKernelCannotEndALineOfTheScript) {
    for (const char* text : {"a\nb", "${net0/mac}", "a || reboot", "a && b", "caf\xc3\xa9"})
        EXPECT_NE(complaint([&](auto& s) { s.kernel_arguments = text; }), "fine") << text;
    for (const char* text : {"http://10.98.0.1", "https://a b", "https://a\n", ""})
        EXPECT_NE(complaint([&](auto& s) { s.controller = text; }), "fine") << text;
    EXPECT_EQ(complaint([](auto& s) { s.kernel_arguments = "i915.modeset=1 debug"; }), "fine");
}

TEST(NetbootSettings, APrefixIsOneOfASixtyFour) {
    EXPECT_EQ(complaint([](auto& s) { s.ipv6_prefix = "fd98::"; }), "fine");
    for (const char* text : {"fd98::1", "fe80::", "::", "10.0.0.0", "ff02::", "fd98::,static"})
        EXPECT_NE(complaint([&](auto& s) { s.ipv6_prefix = text; }), "fine") << text;
}

TEST(NetbootSettings, AreReadAsTheyWereWritten) {
    auto settings = proxied();
    settings.kernel_by = KernelBy::tftp;
    settings.root_by = RootBy::nfs;
    settings.ipv6_prefix = "fd98::";
    EXPECT_EQ(settings_from_json(to_json(settings)).value(), settings);
    EXPECT_EQ(settings_from_json(to_json(Settings{})).value(), Settings{});
    settings.interfaces = {"lo"}; // by hand
    EXPECT_EQ(settings_from_json(to_json(settings)).error().code, Errc::invalid_argument);
}

RC_GTEST_PROP(NetbootSettings, ForeignTextIsRefusedOrFine, (const std::string& text)) {
    const auto settings = settings_from_json(text);
    if (settings && settings->enabled)
        RC_ASSERT(check(*settings).has_value());
}

RC_GTEST_PROP(NetbootSettings, AnInterfaceThatPassesIsOneWord, (const std::string& name)) {
    if (check_interface(name))
        RC_ASSERT(name.find_first_of(" \n\t,*=#\"") == std::string::npos && name != "lo");
}

TEST(NetbootSettings, TheNetworkOfAnAddress) {
    EXPECT_EQ(network_of("10.98.0.7", "255.255.255.0"), "10.98.0.0");
    EXPECT_EQ(network_of("10.98.5.7", "255.255.252.0"), "10.98.4.0");
}

} // namespace
} // namespace baton::netboot::testing
