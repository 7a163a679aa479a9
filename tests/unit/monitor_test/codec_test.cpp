/// Readings as JSON and as CSV.
#include "monitor/codec.h"
#include "monitor/fields.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <gtest/gtest.h>

namespace baton::monitor {
namespace {

namespace json = boost::json;

/// Every value another one.
Reading full() {
    Reading reading;
    reading.host = HostId("host1");
    reading.address = "10.0.0.1";
    reading.wall = WallTime(std::chrono::milliseconds(1'700'000'000'123));
    reading.at = {987'654'321};
    double next = 0.5;
    const auto fill = [&](std::string_view, Value& value) { value = next++; };
    reading.rates.seconds = 1;
    reading.rates.processors = 4;
    each_host_value(reading.rates, fill);
    reading.rates.disks.resize(1);
    reading.rates.disks[0].name = "vda";
    each_disk_value(reading.rates.disks[0], fill);
    reading.rates.interfaces.resize(1);
    reading.rates.interfaces[0].name = "eth0";
    reading.rates.interfaces[0].physical = true;
    each_interface_value(reading.rates.interfaces[0], fill);
    DesktopReading& desktop = reading.desktops.emplace_back();
    desktop.wall = reading.wall;
    desktop.who = {"u-1", "a \"name\", odd", DesktopId("d-1"),    SessionId("s-1"),
                   2,     Mebibytes(512),    DomainState::running};
    desktop.rates.seconds = 1;
    each_desktop_value(desktop.rates, fill);
    return reading;
}

TEST(ReadingsAsJson, ComeBackAsTheyWere) {
    const Reading reading = full();
    const std::string text = json::serialize(to_json(reading));
    const auto back = reading_from_json(json::parse(text).as_object());
    ASSERT_TRUE(back) << back.error().message();
    EXPECT_EQ(*back, reading);
}

TEST(ReadingsAsJson, NoValueIsNoField) {
    Reading reading;
    const json::object object = to_json(reading);
    EXPECT_FALSE(object.at("usage").as_object().contains("cpu_percent"));
    const auto back = reading_from_json(object);
    ASSERT_TRUE(back) << back.error().message();
    EXPECT_EQ(back->rates.cpu_percent, Columns{});
}

TEST(ReadingsAsJson, WhoLiesIsRefused) {
    const std::string good = json::serialize(to_json(full()));
    const auto with = [&](std::string_view from, std::string_view to) {
        std::string text = good;
        const auto place = text.find(from);
        EXPECT_NE(place, std::string::npos) << from;
        text.replace(place, from.size(), to);
        return reading_from_json(json::parse(text).as_object());
    };
    EXPECT_TRUE(with("\"host1\"", "\"host2\""));
    EXPECT_FALSE(with("\"host1\"", "7"));
    EXPECT_FALSE(with("\"host\":", "\"hosts\":"));
    EXPECT_FALSE(with("1700000000123", "-1"));
    EXPECT_FALSE(with("\"vcpus\":2", "\"vcpus\":-2"));
    EXPECT_FALSE(with("\"physical\":true", "\"physical\":\"yes\""));
    EXPECT_FALSE(with("\"cpu_percent\":5E-1", "\"cpu_percent\":\"all\""));
    EXPECT_FALSE(with("\"vda\"", "\"a disk whose name is longer than any disk's name may be\""));
    EXPECT_FALSE(reading_from_json({}));
}

TEST(ReadingsAsCsv, EveryLineHasEveryColumn) {
    const auto columns = [](std::string_view line) {
        bool quoted = false;
        int count = 1;
        for (const char c : line) {
            quoted = quoted != (c == '"');
            count += c == ',' && !quoted ? 1 : 0;
        }
        return count;
    };
    const std::string header = csv_header();
    const std::string text = to_csv(full());
    const auto end = text.find('\n');
    EXPECT_EQ(columns(text.substr(0, end)), columns(header));
    EXPECT_EQ(columns(text.substr(end + 1)), columns(header));
    EXPECT_TRUE(text.starts_with("2023-11-14T22:13:20.123Z,host1,host,host1,"));
    EXPECT_NE(text.find("\"a \"\"name\"\", odd\""), std::string::npos);
}

} // namespace
} // namespace baton::monitor
