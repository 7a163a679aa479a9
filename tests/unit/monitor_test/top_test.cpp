/// `baton top` at every width, and /metrics.
#include "monitor/prometheus.h"
#include "monitor/top_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace baton::monitor {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

DesktopReading desktop(const std::string& name, double cpu, double memory) {
    DesktopReading one;
    one.who.uuid = "uuid-" + name;
    one.who.name = name;
    one.who.session = SessionId("s-" + name);
    one.who.given = Mebibytes(512);
    one.who.state = DomainState::running;
    one.rates.cpu_percent_of_vcpus = cpu;
    one.rates.memory_used_bytes = memory * 1024 * 1024;
    return one;
}

std::vector<Seen> site() {
    Seen seen;
    seen.reading.host = HostId("host1");
    seen.reading.rates.processors = 4;
    seen.reading.rates.cpu_percent.corrected = 42.5;
    seen.reading.desktops = {desktop("alpha", 10, 300), desktop("beta", 90, 100),
                             desktop("gamma", 50, 200)};
    seen.users = {{"s-alpha", "kim"}, {"s-beta", "lee"}};
    return {seen};
}

std::vector<std::string> names(const TopView& view, const TopOptions& options) {
    std::vector<std::string> all;
    for (const TopLine& line : view.lines(options))
        if (line.kind == TopLine::Kind::desktop)
            all.push_back(line.text.substr(0, line.text.find(' ')));
    return all;
}

std::size_t width_of(std::string_view text) {
    return static_cast<std::size_t>(
        std::ranges::count_if(text, [](char c) { return (c & 0xC0) != 0x80; }));
}

TEST(Top, SortsByWhatIsAskedFor) {
    TopView view;
    view.add(site());
    TopOptions options;
    using Names = std::vector<std::string>;
    EXPECT_EQ(names(view, options), (Names{"beta", "gamma", "alpha"}));
    options.sort = TopSort::memory;
    EXPECT_EQ(names(view, options), (Names{"alpha", "gamma", "beta"}));
    options.reverse = true;
    EXPECT_EQ(names(view, options), (Names{"beta", "gamma", "alpha"}));
    options.reverse = false;
    options.sort = TopSort::user;
    EXPECT_EQ(names(view, options), (Names{"gamma", "alpha", "beta"}));
    EXPECT_EQ(top_sort_from_string("disk"), TopSort::disk);
    EXPECT_EQ(top_sort_from_string("colour").error().code, Errc::invalid_argument);
}

TEST(Top, TellsTheLevelOfADesktopThatHasOne) {
    TopView view;
    auto seen = site();
    seen[0].reading.desktops[1].who.desktop = DesktopId("d-beta");
    seen[0].levels = {{"d-beta", 2}};
    view.add(seen);
    TopOptions options;
    options.width = 120;
    std::map<std::string, std::string> levels;
    std::size_t column = 0;
    for (const TopLine& line : view.lines(options)) {
        if (line.kind == TopLine::Kind::heading)
            column = line.text.find("LVL");
        else if (line.kind == TopLine::Kind::desktop)
            levels[line.text.substr(0, line.text.find(' '))] = line.text.substr(column, 3);
    }
    EXPECT_EQ(levels, (std::map<std::string, std::string>{
                          {"alpha", "  -"}, {"beta", "  2"}, {"gamma", "  -"}}));
}

TEST(Top, FiltersByNameUserHostAndState) {
    TopView view;
    view.add(site());
    TopOptions options;
    using Names = std::vector<std::string>;
    options.filter = "KIM";
    EXPECT_EQ(names(view, options), Names{"alpha"});
    options.filter = "host1";
    EXPECT_EQ(names(view, options).size(), 3U);
    options.filter = "nobody";
    EXPECT_TRUE(names(view, options).empty());
}

