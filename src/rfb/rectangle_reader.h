#pragma once

#include "model/error.h"
#include "rfb/hextile_reader.h"
#include "rfb/server_event.h"

#include <cstdint>
#include <string_view>

namespace baton::rfb {

/// Where one rectangle ends: what follows its head. Used by ServerReader.
class RectangleReader {
  public:
    /// Errc::corrupt: an encoding that is not framed here.
    Result<void> begin(const Rectangle& rectangle, const PixelFormat& format);

    /// Parts tight, deflate and body; ends_rectangle with the last of them.
    Result<ServerEvent> next(std::string_view input);

    [[nodiscard]] bool done() const { return step_ == Step::done; }

    [[nodiscard]] const Deflated& deflated() const { return deflated_; }

  private:
    enum class Step : std::uint8_t {
        done,
        body, ///< left_ bytes, then after_
        deflate,
        hextile,
        tight,
        tight_length,
        rre_count,
        name_length,
        screens,
        cursor_encoding,
    };

    void expect(std::uint64_t bytes, Step after = Step::done);
    void begin_picture(const PixelFormat& format);
    Result<void> begin_pseudo(const PixelFormat& format);
    Result<ServerEvent> read_body(std::string_view input);
    Result<ServerEvent> read_hextile(std::string_view input);
    Result<ServerEvent> read_deflate(std::string_view input);
    Result<ServerEvent> read_tight(std::string_view input);
    Result<ServerEvent> read_tight_length(std::string_view input);
    Result<ServerEvent> read_prefix(std::string_view input);
    [[nodiscard]] Result<std::uint64_t> counted(std::string_view input) const;
    [[nodiscard]] ServerEvent event(ServerEvent::Part part, std::string_view bytes) const;
    [[nodiscard]] Result<void> plausible(std::uint64_t length, std::uint64_t plain) const;

    [[nodiscard]] std::uint64_t area() const {
        return std::uint64_t{rectangle_.width} * rectangle_.height;
    }

    [[nodiscard]] std::uint64_t mask_bytes() const {
        return (rectangle_.width + 7ULL) / 8 * rectangle_.height;
    }

    Step step_ = Step::done;
    Step after_ = Step::done;
    std::uint64_t left_ = 0;
    Rectangle rectangle_;
    PixelFormat format_;
    Deflated deflated_;
    std::uint64_t plain_ = 0; ///< of Tight's data
    bool image_ = false;
    HextileReader hextile_;
};

} // namespace baton::rfb
