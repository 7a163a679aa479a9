#include "programs/baton/output.h"

#include "model/size.h"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <unistd.h>
#include <utility>

namespace json = boost::json;

namespace baton::cli {

namespace {

std::size_t width_of(std::string_view text) {
    return static_cast<std::size_t>(std::ranges::count_if(
        text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

const json::value* look_up(const json::object& object, std::string_view path) {
    const std::size_t dot = path.find('.');
    const json::value* value = object.if_contains(path.substr(0, dot));
    if (!value || dot == std::string_view::npos)
        return value;
    const json::object* inner = value->if_object();
    return inner ? look_up(*inner, path.substr(dot + 1)) : nullptr;
}

void indent(std::string& out, const json::value& value, std::size_t depth) {
    const std::string inner(2 * (depth + 1), ' ');
    const std::string outer(2 * depth, ' ');
    if (const json::object* object = value.if_object(); object && !object->empty()) {
        out += "{\n";
        bool first = true;
        for (const auto& member : *object) {
            out += first ? "" : ",\n";
            first = false;
            out += inner + json::serialize(json::string(member.key())) + ": ";
            indent(out, member.value(), depth + 1);
        }
        out += "\n" + outer + "}";
    } else if (const json::array* array = value.if_array(); array && !array->empty()) {
        out += "[\n";
        for (std::size_t i = 0; i < array->size(); ++i) {
            out += (i == 0 ? "" : ",\n") + inner;
            indent(out, (*array)[i], depth + 1);
        }
        out += "\n" + outer + "]";
    } else {
        out += json::serialize(value);
    }
}

} // namespace

std::string Table::text() const {
    std::vector<std::size_t> widths;
    std::vector<bool> numbers;
    std::vector<std::string> heads;
    for (const std::string& heading : headings_) {
        numbers.push_back(heading.starts_with('>'));
        heads.push_back(numbers.back() ? heading.substr(1) : heading);
        widths.push_back(width_of(heads.back()));
    }
    for (const auto& row : rows_)
        for (std::size_t i = 0; i < row.size(); ++i)
            widths[i] = std::max(widths[i], width_of(row[i]));
    std::string out;
    const auto line = [&](const std::vector<std::string>& cells) {
        std::string text;
        for (std::size_t i = 0; i < cells.size(); ++i) {
            const std::string pad(widths[i] - width_of(cells[i]), ' ');
            text += (i == 0 ? "" : "  ") + (numbers[i] ? pad + cells[i] : cells[i] + pad);
        }
        text.erase(text.find_last_not_of(' ') + 1);
        out += text + "\n";
    };
    line(heads);
    for (const auto& row : rows_)
        line(row);
    return out;
}

std::string printable(std::string_view text) {
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        out += byte < 0x20 || byte == 0x7f ? '?' : c;
    }
    return out;
}

std::string field(const json::object& object, std::string_view path) {
    const json::value* value = look_up(object, path);
    if (!value || value->is_null())
        return "-";
    if (const json::string* text = value->if_string())
        return text->empty() ? "-" : printable(*text);
    return json::serialize(*value);
}

std::string memory_field(const json::object& object, std::string_view path) {
    const json::value* value = look_up(object, path);
    return value && value->is_int64() ? to_string(Mebibytes(value->get_int64())) : "-";
}

std::string human_bytes(std::int64_t bytes) {
    static constexpr std::array<std::string_view, 5> units{"B", "KiB", "MiB", "GiB", "TiB"};
    double amount = static_cast<double>(bytes);
    std::size_t unit = 0;
    while (amount >= 1024 && unit + 1 < units.size()) {
        amount /= 1024;
        ++unit;
    }
    return amount >= 100 || amount == static_cast<double>(static_cast<std::int64_t>(amount))
               ? fmt::format("{:.0f} {}", amount, units[unit])
               : fmt::format("{:.1f} {}", amount, units[unit]);
}

std::string bytes_field(const json::object& object, std::string_view path) {
    const json::value* value = look_up(object, path);
    return value && value->is_int64() ? human_bytes(value->get_int64()) : "-";
}

std::string time_field(const json::object& object, std::string_view path) {
    std::string text = field(object, path);
    if (text.size() < 19 || text[10] != 'T')
        return text;
    return text.substr(0, 10) + " " + text.substr(11, 8) + " UTC";
}

std::string yes_no(const json::object& object, std::string_view path) {
    const std::string text = field(object, path);
    return text == "true" ? "yes" : text == "false" ? "no" : text;
}

std::string pretty(const json::value& value) {
    std::string out;
    indent(out, value, 0);
    return out + "\n";
}

Progress::Progress(std::string doing) : doing_(std::move(doing)), seen_(::isatty(2) != 0) {}

Progress::~Progress() {
    if (seen_ && percent_ >= 0)
        fmt::print(stderr, "\r{:{}}\r", "", doing_.size() + 8);
}

void Progress::show(std::int64_t done, std::int64_t total) {
    const std::int64_t percent = total > 0 ? done * 100 / total : 0;
    if (!seen_ || percent == std::exchange(percent_, percent))
        return;
    fmt::print(stderr, "\r{} {:>3} %", doing_, percent);
}

} // namespace baton::cli
