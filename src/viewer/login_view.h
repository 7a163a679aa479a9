#pragma once

#include "viewer/login_form.h"
#include "viewer/text.h"
#include "viewer/words.h"

#include <optional>
#include <string>

/// Inside viewer/ alone: the pages that the viewer draws itself.
namespace baton::viewer {

/// What the login page says below its fields.
struct Notice {
    std::string text; ///< may have several lines
    bool is_error = false;
    bool busy = false; ///< the fields are not to be typed into now
};

class LoginView {
  public:
    /// Fonts in sizes for such a window. Errc::unsupported: the font cannot be used.
    static Result<LoginView> make(const std::string& font_path, int window_height);

    /// A page as large as the window.
    [[nodiscard]] Sdl<SDL_Surface> page(int width, int height, const LoginForm& form,
                                        const Notice& notice, bool caps_lock,
                                        Language language) const;

    /// One line for the window's upper edge.
    [[nodiscard]] Sdl<SDL_Surface> strip(int width, const std::string& text, bool alarming) const;

  private:
    LoginView(Font title, Font text, Font small)
        : title_(std::move(title)), text_(std::move(text)), small_(std::move(small)) {}

    Font title_;
    Font text_;
    Font small_;
};

} // namespace baton::viewer
