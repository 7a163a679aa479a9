#include "viewer/canvas.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace baton::viewer {

namespace {

class TextureCanvas : public Canvas {
  public:
    TextureCanvas(SDL_Renderer* renderer, bool draws_pointer)
        : renderer_(renderer), draws_pointer_(draws_pointer) {}

    [[nodiscard]] Spot size() const override {
        Spot size;
        SDL_GetRendererOutputSize(renderer_.get(), &size.x, &size.y);
        return size;
    }

    void draw(const picture::Framebuffer& desktop, const std::vector<Area>& parts,
              const Layout& layout, bool everything) override {
        page_.reset();
        layout_ = layout;
        const rfb::Size size = desktop.size();
        if (!desktop_ || size != desktop_size_) {
            desktop_.reset(SDL_CreateTexture(renderer_.get(), SDL_PIXELFORMAT_RGB888,
                                             SDL_TEXTUREACCESS_STREAMING, size.width, size.height));
            desktop_size_ = size;
            everything = true;
        }
        if (everything) {
            upload(desktop, {0, 0, size.width, size.height});
            return;
        }
        for (const Area& part : parts)
            upload(desktop, part);
    }

    void draw_page(SDL_Surface& page) override {
        page_.reset(SDL_CreateTextureFromSurface(renderer_.get(), &page));
    }

    void set_strip(Sdl<SDL_Surface> strip) override {
        strip_.reset();
        if (!strip)
            return;
        strip_size_ = {strip->w, strip->h};
        strip_.reset(SDL_CreateTextureFromSurface(renderer_.get(), strip.get()));
    }

    void set_pointer(const picture::Cursor& shape, Spot at, bool seen) override {
        pointer_at_ = at;
        pointer_seen_ = seen;
        if (shape == shape_)
            return;
        shape_ = shape;
        pointer_.reset();
        if (shape_.pixels.empty())
            return;
        pointer_.reset(SDL_CreateTexture(renderer_.get(), SDL_PIXELFORMAT_ARGB8888,
                                         SDL_TEXTUREACCESS_STATIC, shape_.width, shape_.height));
        SDL_SetTextureBlendMode(pointer_.get(), SDL_BLENDMODE_BLEND);
        SDL_UpdateTexture(pointer_.get(), nullptr, shape_.pixels.data(), shape_.width * 4);
    }

    void present() override {
        SDL_SetRenderDrawColor(renderer_.get(), 0, 0, 0, SDL_ALPHA_OPAQUE);
        SDL_RenderClear(renderer_.get());
        if (page_) {
            SDL_RenderCopy(renderer_.get(), page_.get(), nullptr, nullptr);
        } else if (desktop_) {
            const SDL_Rect from = rect(layout_.source());
            const SDL_Rect to = rect(layout_.target());
            SDL_RenderCopy(renderer_.get(), desktop_.get(), &from, &to);
        }
        if (strip_ && !page_) {
            const SDL_Rect to{0, 0, strip_size_.x, strip_size_.y};
            SDL_RenderCopy(renderer_.get(), strip_.get(), nullptr, &to);
        }
        if (draws_pointer_ && pointer_seen_ && pointer_) {
            const SDL_Rect to{pointer_at_.x - shape_.hot_x, pointer_at_.y - shape_.hot_y,
                              shape_.width, shape_.height};
            SDL_RenderCopy(renderer_.get(), pointer_.get(), nullptr, &to);
        }
        SDL_RenderPresent(renderer_.get());
    }

    [[nodiscard]] bool draws_pointer() const override { return draws_pointer_; }

  private:
    static SDL_Rect rect(const Area& area) { return {area.x, area.y, area.width, area.height}; }

    void upload(const picture::Framebuffer& desktop, const Area& part) {
        const SDL_Rect area = rect(part);
        SDL_UpdateTexture(desktop_.get(), &area,
                          desktop.row(static_cast<std::size_t>(part.y)) + part.x,
                          static_cast<int>(desktop_size_.width * sizeof(std::uint32_t)));
    }

    Sdl<SDL_Renderer> renderer_; ///< textures go before it
    bool draws_pointer_;
    Sdl<SDL_Texture> desktop_;
    rfb::Size desktop_size_;
    Layout layout_;
    Sdl<SDL_Texture> page_;
    Sdl<SDL_Texture> strip_;
    Spot strip_size_;
    Sdl<SDL_Texture> pointer_;
    picture::Cursor shape_;
    Spot pointer_at_;
    bool pointer_seen_ = false;
};

} // namespace

Result<std::unique_ptr<Canvas>> make_texture_canvas(SDL_Window& window) {
    SDL_Renderer* renderer = SDL_CreateRenderer(&window, -1, SDL_RENDERER_PRESENTVSYNC);
    if (renderer == nullptr)
        return sdl_failed("SDL cannot draw on this display",
                          "is Mesa's software driver (libgl1-mesa-dri) there?");
    return std::make_unique<TextureCanvas>(renderer, video_driver_is("KMSDRM"));
}

} // namespace baton::viewer
