#include "rfb/encodings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace baton::rfb {

namespace {

struct Known {
    Encoding encoding;
    std::string_view name;
    bool framed; ///< has a rectangle, which can be framed
};

constexpr std::array known{
    Known{Encoding::raw, "Raw", true},
    Known{Encoding::copy_rect, "CopyRect", true},
    Known{Encoding::rre, "RRE", true},
    Known{Encoding::corre, "CoRRE", true},
    Known{Encoding::hextile, "Hextile", true},
    Known{Encoding::zlib, "Zlib", true},
    Known{Encoding::tight, "Tight", true},
    Known{Encoding::zrle, "ZRLE", true},
    Known{Encoding::zywrle, "ZYWRLE", true},
    Known{Encoding::tight_png, "TightPNG", true},
    Known{Encoding::desktop_size, "DesktopSize", true},
    Known{Encoding::last_rect, "LastRect", true},
    Known{Encoding::cursor, "Cursor", true},
    Known{Encoding::x_cursor, "XCursor", true},
    Known{Encoding::qemu_pointer_motion_change, "QEMU pointer motion change", true},
    Known{Encoding::qemu_extended_key, "QEMU extended key", true},
    Known{Encoding::qemu_audio, "QEMU audio", true},
    Known{Encoding::qemu_led_state, "QEMU LED state", true},
    Known{Encoding::desktop_name, "DesktopName", true},
    Known{Encoding::extended_desktop_size, "ExtendedDesktopSize", true},
    Known{Encoding::cursor_with_alpha, "Cursor with alpha", true},
    Known{Encoding::trle, "TRLE", false},
    Known{Encoding::fence, "Fence", false},
    Known{Encoding::continuous_updates, "ContinuousUpdates", false},
    Known{Encoding::extended_clipboard, "Extended clipboard", false},
};

const Known* find(Encoding encoding) {
    const auto* const at = std::find_if(known.begin(), known.end(), [encoding](const Known& one) {
        return one.encoding == encoding;
    });
    return at == known.end() ? nullptr : at;
}

} // namespace

bool is_framed(Encoding encoding) {
    const Known* const one = find(encoding);
    return one != nullptr && one->framed;
}

bool is_level(Encoding encoding) {
    return (encoding >= Encoding::quality_0 && encoding <= Encoding::quality_9) ||
           (encoding >= Encoding::compression_0 && encoding <= Encoding::compression_9);
}

std::string name_of(Encoding encoding) {
    if (const Known* const one = find(encoding))
        return std::string(one->name);
    const auto number = static_cast<std::int32_t>(encoding);
    if (is_level(encoding))
        return number >= static_cast<std::int32_t>(Encoding::quality_0)
                   ? fmt::format("quality level {}", number + 32)
                   : fmt::format("compression level {}", number + 256);
    return fmt::format("encoding {}", number);
}

} // namespace baton::rfb
