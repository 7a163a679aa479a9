#include "gateway/lettering.h"

#include <ft2build.h>
#include FT_FREETYPE_H

#include <algorithm>
#include <cerrno>
#include <unistd.h>
#include <vector>

namespace baton::gateway {

struct Lettering::Library {
    FT_Library library = nullptr;
    FT_Face face = nullptr;

    Library() = default;
    Library(const Library&) = delete;
    Library& operator=(const Library&) = delete;

    ~Library() {
        if (face != nullptr)
            FT_Done_Face(face);
        if (library != nullptr)
            FT_Done_FreeType(library);
    }
};

namespace {

constexpr unsigned letter_pixels = 20;
constexpr int margin = 10;
constexpr int most_width = 1000;
constexpr std::size_t most_letters = 200;

/// Bytes that are no UTF-8 are U+FFFD each, control characters spaces.
std::vector<FT_ULong> letters_of(std::string_view text) {
    std::vector<FT_ULong> letters;
    while (!text.empty() && letters.size() < most_letters) {
        const auto first = static_cast<unsigned char>(text.front());
        const std::size_t size = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
        FT_ULong letter = size == 1 ? first : first & (0xFFU >> (size + 1));
        std::size_t used = 1;
        for (; used < size && used < text.size() && (text[used] & 0xC0) == 0x80; ++used)
            letter = letter << 6 | static_cast<FT_ULong>(text[used] & 0x3F);
        if (used != size || (first >= 0x80 && first < 0xC2))
            letter = 0xFFFD;
        letters.push_back(letter < ' ' || letter == 0x7F ? ' ' : letter);
        text.remove_prefix(used);
    }
    return letters;
}

/// What is drawn outside is cut off.
void blend(Notice& notice, const FT_Bitmap& bitmap, int left, int top) {
    for (int y = 0; y < static_cast<int>(bitmap.rows); ++y)
        for (int x = 0; x < static_cast<int>(bitmap.width); ++x) {
            const int at_x = left + x;
            const int at_y = top + y;
            if (at_x < 0 || at_y < 0 || at_x >= notice.width || at_y >= notice.height)
                continue;
            char& pixel = notice.coverage[static_cast<std::size_t>(at_y) * notice.width +
                                          static_cast<std::size_t>(at_x)];
            const auto drawn = bitmap.buffer[std::ptrdiff_t{y} * bitmap.pitch + x];
            pixel = static_cast<char>(std::max(drawn, static_cast<unsigned char>(pixel)));
        }
}

} // namespace

Lettering::Lettering(std::unique_ptr<Library> library) : library_(std::move(library)) {}

Lettering::~Lettering() = default;

Result<std::unique_ptr<Lettering>> Lettering::open(const std::string& font) {
    if (::access(font.c_str(), R_OK) != 0)
        return fail_errno(errno, "cannot read the font " + font,
                          "install fonts-nanum, or name another font");
    auto library = std::make_unique<Library>();
    if (FT_Init_FreeType(&library->library) != 0)
        return fail(Errc::internal, "FreeType does not start");
    if (FT_New_Face(library->library, font.c_str(), 0, &library->face) != 0 ||
        FT_Set_Pixel_Sizes(library->face, 0, letter_pixels) != 0)
        return fail(Errc::corrupt, font + " is no font that FreeType can draw with",
                    "name another one");
    return std::unique_ptr<Lettering>(new Lettering(std::move(library)));
}

Result<Notice> Lettering::draw(std::string_view text) {
    const auto letters = letters_of(text);
    FT_Face face = library_->face;
    const auto advance = [face] { return static_cast<int>(face->glyph->advance.x >> 6); };
    int width = 2 * margin;
    for (const FT_ULong letter : letters)
        if (FT_Load_Char(face, letter, FT_LOAD_DEFAULT) == 0)
            width += advance();
    if (width == 2 * margin)
        return fail(Errc::invalid_argument, "there is nothing to draw in this text");
    const auto& metrics = face->size->metrics;
    Notice notice;
    notice.width = static_cast<std::uint16_t>(std::min(width, most_width));
    notice.height = static_cast<std::uint16_t>((metrics.height >> 6) + 2 * (margin / 2));
    notice.coverage.assign(std::size_t{notice.width} * notice.height, '\0');
    const int baseline = margin / 2 + static_cast<int>(metrics.ascender >> 6);
    int pen = margin;
    for (const FT_ULong letter : letters) {
        if (FT_Load_Char(face, letter, FT_LOAD_RENDER) != 0)
            continue;
        blend(notice, face->glyph->bitmap, pen + face->glyph->bitmap_left,
              baseline - face->glyph->bitmap_top);
        pen += advance();
    }
    return notice;
}

} // namespace baton::gateway