TEST(Top, NoLineIsWiderThanTheTerminal) {
    TopView view;
    auto seen = site();
    seen[0].reading.desktops[0].who.name = "김철수의 아주 긴 이름을 가진 데스크톱 가상머신";
    view.add(seen);
    for (unsigned width = 1; width < 250; ++width) {
        TopOptions options;
        options.width = width;
        for (const TopLine& line : view.lines(options))
            ASSERT_EQ(width_of(line.text), width) << line.text;
    }
}

TEST(Top, ANarrowTerminalKeepsWhatMattersMost) {
    TopView view;
    view.add(site());
    TopOptions options;
    options.width = 40;
    const auto lines = view.lines(options);
    EXPECT_THAT(lines[1].text, HasSubstr("NAME"));
    EXPECT_THAT(lines[1].text, HasSubstr("CPU%"));
    EXPECT_THAT(lines[1].text, Not(HasSubstr("HOST")));
    EXPECT_THAT(lines[1].text, Not(HasSubstr("RX")));
}

TEST(Top, AHostThatIsSilentIsToldSoAndShowsNothingOld) {
    TopView view;
    auto seen = site();
    seen[0].age_ms = 60'000;
    view.add(seen);
    const auto lines = view.lines({});
    EXPECT_EQ(lines[0].kind, TopLine::Kind::stale);
    EXPECT_THAT(lines[0].text, HasSubstr("host1: nothing heard for 60 s"));
    EXPECT_EQ(lines.size(), 2U);
}

TEST(Top, ControlCharactersStayOutOfTheTerminal) {
    TopView view;
    auto seen = site();
    seen[0].reading.desktops[0].who.name = "a\x1b[2J";
    view.add(seen);
    for (const TopLine& line : view.lines({}))
        EXPECT_EQ(line.text.find('\x1b'), std::string::npos);
}

TEST(Sparkline, HasGapsWhereNothingIsKnown) {
    EXPECT_EQ(TopView::sparkline({0.0, std::nullopt, 50.0, 100.0, 1000.0}, 6, true), " ▁ ▅██");
    EXPECT_EQ(TopView::sparkline({0.0, 100.0}, 2, false), "_#");
    EXPECT_EQ(TopView::sparkline({1.0, 2.0, 99.0}, 1, true), "█");
}

TEST(ShortNumbers, FitTheirColumn) {
    EXPECT_EQ(short_number(std::nullopt, 1024), "-");
    EXPECT_EQ(short_number(0.0, 1024), "0");
    EXPECT_EQ(short_number(1023.0, 1024), "1023");
    EXPECT_EQ(short_number(1536.0, 1024), "1.5K");
    EXPECT_EQ(short_number(512.0 * 1024 * 1024, 1024), "512M");
    EXPECT_EQ(short_number(999.9, 1000), "1.0K");
    EXPECT_EQ(short_number(123456789.0, 1000), "123M");
}

TEST(Metrics, EscapesAndKeepsFamiliesTogether) {
    Exposition page;
    page.family("baton_a_bytes", Exposition::Kind::gauge, "A.");
    page.sample({{"name", "a\"b\\c\nd"}}, 1.5);
    page.family("baton_none_total", Exposition::Kind::counter, "Nobody has one.");
    page.family("baton_b_total", Exposition::Kind::counter, "B.");
    page.sample({}, std::uint64_t{18'446'744'073'709'551'615U});
    EXPECT_EQ(std::move(page).text(), "# HELP baton_a_bytes A.\n# TYPE baton_a_bytes gauge\n"
                                      "baton_a_bytes{name=\"a\\\"b\\\\c\\nd\"} 1.5\n"
                                      "# HELP baton_b_total B.\n# TYPE baton_b_total counter\n"
                                      "baton_b_total 18446744073709551615\n");
}

TEST(Metrics, WhatIsNotKnownIsNotThere) {
    HostSample sample; // nothing could be read
    Exposition page;
    expose_counters(page, HostId("host1"), sample, {});
    EXPECT_EQ(std::move(page).text(),
              "# HELP baton_host_desktops Virtual machines that run on the host.\n"
              "# TYPE baton_host_desktops gauge\nbaton_host_desktops{host=\"host1\"} 0\n");
}

} // namespace
} // namespace baton::monitor
