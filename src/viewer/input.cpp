#include "viewer/input.h"

#include "viewer/keyboard.h"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

namespace baton::viewer {

namespace {

/// The text that SDL says this press types: it comes right behind it.
std::string typed_text() {
    SDL_Event next;
    if (SDL_PeepEvents(&next, 1, SDL_GETEVENT, SDL_TEXTINPUT, SDL_TEXTINPUT) == 1)
        return next.text.text;
    return {};
}

std::optional<Command> command_of(const SDL_Keysym& key) {
    const auto held = [&](unsigned both) { return (key.mod & both) != 0; };
    if (!held(KMOD_CTRL) || !held(KMOD_ALT) || !held(KMOD_SHIFT))
        return std::nullopt;
    switch (key.scancode) {
    case SDL_SCANCODE_S:
        return Command::status;
    case SDL_SCANCODE_F:
        return Command::scale;
    case SDL_SCANCODE_Q:
        return Command::leave;
    default:
        return std::nullopt;
    }
}

std::uint8_t bit_of(std::uint8_t sdl_button) {
    switch (sdl_button) {
    case SDL_BUTTON_LEFT:
        return 1;
    case SDL_BUTTON_MIDDLE:
        return 2;
    case SDL_BUTTON_RIGHT:
        return 4;
    default:
        return 0;
    }
}

} // namespace

std::optional<Command> Input::take(const SDL_Event& event, const Layout& layout) {
    if (event.type != SDL_MOUSEMOTION)
        flush();
    switch (event.type) {
    case SDL_KEYDOWN:
    case SDL_KEYUP:
        return key(event.key);
    case SDL_MOUSEMOTION:
        move({event.motion.x, event.motion.y}, layout);
        break;
    case SDL_MOUSEBUTTONDOWN:
    case SDL_MOUSEBUTTONUP:
        button(event.button, layout);
        break;
    case SDL_MOUSEWHEEL:
        wheel(event.wheel);
        break;
    case SDL_CLIPBOARDUPDATE:
        give_clipboard();
        break;
    case SDL_WINDOWEVENT:
        if (event.window.event == SDL_WINDOWEVENT_FOCUS_LOST)
            let_go();
        else if (event.window.event == SDL_WINDOWEVENT_FOCUS_GAINED)
            give_clipboard();
        break;
    default:
        break;
    }
    return std::nullopt;
}

std::optional<Command> Input::key(const SDL_KeyboardEvent& event) {
    const bool down = event.state == SDL_PRESSED;
    if (down && event.repeat == 0)
        if (const auto command = command_of(event.keysym)) {
            let_go();
            return command;
        }
    const picture::Key key = key_of(event.keysym, down ? typed_text() : std::string());
    link_.tell([key, down](picture::Viewing& screen) {
        if (down)
            screen.press(key);
        else
            screen.release(key);
    });
    return std::nullopt;
}

void Input::say_pointer() {
    moved_ = false;
    link_.tell([buttons = buttons_, at = on_desktop_](picture::Viewing& screen) {
        screen.pointer(buttons, at.x, at.y);
    });
}

void Input::move(Spot pointer, const Layout& layout) {
    pointer_ = pointer;
    const Spot now = layout.under(pointer);
    moved_ = moved_ || now != on_desktop_;
    on_desktop_ = now;
}

void Input::button(const SDL_MouseButtonEvent& event, const Layout& layout) {
    const std::uint8_t bit = bit_of(event.button);
    move({event.x, event.y}, layout);
    if (bit == 0)
        return;
    buttons_ =
        static_cast<std::uint8_t>(event.state == SDL_PRESSED ? buttons_ | bit : buttons_ & ~bit);
    say_pointer();
}

/// A notch is a press of a button of its own.
void Input::wheel(const SDL_MouseWheelEvent& event) {
    constexpr int most_notches = 16;
    const auto turn = [&](int notches, std::uint8_t forth, std::uint8_t back) {
        const std::uint8_t bit = notches > 0 ? forth : back;
        for (int i = std::min(std::abs(notches), most_notches); i > 0; --i)
            link_.tell([=, buttons = buttons_, at = on_desktop_](picture::Viewing& screen) {
                screen.pointer(buttons | bit, at.x, at.y);
                screen.pointer(buttons, at.x, at.y);
            });
    };
    constexpr std::uint8_t up = 8;
    constexpr std::uint8_t down = 16;
    constexpr std::uint8_t left = 32;
    constexpr std::uint8_t right = 64;
    const int sign = event.direction == SDL_MOUSEWHEEL_FLIPPED ? -1 : 1;
    turn(event.y * sign, up, down);
    turn(event.x * sign, right, left);
}

void Input::flush() {
    if (moved_)
        say_pointer();
}

void Input::let_go() {
    buttons_ = 0;
    link_.tell([at = on_desktop_](picture::Viewing& screen) {
        screen.release_all();
        screen.pointer(0, at.x, at.y);
    });
}

void Input::give_clipboard() {
    if (SDL_HasClipboardText() == SDL_FALSE)
        return;
    const std::unique_ptr<char, decltype(&SDL_free)> text(SDL_GetClipboardText(), &SDL_free);
    if (!text || clipboard_ == text.get())
        return;
    clipboard_ = text.get();
    link_.tell([copied = clipboard_](picture::Viewing& screen) { screen.offer_clipboard(copied); });
}

void Input::take_clipboard(const std::string& text) {
    if (text == clipboard_)
        return;
    clipboard_ = text;
    SDL_SetClipboardText(text.c_str());
}

} // namespace baton::viewer
