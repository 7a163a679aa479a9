#include "chart/axes.h"

#include <fmt/format.h>
#include <libxml/tree.h>

#include <array>
#include <memory>

namespace baton::chart {
namespace {

constexpr double width = 800, height = 420;
constexpr double left = 84, right = 24, top = 48, bottom = 84;

struct Colours {
    const char *paper, *ink, *faint;
    std::array<const char*, 6> lines;
};

// told apart by people who see colours differently, on either paper (after Okabe and Ito)
constexpr Colours light{"#ffffff",
                        "#222222",
                        "#d8d8d8",
                        {"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b58900", "#56b4e9"}};
constexpr Colours dark{"#16181c",
                       "#e6e6e6",
                       "#3a3f47",
                       {"#56b4e9", "#ff8c42", "#2fd0a0", "#e9a3cd", "#f0e442", "#9ad7ff"}};

std::string rules(const Colours& colours) {
    std::string css = fmt::format(".paper{{fill:{}}}.ink{{fill:{}}}.axis{{stroke:{};fill:none}}"
                                  ".grid{{stroke:{};fill:none}}",
                                  colours.paper, colours.ink, colours.ink, colours.faint);
    for (std::size_t i = 0; i < colours.lines.size(); ++i)
        css += fmt::format(".l{}{{stroke:{};fill:none}}", i, colours.lines[i]);
    return css;
}

std::string style(Theme theme) {
    switch (theme) {
    case Theme::light:
        return rules(light);
    case Theme::dark:
        return rules(dark);
    case Theme::both:
        break;
    }
    return rules(light) + "@media (prefers-color-scheme: dark){" + rules(dark) + "}";
}

const xmlChar* xml(const std::string& text) {
    return reinterpret_cast<const xmlChar*>(text.c_str());
}

using Attributes = std::vector<std::pair<const char*, std::string>>;

/// A new child with attributes and, maybe, text; libxml2 escapes both.
xmlNode* add(xmlNode* parent, const char* name, const Attributes& attributes,
             const std::string& text = {}) {
    xmlNode* node = xmlNewTextChild(parent, nullptr, xml(name), text.empty() ? nullptr : xml(text));
    for (const auto& [key, value] : attributes)
        xmlNewProp(node, xml(key), xml(value));
    return node;
}

std::string number(double value) {
    return fmt::format("{:.1f}", value);
}

class Drawing {
  public:
    Drawing(const Chart& chart, xmlNode* root)
        : chart_(chart), frame_(frame_of(chart, 8, 5)), root_(root) {}

    void draw() {
        add(root_, "title", {}, chart_.title);
        add(root_, "rect", {{"class", "paper"}, {"width", "100%"}, {"height", "100%"}});
        word(width / 2, 26, "middle", chart_.title, "16");
        grid();
        for (std::size_t i = 0; i < chart_.lines.size(); ++i)
            line(i);
        legend();
    }

  private:
    [[nodiscard]] double x_of(double measured_x) const {
        return left + frame_.across(measured_x) * (width - left - right);
    }

    [[nodiscard]] double y_of(double y) const {
        return height - bottom - y / frame_.most * (height - top - bottom);
    }

    xmlNode* word(double x, double y, const char* anchor, const std::string& text,
                  const char* size = "12") {
        return add(root_, "text",
                   {{"class", "ink"},
                    {"x", number(x)},
                    {"y", number(y)},
                    {"text-anchor", anchor},
                    {"font-size", size}},
                   text);
    }

    void rule(const char* kind, double x1, double y1, double x2, double y2) {
        add(root_, "line",
            {{"class", kind},
             {"x1", number(x1)},
             {"y1", number(y1)},
             {"x2", number(x2)},
             {"y2", number(y2)}});
    }

    void grid() {
        for (const Mark& mark : frame_.y_marks) {
            rule("grid", left, y_of(mark.at), width - right, y_of(mark.at));
            word(left - 8, y_of(mark.at) + 4, "end", mark.label);
        }
        for (const Mark& mark : frame_.x_marks) {
            rule("axis", x_of(mark.at), height - bottom, x_of(mark.at), height - bottom + 5);
            word(x_of(mark.at), height - bottom + 19, "middle", mark.label);
        }
        rule("axis", left, top, left, height - bottom);
        rule("axis", left, height - bottom, width - right, height - bottom);
        word((left + width - right) / 2, height - bottom + 40, "middle", chart_.x_label);
        const double middle = (top + height - bottom) / 2;
        xmlNode* label =
            word(16, middle, "middle", fmt::format("{} ({})", chart_.y_label, chart_.y_unit));
        xmlNewProp(label, xml("transform"), xml(fmt::format("rotate(-90 16 {:.1f})", middle)));
    }

    /// One path; a gap begins it anew. A point between two gaps is a dot.
    void line(std::size_t index) {
        std::string path;
        bool pen_down = false;
        for (const Point& point : chart_.lines[index].points) {
            if (!point.y) {
                pen_down = false;
                continue;
            }
            const double x = x_of(measured(chart_.x_axis, point.x));
            path += fmt::format("{}{:.1f} {:.1f}", pen_down ? "L" : "M", x, y_of(*point.y));
            if (!pen_down)
                path += "h0.01";
            pen_down = true;
        }
        if (!path.empty())
            add(root_, "path",
                {{"class", fmt::format("l{}", index % light.lines.size())},
                 {"stroke-width", "2"},
                 {"stroke-linejoin", "round"},
                 {"stroke-linecap", "round"},
                 {"d", path}});
    }

    void legend() {
        double x = left;
        const double y = height - 18;
        for (std::size_t i = 0; i < chart_.lines.size(); ++i) {
            add(root_, "line",
                {{"class", fmt::format("l{}", i % light.lines.size())},
                 {"stroke-width", "3"},
                 {"x1", number(x)},
                 {"y1", number(y - 4)},
                 {"x2", number(x + 22)},
                 {"y2", number(y - 4)}});
            word(x + 28, y, "start", chart_.lines[i].name);
            x += 48 + 7.0 * static_cast<double>(chart_.lines[i].name.size());
        }
    }

    const Chart& chart_;
    Frame frame_;
    xmlNode* root_;
};

struct FreeDocument {
    void operator()(xmlDoc* document) const { xmlFreeDoc(document); }
};

} // namespace

Result<std::string> to_svg(const Chart& chart, Theme theme) {
    const std::unique_ptr<xmlDoc, FreeDocument> document(xmlNewDoc(xml("1.0")));
    xmlNode* root = xmlNewNode(nullptr, xml("svg"));
    xmlDocSetRootElement(document.get(), root);
    xmlNewProp(root, xml("xmlns"), xml("http://www.w3.org/2000/svg"));
    xmlNewProp(root, xml("viewBox"), xml(fmt::format("0 0 {:g} {:g}", width, height)));
    xmlNewProp(root, xml("width"), xml(fmt::format("{:g}", width)));
    xmlNewProp(root, xml("height"), xml(fmt::format("{:g}", height)));
    xmlNewProp(root, xml("font-family"), xml("sans-serif"));
    add(root, "style", {}, style(theme));
    Drawing(chart, root).draw();
    xmlChar* bytes = nullptr;
    int size = 0;
    xmlDocDumpFormatMemoryEnc(document.get(), &bytes, &size, "UTF-8", 1);
    if (bytes == nullptr)
        return fail(Errc::internal, "the chart could not be written as XML");
    std::string text(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
    xmlFree(bytes);
    return text;
}

} // namespace baton::chart
