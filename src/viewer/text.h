#pragma once

#include "viewer/sdl.h"

#include <SDL2/SDL_ttf.h>
#include <memory>
#include <string>

/// Inside viewer/ alone: text in English and Korean on surfaces.
namespace baton::viewer {

/// A file with a font that has Latin and Hangul, found by fontconfig; `path` not empty: that one.
/// Errc::not_found: there is none.
Result<std::string> find_font(const std::string& path);

/// One font in one size.
class Font {
  public:
    /// `height`: of a line, in pixels.
    static Result<Font> open(const std::string& path, int height);

    [[nodiscard]] int line_height() const { return TTF_FontLineSkip(font_.get()); }

    [[nodiscard]] int width(const std::string& text) const;

    /// Null for no text. With `wrap` (pixels, 0: one line) in several lines.
    [[nodiscard]] Sdl<SDL_Surface> render(const std::string& text, SDL_Color colour,
                                          int wrap = 0) const;

  private:
    struct Close {
        void operator()(TTF_Font* font) const { TTF_CloseFont(font); }
    };

    Font() = default;

    std::unique_ptr<TTF_Font, Close> font_;
};

} // namespace baton::viewer
