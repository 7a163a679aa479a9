#pragma once

#include "picture/cursor.h"
#include "viewer/bare_screen.h"
#include "viewer/canvas_choice.h"
#include "viewer/layout.h"
#include "viewer/sdl.h"

#include <vector>

/// Inside viewer/ alone.
namespace baton::viewer {

/// How pictures come onto the window. Three ways, see Draw. Main thread.
class Canvas {
  public:
    Canvas() = default;
    virtual ~Canvas() = default;
    Canvas(const Canvas&) = delete;
    Canvas& operator=(const Canvas&) = delete;

    /// Of the window, in pixels.
    [[nodiscard]] virtual Spot size() const = 0;

    /// Takes over these parts of the desktop; `everything`: also what is beside it. Nothing is seen
    /// of it before present().
    virtual void draw(const picture::Framebuffer& desktop, const std::vector<Area>& parts,
                      const Layout& layout, bool everything) = 0;

    /// A page as large as the window, in place of the desktop.
    virtual void draw_page(SDL_Surface& page) = 0;

    /// A strip over the desktop at (0, 0); nullptr: none. What was below is to be drawn anew.
    virtual void set_strip(Sdl<SDL_Surface> strip) = 0;

    /// The pointer where the screen itself shows none. `seen` false: not now.
    virtual void set_pointer(const picture::Cursor& shape, Spot at, bool seen) = 0;

    virtual void present() = 0;

    /// The pointer has to be drawn with the picture.
    [[nodiscard]] virtual bool draws_pointer() const = 0;
};

/// Outside a window: over the whole of a bare screen.
Result<std::unique_ptr<Canvas>> make_bare_canvas(std::unique_ptr<BareScreen> screen);

Result<std::unique_ptr<Canvas>> make_canvas(SDL_Window& window, Draw draw);

Result<std::unique_ptr<Canvas>> make_surface_canvas(SDL_Window& window);
Result<std::unique_ptr<Canvas>> make_texture_canvas(SDL_Window& window);

} // namespace baton::viewer
