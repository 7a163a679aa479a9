#include "picture/image_file.h"

#include "rfb/limits.h"

#include <memory>
#include <png.h>
#include <turbojpeg.h>
#include <vector>

namespace baton::picture {

namespace {

struct EndJpeg {
    void operator()(void* decoder) const { ::tjDestroy(decoder); }
};

using Jpeg = std::unique_ptr<void, EndJpeg>;

std::size_t pixel_row(const Framebuffer& screen) {
    return screen.size().width;
}

} // namespace

Result<void> draw_jpeg(std::string_view file, Framebuffer& screen, const Area& area) {
    const Jpeg decoder(::tjInitDecompress()); // one that has seen a damaged file keeps its doubts
    const auto* bytes = reinterpret_cast<const unsigned char*>(file.data());
    int width = 0;
    int height = 0;
    int sampling = 0;
    int colours = 0;
    if (::tjDecompressHeader3(decoder.get(), bytes, file.size(), &width, &height, &sampling,
                              &colours) != 0 ||
        area.empty() || width != area.width || height != area.height)
        return rfb::not_rfb("the screen sent a JPEG that does not fit its rectangle");
    auto* to =
        reinterpret_cast<unsigned char*>(screen.row(static_cast<std::size_t>(area.y)) + area.x);
    const int pitch = static_cast<int>(pixel_row(screen) * sizeof(std::uint32_t));
    if (::tjDecompress2(decoder.get(), bytes, file.size(), to, width, pitch, height, TJPF_BGRX,
                        TJFLAG_LIMITSCANS) != 0)
        return rfb::not_rfb("the screen sent a JPEG that cannot be read");
    for (int y = area.y; y < area.y + area.height; ++y) { // the fourth byte may be anything
        std::uint32_t* row = screen.row(static_cast<std::size_t>(y)) + area.x;
        for (int x = 0; x < area.width; ++x)
            row[x] &= 0xFFFFFF;
    }
    return {};
}

Result<void> draw_png(std::string_view file, Framebuffer& screen, const Area& area) {
    png_image image{};
    image.version = PNG_IMAGE_VERSION;
    const bool begun = ::png_image_begin_read_from_memory(&image, file.data(), file.size()) != 0;
    const auto free = [](png_image* one) { ::png_image_free(one); };
    const std::unique_ptr<png_image, decltype(free)> held(&image, free);
    if (!begun || image.width != static_cast<png_uint_32>(area.width) ||
        image.height != static_cast<png_uint_32>(area.height))
        return rfb::not_rfb("the screen sent a PNG that does not fit its rectangle");
    image.format = PNG_FORMAT_BGRA;
    std::vector<std::uint32_t> pixels(std::size_t{image.width} * image.height);
    if (::png_image_finish_read(&image, nullptr, pixels.data(), 0, nullptr) == 0)
        return rfb::not_rfb("the screen sent a PNG that cannot be read");
    const std::uint32_t* from = pixels.data();
    for (int y = area.y; y < area.y + area.height; ++y) {
        std::uint32_t* row = screen.row(static_cast<std::size_t>(y)) + area.x;
        for (int x = 0; x < area.width; ++x)
            row[x] = *from++ & 0xFFFFFF;
    }
    return {};
}

} // namespace baton::picture
