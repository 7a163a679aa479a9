#include "rfb/encodings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace baton::rfb {

namespace {

enum class Kind : std::uint8_t { picture, pseudo, promise };

struct Known {
    Encoding encoding;
    std::string_view name;
    Kind kind; ///< promise: has no rectangle of its own
};

constexpr std::array known{
    Known{Encoding::raw, "Raw", Kind::picture},
    Known{Encoding::copy_rect, "CopyRect", Kind::picture},
    Known{Encoding::rre, "RRE", Kind::picture},
    Known{Encoding::corre, "CoRRE", Kind::picture},
    Known{Encoding::hextile, "Hextile", Kind::picture},
    Known{Encoding::zlib, "Zlib", Kind::picture},
    Known{Encoding::tight, "Tight", Kind::picture},
    Known{Encoding::zrle, "ZRLE", Kind::picture},
    Known{Encoding::zywrle, "ZYWRLE", Kind::picture},
    Known{Encoding::tight_png, "TightPNG", Kind::picture},
    Known{Encoding::desktop_size, "DesktopSize", Kind::pseudo},
    Known{Encoding::last_rect, "LastRect", Kind::pseudo},
    Known{Encoding::cursor, "Cursor", Kind::pseudo},
    Known{Encoding::x_cursor, "XCursor", Kind::pseudo},
    Known{Encoding::qemu_pointer_motion_change, "QEMU pointer motion change", Kind::pseudo},
    Known{Encoding::qemu_extended_key, "QEMU extended key", Kind::pseudo},
    Known{Encoding::qemu_audio, "QEMU audio", Kind::pseudo},
    Known{Encoding::qemu_led_state, "QEMU LED state", Kind::pseudo},
    Known{Encoding::desktop_name, "DesktopName", Kind::pseudo},
    Known{Encoding::extended_desktop_size, "ExtendedDesktopSize", Kind::pseudo},
    Known{Encoding::cursor_with_alpha, "Cursor with alpha", Kind::pseudo},
    Known{Encoding::trle, "TRLE", Kind::promise},
    Known{Encoding::fence, "Fence", Kind::promise},
    Known{Encoding::continuous_updates, "ContinuousUpdates", Kind::promise},
    Known{Encoding::extended_clipboard, "Extended clipboard", Kind::promise},
};

const Known* find(Encoding encoding) {
    const auto* const at = std::find_if(known.begin(), known.end(), [encoding](const Known& one) {
        return one.encoding == encoding;
    });
    return at == known.end() ? nullptr : at;
}

} // namespace

bool is_picture(Encoding encoding) {
    const Known* const one = find(encoding);
    return one != nullptr && one->kind == Kind::picture;
}

bool is_framed(Encoding encoding) {
    const Known* const one = find(encoding);
    return one != nullptr && one->kind != Kind::promise;
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
