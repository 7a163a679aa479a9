#include "screen/entries.h"

#include <algorithm>
#include <array>
#include <map>

namespace baton::screen {

namespace {

constexpr std::size_t longest = 1024;

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
        text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r'))
        text.remove_suffix(1);
    return text;
}

std::map<std::string, std::string, std::less<>> main_group(std::string_view text) {
    std::map<std::string, std::string, std::less<>> keys;
    bool inside = false;
    while (!text.empty()) {
        const auto stop = std::min(text.find('\n'), text.size());
        const auto line = trimmed(text.substr(0, stop));
        text.remove_prefix(std::min(stop + 1, text.size()));
        if (line.starts_with('[')) {
            inside = line == "[Desktop Entry]";
            continue;
        }
        const auto equals = line.find('=');
        if (!inside || line.starts_with('#') || equals == std::string_view::npos)
            continue;
        const auto value = trimmed(line.substr(equals + 1));
        if (value.size() <= longest)
            keys.emplace(trimmed(line.substr(0, equals)), value);
    }
    return keys;
}

/// Exec without its field codes ("%f", "%U"); "%%" is a percent sign.
std::string without_codes(std::string_view exec) {
    std::string result;
    for (std::size_t i = 0; i < exec.size(); ++i) {
        if (exec[i] != '%') {
            result += exec[i];
            continue;
        }
        if (i + 1 < exec.size() && exec[i + 1] == '%')
            result += '%';
        ++i;
    }
    return std::string(trimmed(result));
}

/// The menu's groups, by the first main category of the specification's that a program is in.
std::string group_of(std::string_view categories) {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 12> groups{
        {{"AudioVideo", "Sound and video"},
         {"Audio", "Sound and video"},
         {"Video", "Sound and video"},
         {"Development", "Development"},
         {"Education", "Education"},
         {"Game", "Games"},
         {"Graphics", "Graphics"},
         {"Network", "Internet"},
         {"Office", "Office"},
         {"Science", "Education"},
         {"Settings", "Settings"},
         {"Utility", "Accessories"}}};
    while (!categories.empty()) {
        const auto stop = std::min(categories.find(';'), categories.size());
        const auto one = trimmed(categories.substr(0, stop));
        categories.remove_prefix(std::min(stop + 1, categories.size()));
        const auto* const found =
            std::ranges::find_if(groups, [&](const auto& group) { return group.first == one; });
        if (found != groups.end())
            return std::string(found->second);
    }
    return "Other";
}

/// What XML and a menu can show: no control characters, sound UTF-8 left to the writer.
std::string shown(std::string text) {
    std::erase_if(text, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; });
    return text;
}

} // namespace

std::optional<MenuEntry> parse_entry(std::string_view text, std::string_view language) {
    const auto keys = main_group(text);
    const auto value = [&](std::string_view key) {
        const auto found = keys.find(key);
        return found == keys.end() ? std::string() : found->second;
    };
    if (value("Type") != "Application" || value("NoDisplay") == "true" ||
        value("Hidden") == "true" || !value("OnlyShowIn").empty())
        return std::nullopt;
    MenuEntry entry;
    const auto country = language.substr(0, language.find('.'));
    const auto tongue = country.substr(0, country.find('_'));
    for (const auto& key : {"Name[" + std::string(country) + "]",
                            "Name[" + std::string(tongue) + "]", std::string("Name")})
        if (entry.name.empty())
            entry.name = shown(value(key));
    entry.command = shown(without_codes(value("Exec")));
    entry.try_exec = value("TryExec");
    entry.group = group_of(value("Categories"));
    entry.terminal = value("Terminal") == "true";
    if (entry.name.empty() || entry.command.empty())
        return std::nullopt;
    return entry;
}

} // namespace baton::screen
