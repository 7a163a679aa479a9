#include "screen/hotkey.h"

#include <algorithm>
#include <array>
#include <string>
#include <xcb/xproto.h>
#include <xkbcommon/xkbcommon.h>

namespace baton::screen {

namespace {

constexpr std::array<std::pair<std::string_view, std::uint16_t>, 6> names{
    {{"ctrl", XCB_MOD_MASK_CONTROL},
     {"control", XCB_MOD_MASK_CONTROL},
     {"alt", XCB_MOD_MASK_1},
     {"shift", XCB_MOD_MASK_SHIFT},
     {"super", XCB_MOD_MASK_4},
     {"win", XCB_MOD_MASK_4}}};

std::string lower(std::string_view text) {
    std::string result(text);
    std::ranges::transform(result, result.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return result;
}

} // namespace

Result<Hotkey> parse_hotkey(std::string_view text) {
    if (text == "none")
        return Hotkey{};
    const auto refuse = [&](const std::string& why) {
        return fail(Errc::invalid_argument,
                    "the hotkey \"" + std::string(text) + "\" is not understood: " + why,
                    "it is like Ctrl+Alt+Home, or none");
    };
    Hotkey hotkey;
    auto rest = lower(text);
    for (auto plus = rest.find('+'); plus != std::string::npos; plus = rest.find('+')) {
        const auto word = rest.substr(0, plus);
        const auto* const found =
            std::ranges::find_if(names, [&](const auto& name) { return name.first == word; });
        if (found == names.end())
            return refuse("\"" + word + "\" is no modifier");
        hotkey.modifiers |= found->second;
        rest.erase(0, plus + 1);
    }
    if (rest.find('\0') != std::string::npos)
        return refuse("it names no key");
    hotkey.keysym = xkb_keysym_from_name(rest.c_str(), XKB_KEYSYM_CASE_INSENSITIVE);
    if (hotkey.keysym == XKB_KEY_NoSymbol)
        return refuse("\"" + rest + "\" is no key");
    constexpr unsigned typing = XCB_MOD_MASK_CONTROL | XCB_MOD_MASK_1 | XCB_MOD_MASK_4;
    if ((hotkey.modifiers & typing) == 0 && xkb_keysym_to_utf32(hotkey.keysym) != 0)
        return refuse("that key alone is for typing");
    return hotkey;
}

} // namespace baton::screen
