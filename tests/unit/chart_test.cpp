#include "chart/chart.h"

#include <gtest/gtest.h>
#include <libxml/parser.h>
#include <libxml/xpath.h>

namespace baton::chart {
namespace {

Chart cpu_chart() {
    Chart chart;
    chart.title = "CPU usage of <host1> & more";
    chart.y_label = "CPU usage";
    chart.y_unit = "%";
    chart.x_label = "time (UTC)";
    chart.y_most = 100;
    Line line{"CPU", {}};
    for (int i = 0; i < 600; ++i)
        line.points.push_back(
            {1'700'000'000.0 + i, i == 300 ? std::nullopt : std::optional<double>(i % 100)});
    chart.lines = {line, {"waiting for disks", {{1'700'000'010.0, 5}, {1'700'000'590.0, 50}}}};
    return chart;
}

/// How many nodes an XPath finds; -1: the text is no XML.
int count_of(const std::string& svg, const std::string& path) {
    xmlDoc* document = xmlReadMemory(svg.data(), static_cast<int>(svg.size()), "chart.svg", nullptr,
                                     XML_PARSE_NONET | XML_PARSE_NOERROR);
    if (document == nullptr)
        return -1;
    xmlXPathContext* context = xmlXPathNewContext(document);
    xmlXPathObject* found =
        xmlXPathEvalExpression(reinterpret_cast<const xmlChar*>(path.c_str()), context);
    const int count =
        found != nullptr && found->nodesetval != nullptr ? found->nodesetval->nodeNr : 0;
    xmlXPathFreeObject(found);
    xmlXPathFreeContext(context);
    xmlFreeDoc(document);
    return count;
}

TEST(Chart, TheSvgIsXmlWithAxesLegendAndOnePathALine) {
    const std::string svg = to_svg(cpu_chart(), Theme::both).value();
    EXPECT_EQ(count_of(svg, "//*[local-name()='path']"), 2);
    EXPECT_EQ(count_of(svg, "//*[local-name()='text' and .='waiting for disks']"), 1);
    EXPECT_EQ(count_of(svg, "//*[local-name()='text' and .='CPU usage (%)']"), 1);
    EXPECT_EQ(count_of(svg, "//*[local-name()='text' and .='100 %']"), 1);
    EXPECT_EQ(count_of(svg, "//*[local-name()='text' and .='time (UTC)']"), 1);
    EXPECT_EQ(count_of(svg, "//*[local-name()='title' and .='CPU usage of <host1> & more']"), 1);
}

TEST(Chart, ItFollowsTheViewersLightOrDarkOrIsOne) {
    EXPECT_NE(to_svg(cpu_chart(), Theme::both)->find("prefers-color-scheme: dark"),
              std::string::npos);
    const std::string dark = to_svg(cpu_chart(), Theme::dark).value();
    EXPECT_EQ(dark.find("prefers-color-scheme"), std::string::npos);
    EXPECT_NE(dark.find("#16181c"), std::string::npos);
    EXPECT_EQ(to_svg(cpu_chart(), Theme::light)->find("#16181c"), std::string::npos);
}

TEST(Chart, AGapBreaksTheLine) {
    const std::string svg = to_svg(cpu_chart(), Theme::light).value();
    EXPECT_EQ(count_of(svg, "//*[local-name()='path' and contains(substring-after(@d,'M'),'M')]"),
              1);
}

TEST(Chart, TheTerminalShowsUnitsLegendAndAFittingWidth) {
    const std::string text = to_text(cpu_chart(), 80, 16, false);
    for (const char* part :
         {"CPU usage of", "100 %", "0 %", "━━ CPU", "━━ waiting for disks", "22:1", "\xe2\xa0"})
        EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
    EXPECT_EQ(text.find('\033'), std::string::npos);
    EXPECT_NE(to_text(cpu_chart(), 80, 16, true).find("\033[34m"), std::string::npos);
    std::size_t begin = 0;
    while (begin < text.size()) {
        const std::size_t end = text.find('\n', begin);
        std::size_t width = 0;
        for (std::size_t i = begin; i < end; ++i)
            width += (static_cast<unsigned char>(text[i]) & 0xc0) != 0x80 ? 1 : 0;
        EXPECT_LE(width, 80U);
        begin = end + 1;
    }
}

TEST(Chart, MarksAreRoundAndReachTheLargest) {
    EXPECT_EQ(y_marks(97, "%", 5), (std::vector<double>{0, 20, 40, 60, 80, 100}));
    EXPECT_EQ(y_marks(0, "%", 5).back(), 1);
    const auto memory = y_marks(3.3 * 1024 * 1024 * 1024, "bytes", 4);
    EXPECT_EQ(memory.back(), 4.0 * 1024 * 1024 * 1024);
    EXPECT_EQ(quantity(memory.back(), "bytes"), "4 GiB");
    EXPECT_EQ(quantity(1'400'000, "bytes/s"), "1.4 MB/s");
    EXPECT_EQ(quantity(2473.9, "MB/s"), "2474 MB/s");
}

TEST(Chart, NothingToDrawIsDrawnWithoutALine) {
    Chart empty;
    EXPECT_EQ(count_of(to_svg(empty, Theme::both).value(), "//*[local-name()='path']"), 0);
    EXPECT_FALSE(to_text(empty, 10, 1, false).empty());
}

} // namespace
} // namespace baton::chart
