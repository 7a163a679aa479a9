#pragma once

#include "net/descriptor.h"
#include "picture/cursor.h"
#include "viewer/layout.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

/// Inside viewer/ alone.
namespace baton::viewer {

/// The screen of a PC without a window system: a graphics card's KMS with one "dumb" buffer, which
/// is memory that the processor writes. Every driver of the kernel has it, also simpledrm, which
/// shows what the firmware has set up where a card has no driver; and it takes no OpenGL. One
/// thread.
class BareScreen {
  public:
    /// The first card with a screen that is switched on, in that screen's preferred mode. Fails
    /// with Errc::unsupported where there is none, Errc::forbidden or Errc::busy where it may not
    /// be used or another program has it.
    static Result<std::unique_ptr<BareScreen>> open();

    ~BareScreen();
    BareScreen(const BareScreen&) = delete;
    BareScreen& operator=(const BareScreen&) = delete;

    /// In pixels.
    [[nodiscard]] Spot size() const { return size_; }

    /// The pointer, drawn over every picture from the next show() on. `seen` false: none.
    void set_pointer(const picture::Cursor& shape, Spot at, bool seen);
    /// Where it is drawn; empty: nowhere.
    [[nodiscard]] Area pointer_area() const;

    /// Shows these parts of a picture as large as the screen, of 0x00RRGGBB; `stride` in pixels.
    void show(const std::uint32_t* picture, std::size_t stride, const std::vector<Area>& parts);

  private:
    explicit BareScreen(int card) : card_(card) {}

    Result<void> light_up();
    Result<void> make_buffer();
    void show_row(const std::uint32_t* row, const Area& part, int y);

    net::Descriptor card_;
    Spot size_;
    std::uint32_t buffer_ = 0; ///< the kernel's handle
    std::uint32_t framebuffer_ = 0;
    std::uint64_t length_ = 0;
    std::size_t stride_ = 0; ///< in pixels
    std::uint32_t* pixels_ = nullptr;
    bool wants_to_know_ = true; ///< what was changed: drivers that copy it to the card
    picture::Cursor shape_;
    Spot at_;
    bool seen_ = false;
    std::vector<std::uint32_t> row_; ///< with the pointer on it
};

/// One pixel of a pointer (0xAARRGGBB, not premultiplied) over one of a picture. Pure.
std::uint32_t blended(std::uint32_t below, std::uint32_t above);

} // namespace baton::viewer
