#pragma once

#include "model/error.h"

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>
#include <xcb/xcb.h>
#include <xcb/xcb_keysyms.h>

namespace baton::screen {

struct Freed {
    void operator()(void* memory) const { std::free(memory); }
};

/// Of the X server's, to be freed.
template <class T>
using XPointer = std::unique_ptr<T, Freed>;

/// One connection to an X server, in words of what a presenter asks it. A connection that is lost
/// shows in xcb_connection_has_error; questions then have empty answers. Not thread-safe.
class X {
  public:
    X() = default;
    ~X();
    X(const X&) = delete;
    X& operator=(const X&) = delete;

    /// `name` as DISPLAY. Errc::unavailable, Errc::forbidden.
    Result<void> connect(const std::string& name);
    /// Over a connected socket, with the cookie's bytes.
    Result<void> connect(int socket, const std::string& cookie);

    [[nodiscard]] xcb_connection_t* get() const { return connection_; }

    /// Connected, and not lost.
    [[nodiscard]] bool open() const {
        return screen_ != nullptr && xcb_connection_has_error(connection_) == 0;
    }

    [[nodiscard]] const xcb_screen_t& screen() const { return *screen_; }

    [[nodiscard]] xcb_atom_t atom(const std::string& name) const;
    void set_text(xcb_window_t window, xcb_atom_t property, xcb_atom_t type,
                  const std::string& text) const;
    /// A property's 32-bit numbers, a hundred at most.
    [[nodiscard]] std::vector<std::uint32_t> numbers(xcb_window_t window,
                                                     xcb_atom_t property) const;
    [[nodiscard]] std::vector<xcb_window_t> children(xcb_window_t window) const;
    [[nodiscard]] bool mapped(xcb_window_t window) const;
    [[nodiscard]] xcb_window_t focus() const;
    /// Whether the server did it.
    [[nodiscard]] bool done(xcb_void_cookie_t request) const;
    /// Waits until the server has done everything that was asked of it.
    void finish() const;
    /// The next event that is here.
    [[nodiscard]] XPointer<xcb_generic_event_t> event() const;

  private:
    Result<void> take(xcb_connection_t* connection, int number, const std::string& name);
    xcb_connection_t* connection_ = nullptr;
    const xcb_screen_t* screen_ = nullptr;
};

/// The keyboard's layout.
class XKeys {
  public:
    explicit XKeys(xcb_connection_t* connection);
    [[nodiscard]] std::vector<xcb_keycode_t> codes_of(std::uint32_t keysym) const;

  private:
    std::unique_ptr<xcb_key_symbols_t, void (*)(xcb_key_symbols_t*)> symbols_;
};

} // namespace baton::screen
