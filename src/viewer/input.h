#pragma once

#include "viewer/layout.h"
#include "viewer/link.h"
#include "viewer/sdl.h"

#include <functional>
#include <optional>
#include <string>

/// Inside viewer/ alone.
namespace baton::viewer {

/// What the viewer keeps for itself: Ctrl+Alt+Shift and a letter.
enum class Command : std::uint8_t { status, scale, leave };

/// Takes the person's keys, pointer and clipboard to the desktop. Main thread.
class Input {
  public:
    explicit Input(Link& link) : link_(link) {}

    /// An event while the desktop is shown. A command has not gone to the desktop, and what was
    /// held for it is let go of there.
    std::optional<Command> take(const SDL_Event& event, const Layout& layout);

    /// The pointer has moved and nothing has been said of it: before anything else is waited for.
    void flush();

    /// The person looks elsewhere: no key or button stays pressed.
    void let_go();

    /// The desktop has copied this.
    void take_clipboard(const std::string& text);

    /// On the window.
    [[nodiscard]] Spot pointer() const { return pointer_; }

  private:
    std::optional<Command> key(const SDL_KeyboardEvent& event);
    void button(const SDL_MouseButtonEvent& event, const Layout& layout);
    void wheel(const SDL_MouseWheelEvent& event);
    void move(Spot pointer, const Layout& layout);
    void say_pointer();
    void give_clipboard();

    Link& link_;
    Spot pointer_;
    Spot on_desktop_;
    std::uint8_t buttons_ = 0;
    bool moved_ = false;
    std::string clipboard_; ///< as last heard of either side
};

} // namespace baton::viewer
