#include "player/display.h"

#include <algorithm>
#include <array>

namespace baton::player {

namespace {

bool is_number(std::string_view text) {
    return !text.empty() && text.size() <= 5 &&
           std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

constexpr std::array<std::pair<Clipboard, std::string_view>, 4> clipboards{
    {{Clipboard::apart, "apart"},
     {Clipboard::in, "in"},
     {Clipboard::out, "out"},
     {Clipboard::both, "both"}}};

} // namespace

Result<PcDisplay> parse_display(std::string_view text) {
    if (text.empty())
        return fail(Errc::not_found, "there is no display here: DISPLAY is not set",
                    "start it in a graphical session of this PC; after sudo: sudo --preserve-env="
                    "DISPLAY,XAUTHORITY baton-play ...");
    const auto refuse = [&] {
        return fail(Errc::invalid_argument,
                    "DISPLAY=" + std::string(text) + " names no display of an X server",
                    "it is like :0, or host:0");
    };
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos)
        return refuse();
    auto number = text.substr(colon + 1);
    if (const auto dot = number.find('.'); dot != std::string_view::npos) {
        if (!is_number(number.substr(dot + 1)))
            return refuse();
        number = number.substr(0, dot);
    }
    const auto host = text.substr(0, colon);
    const bool plain = std::ranges::all_of(
        host, [](char c) { return c > ' ' && c < 0x7f && c != '/' && c != '@'; });
    if (!is_number(number) || (!plain && host != "unix/"))
        return refuse();
    PcDisplay display{std::string(text), ""};
    if (host.empty() || host == "unix" || host == "unix/")
        display.socket = "/tmp/.X11-unix/X" + std::string(number);
    return display;
}

std::string_view to_string(Clipboard clipboard) {
    for (const auto& [value, name] : clipboards)
        if (value == clipboard)
            return name;
    return "";
}

Result<Clipboard> parse_clipboard(std::string_view text) {
    for (const auto& [value, name] : clipboards)
        if (name == text)
            return value;
    return fail(Errc::invalid_argument, "the clipboard \"" + std::string(text) + "\" is unknown",
                "there are apart, in (from the PC into the desk), out and both");
}

} // namespace baton::player
