#pragma once

#include "model/error.h"
#include "picture/framebuffer.h"

#include <string_view>

/// Inside picture/ alone: a file in a Tight rectangle, drawn where it belongs. Errc::corrupt: it
/// cannot be read, or its picture has another size than the area.
namespace baton::picture {

Result<void> draw_jpeg(std::string_view file, Framebuffer& screen, const Area& area);
Result<void> draw_png(std::string_view file, Framebuffer& screen, const Area& area);

} // namespace baton::picture
