#include "viewer/text.h"

#include <filesystem>
#include <fontconfig/fontconfig.h>
#include <memory>

namespace baton::viewer {

namespace {

constexpr FcChar32 hangul_ga = 0xAC00;

struct FcFree {
    void operator()(FcPattern* pattern) const { FcPatternDestroy(pattern); }
};

using Pattern = std::unique_ptr<FcPattern, FcFree>;

const FcChar8* fc(const char* text) {
    return reinterpret_cast<const FcChar8*>(text);
}

} // namespace

Result<std::string> find_font(const std::string& path) {
    std::error_code error;
    if (!path.empty()) {
        if (std::filesystem::is_regular_file(path, error))
            return path;
        return fail(Errc::not_found, "there is no font " + path, "see --font");
    }
    const Pattern wanted(FcNameParse(fc("sans-serif:lang=ko:scalable=true")));
    FcConfigSubstitute(nullptr, wanted.get(), FcMatchPattern);
    FcDefaultSubstitute(wanted.get());
    FcResult outcome = FcResultNoMatch;
    const Pattern found(FcFontMatch(nullptr, wanted.get(), &outcome));
    FcChar8* file = nullptr;
    FcCharSet* characters = nullptr;
    if (!found || FcPatternGetString(found.get(), FC_FILE, 0, &file) != FcResultMatch)
        return fail(Errc::not_found, "there is no font on this machine",
                    "install fonts-nanum, or name a font file with --font");
    if (FcPatternGetCharSet(found.get(), FC_CHARSET, 0, &characters) != FcResultMatch ||
        FcCharSetHasChar(characters, hangul_ga) == FcFalse)
        return fail(Errc::not_found, "no font on this machine has Hangul",
                    "install fonts-nanum, or name a font file with --font");
    return std::string(reinterpret_cast<const char*>(file));
}

Result<Font> Font::open(const std::string& path, int height) {
    if (TTF_WasInit() == 0 && TTF_Init() != 0)
        return sdl_failed("SDL_ttf does not start");
    Font font;
    font.font_.reset(TTF_OpenFont(path.c_str(), height));
    if (!font.font_)
        return sdl_failed("the font " + path + " cannot be used", "name another one with --font");
    return font;
}

int Font::width(const std::string& text) const {
    int width = 0;
    if (!text.empty())
        TTF_SizeUTF8(font_.get(), text.c_str(), &width, nullptr);
    return width;
}

Sdl<SDL_Surface> Font::render(const std::string& text, SDL_Color colour, int wrap) const {
    if (text.empty())
        return nullptr;
    if (wrap > 0)
        return Sdl<SDL_Surface>(TTF_RenderUTF8_Blended_Wrapped(font_.get(), text.c_str(), colour,
                                                               static_cast<Uint32>(wrap)));
    return Sdl<SDL_Surface>(TTF_RenderUTF8_Blended(font_.get(), text.c_str(), colour));
}

} // namespace baton::viewer
