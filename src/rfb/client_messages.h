#pragma once

#include "rfb/cut_text.h"
#include "rfb/encodings.h"
#include "rfb/pixel_format.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// What a viewer says to a screen (RFC 6143, 7.5, and rfbproto), and how it is written. Views are
/// into the reader's input.
namespace baton::rfb {

struct SetPixelFormat {
    PixelFormat format;
    bool operator==(const SetPixelFormat&) const = default;
};

struct SetEncodings {
    std::string_view list; ///< as on the wire, 4 bytes each

    [[nodiscard]] std::size_t size() const { return list.size() / 4; }

    [[nodiscard]] Encoding at(std::size_t index) const;
    bool operator==(const SetEncodings&) const = default;
};

struct UpdateRequest {
    bool incremental = true;
    std::uint16_t x = 0;
    std::uint16_t y = 0;
    std::uint16_t width = 0;
    std::uint16_t height = 0;
    bool operator==(const UpdateRequest&) const = default;
};

struct KeyEvent {
    bool down = false;
    std::uint32_t keysym = 0; ///< of X11
    bool operator==(const KeyEvent&) const = default;
};

struct PointerEvent {
    std::uint8_t buttons = 0; ///< bit 0 is the left one
    std::uint16_t x = 0;
    std::uint16_t y = 0;
    bool operator==(const PointerEvent&) const = default;
};

/// Its bytes follow as body.
struct ClientCutText : CutText {};

struct EnableContinuousUpdates {
    bool enable = false;
    std::uint16_t x = 0;
    std::uint16_t y = 0;
    std::uint16_t width = 0;
    std::uint16_t height = 0;
    bool operator==(const EnableContinuousUpdates&) const = default;
};

/// Either side's fence (message 248).
struct Fence {
    std::uint32_t flags = 0;
    std::string_view payload;
    bool operator==(const Fence&) const = default;
};

struct SetDesktopSize {
    std::uint16_t width = 0;
    std::uint16_t height = 0;
    std::string_view screens; ///< as on the wire, 16 bytes each
    bool operator==(const SetDesktopSize&) const = default;
};

/// QEMU Extended Key Event: the key's XT scan code beside its keysym.
struct QemuKey {
    bool down = false;
    std::uint32_t keysym = 0;
    std::uint32_t keycode = 0;
    bool operator==(const QemuKey&) const = default;
};

/// QEMU Audio, the viewer's side.
struct QemuAudio {
    enum class Operation : std::uint8_t { enable = 0, disable = 1, set_format = 2 };
    Operation operation = Operation::enable;
    std::uint8_t sample_format = 0; ///< of set_format: 0 U8, 1 S8, 2 U16, 3 S16, 4 U32, 5 S32
    std::uint8_t channels = 0;
    std::uint32_t frequency_hz = 0;
    bool operator==(const QemuAudio&) const = default;
};

/// xvp: shut down, reboot, reset. Framed so that it can be dropped.
struct Xvp {
    std::uint8_t code = 0;
    bool operator==(const Xvp&) const = default;
};

using ClientMessage =
    std::variant<SetPixelFormat, SetEncodings, UpdateRequest, KeyEvent, PointerEvent, ClientCutText,
                 EnableContinuousUpdates, Fence, SetDesktopSize, QemuKey, QemuAudio, Xvp>;

void write(std::string& out, const SetPixelFormat& message);
void write(std::string& out, const SetEncodings& message);
void write_encodings(std::string& out, const std::vector<Encoding>& encodings);
void write(std::string& out, const UpdateRequest& message);
void write(std::string& out, const KeyEvent& message);
void write(std::string& out, const PointerEvent& message);
void write(std::string& out, const ClientCutText& message);
void write(std::string& out, const EnableContinuousUpdates& message);
void write(std::string& out, const Fence& message);
void write(std::string& out, const SetDesktopSize& message);
void write(std::string& out, const QemuKey& message);
void write(std::string& out, const QemuAudio& message);
void write(std::string& out, const Xvp& message);

} // namespace baton::rfb
