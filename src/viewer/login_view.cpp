#include "viewer/login_view.h"

#include <algorithm>
#include <utility>

namespace baton::viewer {

namespace {

constexpr SDL_Color paper{0x20, 0x2A, 0x36, 0xFF};
constexpr SDL_Color panel{0x2E, 0x3B, 0x4A, 0xFF};
constexpr SDL_Color field{0xF4, 0xF6, 0xF8, 0xFF};
constexpr SDL_Color field_off{0xB8, 0xC0, 0xC8, 0xFF};
constexpr SDL_Color accent{0x4A, 0xA3, 0xDF, 0xFF};
constexpr SDL_Color ink{0x16, 0x1C, 0x22, 0xFF};
constexpr SDL_Color light{0xEC, 0xF0, 0xF4, 0xFF};
constexpr SDL_Color faint{0xA9, 0xB4, 0xC0, 0xFF};
constexpr SDL_Color alarm{0xFF, 0x9E, 0x80, 0xFF};

/// Draws onto one page from the top down.
class Sheet {
  public:
    Sheet(SDL_Surface& page, int x, int y, int width) : page_(page), x_(x), y_(y), width_(width) {}

    void fill(SDL_Rect rect, SDL_Color colour) {
        SDL_FillRect(&page_, &rect, SDL_MapRGB(page_.format, colour.r, colour.g, colour.b));
    }

    void text(const Font& font, const std::string& what, SDL_Color colour, bool centred = false) {
        const auto drawn = font.render(what, colour, width_);
        if (!drawn)
            return;
        SDL_Rect to{centred ? x_ + (width_ - drawn->w) / 2 : x_, y_, 0, 0};
        SDL_BlitSurface(drawn.get(), nullptr, &page_, &to);
        y_ += drawn->h;
    }

    void input(const Font& font, const std::string& what, bool active, bool usable) {
        const int height = font.line_height() + 14;
        if (active)
            fill({x_ - 2, y_ - 2, width_ + 4, height + 4}, accent);
        fill({x_, y_, width_, height}, usable ? field : field_off);
        const int room = width_ - 20;
        if (const auto drawn = font.render(what, ink)) {
            // of a long text the end is seen
            SDL_Rect from{std::max(0, drawn->w - room), 0, std::min(room, drawn->w), drawn->h};
            SDL_Rect to{x_ + 8, y_ + 7, 0, 0};
            SDL_BlitSurface(drawn.get(), &from, &page_, &to);
        }
        if (active && usable)
            fill({x_ + 9 + std::min(room, font.width(what)), y_ + 6, 2, height - 12}, accent);
        y_ += height;
    }

    void skip(int pixels) { y_ += pixels; }

  private:
    SDL_Surface& page_;
    int x_;
    int y_;
    int width_;
};

std::string dots(std::size_t count) {
    std::string text;
    for (std::size_t i = 0; i < std::min<std::size_t>(count, 64); ++i)
        text += "\u2022";
    return text;
}

} // namespace

Result<LoginView> LoginView::make(const std::string& font_path, int window_height) {
    const int line = std::clamp(window_height / 34, 14, 40);
    auto title = Font::open(font_path, line * 2);
    auto text = Font::open(font_path, line);
    auto small = Font::open(font_path, std::max(12, line * 3 / 4));
    if (!title || !text || !small)
        return tl::unexpected((!title ? title : !text ? text : small).error());
    return LoginView(std::move(*title), std::move(*text), std::move(*small));
}

Sdl<SDL_Surface> LoginView::page(int width, int height, const LoginForm& form, const Notice& notice,
                                 bool caps_lock, Language language) const {
    Sdl<SDL_Surface> page(
        SDL_CreateRGBSurfaceWithFormat(0, width, height, 32, SDL_PIXELFORMAT_RGB888));
    if (!page)
        return page;
    const auto say = [language](Word which) { return std::string(word(which, language)); };
    const int line = text_.line_height();
    const int panel_width = std::min(width - 20, line * 22);
    const int fields = form.images().size() > 1 ? 3 : 2;
    const int panel_height =
        std::min(height - 20, title_.line_height() + fields * (line * 2 + 30) + line * 6);
    const int left = (width - panel_width) / 2;
    const int top = (height - panel_height) / 2;
    const int margin = line;
    Sheet sheet(*page, left + margin, top + margin / 2, panel_width - 2 * margin);
    sheet.fill({0, 0, width, height}, paper);
    sheet.fill({left, top, panel_width, panel_height}, panel);
    sheet.text(title_, say(Word::title), light, true);
    sheet.skip(line / 2);
    const auto input = [&](Word label, const std::string& value, LoginForm::Field which) {
        sheet.text(small_, say(label), faint);
        sheet.skip(4);
        sheet.input(text_, value, form.field() == which, !notice.busy);
        sheet.skip(12);
    };
    input(Word::name, form.name(), LoginForm::Field::name);
    input(Word::password, dots(form.password_characters()), LoginForm::Field::password);
    if (fields == 3)
        input(Word::image, "\u25C0  " + form.images()[form.image()] + "  \u25B6",
              LoginForm::Field::image);
    if (caps_lock && !notice.busy)
        sheet.text(small_, say(Word::caps_lock), alarm);
    std::string text = notice.text;
    if (form.name_is_missing())
        text = say(Word::name_missing);
    sheet.text(small_, text, notice.is_error || form.name_is_missing() ? alarm : light);
    if (notice.busy)
        sheet.text(small_, say(Word::cancel), faint);
    return page;
}

Sdl<SDL_Surface> LoginView::strip(int width, const std::string& text, bool alarming) const {
    Sdl<SDL_Surface> strip(SDL_CreateRGBSurfaceWithFormat(0, width, small_.line_height() + 8, 32,
                                                          SDL_PIXELFORMAT_RGB888));
    if (!strip)
        return strip;
    Sheet sheet(*strip, 10, 4, width - 20);
    sheet.fill({0, 0, width, strip->h}, paper);
    if (const auto drawn = small_.render(text, alarming ? alarm : light)) {
        SDL_Rect to{10, 4, 0, 0};
        SDL_BlitSurface(drawn.get(), nullptr, strip.get(), &to);
    }
    return strip;
}

} // namespace baton::viewer
