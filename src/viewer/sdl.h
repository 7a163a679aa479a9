#pragma once

#include "model/error.h"

#include <SDL2/SDL.h>
#include <memory>
#include <string>
#include <string_view>

/// Inside viewer/ alone: SDL's things with an owner.
namespace baton::viewer {

struct SdlFree {
    void operator()(SDL_Window* what) const { SDL_DestroyWindow(what); }

    void operator()(SDL_Surface* what) const { SDL_FreeSurface(what); }

    void operator()(SDL_Renderer* what) const { SDL_DestroyRenderer(what); }

    void operator()(SDL_Texture* what) const { SDL_DestroyTexture(what); }

    void operator()(SDL_Cursor* what) const { SDL_FreeCursor(what); }
};

template <class T>
using Sdl = std::unique_ptr<T, SdlFree>;

/// Whether SDL shows and hears by the driver of that name: "x11", "KMSDRM" (a bare display, by
/// OpenGL).
inline bool video_driver_is(std::string_view name) {
    const char* driver = SDL_GetCurrentVideoDriver();
    return driver != nullptr && driver == name;
}

/// SDL's own word on what just failed.
inline tl::unexpected<Error> sdl_failed(std::string what, std::string hint = {}) {
    return fail(Errc::unsupported, std::move(what) + ": " + SDL_GetError(), std::move(hint));
}

} // namespace baton::viewer
