#include "viewer/bare_screen.h"
#include "viewer/canvas.h"
#include "viewer/scaling.h"

#include <algorithm>
#include <array>
#include <utility>

namespace baton::viewer {

namespace {

SDL_Rect rect_of(const Area& area) {
    return {area.x, area.y, area.width, area.height};
}

/// What a SurfaceCanvas draws on.
class Paper {
  public:
    Paper() = default;
    virtual ~Paper() = default;
    Paper(const Paper&) = delete;
    Paper& operator=(const Paper&) = delete;

    [[nodiscard]] virtual Spot size() const = 0;
    /// Of 0x00RRGGBB, as large as the paper; nullptr: nothing can be drawn now.
    virtual SDL_Surface* surface() = 0;
    virtual void show(const SDL_Surface& surface, const std::vector<Area>& parts) = 0;

    /// What is to be shown anew because of it.
    virtual std::array<Area, 2> set_pointer(const picture::Cursor& /*shape*/, Spot /*at*/,
                                            bool /*seen*/) {
        return {};
    }

    [[nodiscard]] virtual bool draws_pointer() const { return false; }
};

class WindowPaper : public Paper {
  public:
    explicit WindowPaper(SDL_Window& window) : window_(window) {}

    [[nodiscard]] Spot size() const override {
        Spot size;
        SDL_GetWindowSize(&window_, &size.x, &size.y);
        return size;
    }

    SDL_Surface* surface() override { return SDL_GetWindowSurface(&window_); }

    void show(const SDL_Surface& /*surface*/, const std::vector<Area>& parts) override {
        std::vector<SDL_Rect> rects;
        for (const Area& one : parts)
            rects.push_back(rect_of(one));
        SDL_UpdateWindowSurfaceRects(&window_, rects.data(), static_cast<int>(rects.size()));
    }

  private:
    SDL_Window& window_;
};

/// A card's memory is slow to read: the picture is kept in the PC's as well.
class ScreenPaper : public Paper {
  public:
    ScreenPaper(std::unique_ptr<BareScreen> screen, Sdl<SDL_Surface> surface)
        : screen_(std::move(screen)), surface_(std::move(surface)) {}

    [[nodiscard]] Spot size() const override { return screen_->size(); }

    SDL_Surface* surface() override { return surface_.get(); }

    void show(const SDL_Surface& surface, const std::vector<Area>& parts) override {
        screen_->show(static_cast<const std::uint32_t*>(surface.pixels),
                      static_cast<std::size_t>(surface.pitch) / sizeof(std::uint32_t), parts);
    }

    std::array<Area, 2> set_pointer(const picture::Cursor& shape, Spot at, bool seen) override {
        const Area before = screen_->pointer_area();
        screen_->set_pointer(shape, at, seen);
        return {before, screen_->pointer_area()};
    }

    [[nodiscard]] bool draws_pointer() const override { return true; }

  private:
    std::unique_ptr<BareScreen> screen_;
    Sdl<SDL_Surface> surface_;
};

class SurfaceCanvas : public Canvas {
  public:
    explicit SurfaceCanvas(std::unique_ptr<Paper> paper) : paper_(std::move(paper)) {}

    [[nodiscard]] Spot size() const override { return paper_->size(); }

    void draw(const picture::Framebuffer& desktop, const std::vector<Area>& parts,
              const Layout& layout, bool everything) override {
        SDL_Surface* surface = paper_->surface();
        if (surface == nullptr)
            return;
        const Area all{0, 0, surface->w, surface->h};
        SDL_LockSurface(surface);
        auto* pixels = static_cast<std::uint32_t*>(surface->pixels);
        const std::size_t stride = static_cast<std::size_t>(surface->pitch) / sizeof(std::uint32_t);
        if (everything) {
            clear_beside(pixels, stride, all, layout.target());
            draw_area(desktop, layout, common(layout.target(), all), pixels, stride);
            changed_.add(all);
        } else {
            for (const Area& part : parts) {
                const Area area = common(layout.on_window(part), all);
                if (area.empty())
                    continue;
                draw_area(desktop, layout, area, pixels, stride);
                changed_.add(area);
            }
        }
        SDL_UnlockSurface(surface);
    }

