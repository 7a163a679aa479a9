/// What a desk says of its desktop: settings and programs, any bytes. A program that is understood
/// makes a configuration.
#include "screen/entries.h"
#include "screen/hotkey.h"
#include "screen/jwm.h"
#include "screen/settings.h"

#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace baton::screen;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto settings = parse_settings(text);
    if (!settings && !settings.error().what.starts_with("desktop.toml"))
        std::abort();
    const auto hotkey = parse_hotkey(text);
    if (!hotkey && hotkey.error().hint.empty())
        std::abort();
    const auto entry = parse_entry(text, "ko_KR");
    if (entry && (entry->name.empty() || entry->command.empty()))
        std::abort();
    Look look{"x", "#102030", {}, "xterm", {}};
    if (entry)
        look.entries.push_back(*entry);
    if (settings)
        look.start = settings->start;
    if (jwm_configuration(look).empty())
        std::abort();
    return 0;
}
