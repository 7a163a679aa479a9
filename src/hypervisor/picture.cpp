#include "hypervisor/picture.h"

#include <fmt/format.h>

#include <png.h>

namespace baton::hypervisor {

namespace {

constexpr std::size_t largest_picture = 64UL * 1024 * 1024;

} // namespace

Result<std::string> to_pixmap(std::string picture) {
    if (picture.starts_with("P6"))
        return picture;
    png_image image{};
    image.version = PNG_IMAGE_VERSION;
    if (png_image_begin_read_from_memory(&image, picture.data(), picture.size()) == 0)
        return fail(Errc::corrupt,
                    fmt::format("the hypervisor's screenshot is no picture: {}", image.message));
    image.format = PNG_FORMAT_RGB;
    const std::size_t size = PNG_IMAGE_SIZE(image);
    if (size > largest_picture) {
        png_image_free(&image);
        return fail(Errc::corrupt, fmt::format("the hypervisor's screenshot is too large ({}x{})",
                                               image.width, image.height));
    }
    std::string pixmap = fmt::format("P6\n{} {}\n255\n", image.width, image.height);
    const std::size_t header = pixmap.size();
    pixmap.resize(header + size);
    if (png_image_finish_read(&image, nullptr, pixmap.data() + header, 0, nullptr) == 0)
        return fail(Errc::corrupt,
                    fmt::format("the hypervisor's screenshot is damaged: {}", image.message));
    return pixmap;
}

} // namespace baton::hypervisor
