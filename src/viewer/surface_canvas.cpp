#include "viewer/canvas.h"
#include "viewer/scaling.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace baton::viewer {

namespace {

SDL_Rect rect_of(const Area& area) {
    return {area.x, area.y, area.width, area.height};
}

class SurfaceCanvas : public Canvas {
  public:
    explicit SurfaceCanvas(SDL_Window& window) : window_(window) {}

    [[nodiscard]] Spot size() const override {
        Spot size;
        SDL_GetWindowSize(&window_, &size.x, &size.y);
        return size;
    }

    void draw(const picture::Framebuffer& desktop, const std::vector<Area>& parts,
              const Layout& layout, bool everything) override {
        SDL_Surface* surface = SDL_GetWindowSurface(&window_);
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
        SDL_Surface* surface = SDL_GetWindowSurface(&window_);
        if (surface == nullptr)
            return;
        SDL_BlitSurface(&page, nullptr, surface, nullptr);
        changed_.add({0, 0, surface->w, surface->h});
    }

    void set_strip(Sdl<SDL_Surface> strip) override {
        strip_ = std::move(strip);
        strip_is_new_ = strip_ != nullptr;
    }

    void set_pointer(const picture::Cursor& /*shape*/, Spot /*at*/, bool /*seen*/) override {}

    void present() override {
        SDL_Surface* surface = SDL_GetWindowSurface(&window_);
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
        std::vector<SDL_Rect> rects;
        for (const Area& one : changed_.areas())
            rects.push_back(rect_of(one));
        if (!rects.empty())
            SDL_UpdateWindowSurfaceRects(&window_, rects.data(), static_cast<int>(rects.size()));
        changed_.clear();
    }

    [[nodiscard]] bool draws_pointer() const override { return false; }

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

    SDL_Window& window_;
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
    return std::make_unique<SurfaceCanvas>(window);
}

Result<std::unique_ptr<Canvas>> make_canvas(SDL_Window& window, Draw draw) {
    const char* driver = SDL_GetCurrentVideoDriver();
    const bool x11 = driver != nullptr && std::string_view(driver) == "x11";
    if (draw == Draw::surface || (draw == Draw::automatic && x11)) {
        auto canvas = make_surface_canvas(window);
        if (canvas || draw == Draw::surface)
            return canvas;
    }
    return make_texture_canvas(window);
}

} // namespace baton::viewer