    void draw_page(SDL_Surface& page) override {
        SDL_Surface* surface = paper_->surface();
        if (surface == nullptr)
            return;
        SDL_BlitSurface(&page, nullptr, surface, nullptr);
        changed_.add({0, 0, surface->w, surface->h});
    }

    void set_strip(Sdl<SDL_Surface> strip) override {
        strip_ = std::move(strip);
        strip_is_new_ = strip_ != nullptr;
    }

    void set_pointer(const picture::Cursor& shape, Spot at, bool seen) override {
        for (const Area& area : paper_->set_pointer(shape, at, seen))
            if (!area.empty())
                changed_.add(area);
    }

    void present() override {
        SDL_Surface* surface = paper_->surface();
        if (surface == nullptr)
            return;
        if (strip_) {
            const Area area = common({0, 0, strip_->w, strip_->h}, {0, 0, surface->w, surface->h});
            bool covered = std::exchange(strip_is_new_, false);
            for (const Area& one : changed_.areas())
                covered = covered || !common(one, area).empty();
            if (covered) {
                SDL_BlitSurface(strip_.get(), nullptr, surface, nullptr);
                changed_.add(area);
            }
        }
        if (!changed_.areas().empty())
            paper_->show(*surface, changed_.areas());
        changed_.clear();
    }

    [[nodiscard]] bool draws_pointer() const override { return paper_->draws_pointer(); }

  private:
    static void clear_beside(std::uint32_t* pixels, std::size_t stride, const Area& all,
                             const Area& target) {
        for (int y = 0; y < all.height; ++y) {
            std::uint32_t* row = pixels + static_cast<std::size_t>(y) * stride;
            if (y < target.y || y >= target.y + target.height) {
                std::fill_n(row, all.width, 0U);
                continue;
            }
            std::fill_n(row, std::clamp(target.x, 0, all.width), 0U);
            const int end = std::clamp(target.x + target.width, 0, all.width);
            std::fill_n(row + end, all.width - end, 0U);
        }
    }

    std::unique_ptr<Paper> paper_;
    picture::Damage changed_;
    Sdl<SDL_Surface> strip_;
    bool strip_is_new_ = false;
};

} // namespace

Result<std::unique_ptr<Canvas>> make_surface_canvas(SDL_Window& window) {
    const SDL_Surface* surface = SDL_GetWindowSurface(&window);
    if (surface == nullptr)
        return sdl_failed("the window has no surface");
    const SDL_PixelFormat* format = surface->format;
    if (format->BytesPerPixel != 4 || format->Rmask != 0xFF0000 || format->Gmask != 0xFF00 ||
        format->Bmask != 0xFF)
        return fail(Errc::unsupported, "the display's pixels are not 32 bits of red, green, blue");
    return std::make_unique<SurfaceCanvas>(std::make_unique<WindowPaper>(window));
}

Result<std::unique_ptr<Canvas>> make_bare_canvas(std::unique_ptr<BareScreen> screen) {
    const Spot size = screen->size();
    Sdl<SDL_Surface> surface(
        SDL_CreateRGBSurfaceWithFormat(0, size.x, size.y, 32, SDL_PIXELFORMAT_RGB888));
    if (!surface)
        return sdl_failed("there is no memory for a picture");
    return std::make_unique<SurfaceCanvas>(
        std::make_unique<ScreenPaper>(std::move(screen), std::move(surface)));
}

Result<std::unique_ptr<Canvas>> make_canvas(SDL_Window& window, Draw draw) {
    if (draw == Draw::surface || (draw == Draw::automatic && video_driver_is("x11"))) {
        auto canvas = make_surface_canvas(window);
        if (canvas || draw == Draw::surface)
            return canvas;
    }
    return make_texture_canvas(window);
}

} // namespace baton::viewer
