#pragma once

#include "gateway/notice.h"
#include "model/error.h"

#include <memory>
#include <string>
#include <string_view>

namespace baton::gateway {

/// Draws texts with a font of the system (FreeType). Not thread-safe.
class Lettering {
  public:
    /// Errc::not_found, corrupt: the font's file; the hint says what to install.
    static Result<std::unique_ptr<Lettering>> open(const std::string& font);
    ~Lettering();
    Lettering(const Lettering&) = delete;
    Lettering& operator=(const Lettering&) = delete;

    /// One line of UTF-8 with a margin around it, cut off where it is wider than a screen; what the
    /// font does not have is a box. Errc::invalid_argument: nothing that could be drawn.
    Result<Notice> draw(std::string_view text);

  private:
    struct Library;
    explicit Lettering(std::unique_ptr<Library> library);

    std::unique_ptr<Library> library_;
};

} // namespace baton::gateway
