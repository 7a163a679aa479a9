#include "rfb/client_reader.h"

#include "rfb/limits.h"
#include "rfb/message_types.h"
#include "rfb/wire.h"

#include <fmt/format.h>

#include <algorithm>

namespace baton::rfb {

namespace {

/// A message's bytes, or none while some are missing.
struct Parsed {
    std::size_t bytes = 0;
    std::optional<ClientMessage> message;
};

Result<Parsed> parse_pixel_format(std::string_view input) {
    constexpr std::size_t head = 4;
    if (input.size() < head + PixelFormat::wire_bytes)
        return Parsed{};
    auto format = read_pixel_format(input, head);
    if (!format)
        return tl::unexpected(std::move(format).error());
    return Parsed{head + PixelFormat::wire_bytes, SetPixelFormat{*format}};
}

Result<Parsed> parse_encodings(std::string_view input) {
    if (input.size() < 4)
        return Parsed{};
    const std::size_t count = get16(input, 2);
    if (count > most_encodings)
        return bad_viewer(fmt::format("the viewer announces {} encodings", count));
    if (input.size() < 4 + count * 4)
        return Parsed{};
    return Parsed{4 + count * 4, SetEncodings{input.substr(4, count * 4)}};
}

Result<Parsed> parse_fence(std::string_view input) {
    constexpr std::size_t head = 9;
    if (input.size() < head)
        return Parsed{};
    const std::size_t length = get8(input, 8);
    if (length > most_fence_bytes)
        return bad_viewer(fmt::format("the viewer sent a fence of {} bytes", length));
    if (input.size() < head + length)
        return Parsed{};
    return Parsed{head + length, Fence{get32(input, 4), input.substr(head, length)}};
}

Result<Parsed> parse_desktop_size(std::string_view input) {
    constexpr std::size_t head = 8;
    constexpr std::size_t screen_bytes = 16;
    if (input.size() < head)
        return Parsed{};
    const std::size_t count = get8(input, 6);
    if (count > most_screens)
        return bad_viewer(fmt::format("the viewer asks for a desktop of {} screens", count));
    if (input.size() < head + count * screen_bytes)
        return Parsed{};
    return Parsed{
        head + count * screen_bytes,
        SetDesktopSize{get16(input, 2), get16(input, 4), input.substr(head, count * screen_bytes)}};
}

Result<Parsed> parse_qemu(std::string_view input) {
    if (input.size() < 2)
        return Parsed{};
    const std::uint8_t kind = get8(input, 1);
    if (kind == qemu_type::key) {
        if (input.size() < 12)
            return Parsed{};
        return Parsed{12, QemuKey{get16(input, 2) != 0, get32(input, 4), get32(input, 8)}};
    }
    if (kind != qemu_type::audio)
        return bad_viewer(fmt::format("the viewer sent QEMU's message of unknown kind {}", kind));
    if (input.size() < 4)
        return Parsed{};
    const std::uint16_t operation = get16(input, 2);
    if (operation > 2)
        return bad_viewer(fmt::format("the viewer wants unknown audio operation {}", operation));
    QemuAudio audio{static_cast<QemuAudio::Operation>(operation)};
    if (audio.operation != QemuAudio::Operation::set_format)
        return Parsed{4, audio};
    if (input.size() < 10)
        return Parsed{};
    audio.sample_format = get8(input, 4);
    audio.channels = get8(input, 5);
    audio.frequency_hz = get32(input, 6);
    return Parsed{10, audio};
}

Result<Parsed> parse_cut_text(std::string_view input) {
    ClientCutText text;
    auto head = read_cut_text(input, text);
    if (!head)
        return tl::unexpected(std::move(head).error());
    if (*head == 0)
        return Parsed{};
    return Parsed{*head, text};
}

/// Messages of one length.
Parsed parse_fixed(std::string_view input) {
    switch (get8(input, 0)) {
    case client_type::update_request:
        if (input.size() >= 10)
            return {10, UpdateRequest{get8(input, 1) != 0, get16(input, 2), get16(input, 4),
                                      get16(input, 6), get16(input, 8)}};
        break;
    case client_type::key:
        if (input.size() >= 8)
            return {8, KeyEvent{get8(input, 1) != 0, get32(input, 4)}};
        break;
    case client_type::pointer:
        if (input.size() >= 6)
            return {6, PointerEvent{get8(input, 1), get16(input, 2), get16(input, 4)}};
        break;
    case client_type::enable_continuous_updates:
        if (input.size() >= 10)
            return {10, EnableContinuousUpdates{get8(input, 1) != 0, get16(input, 2),
                                                get16(input, 4), get16(input, 6), get16(input, 8)}};
        break;
    default: // xvp
        if (input.size() >= 4)
            return {4, Xvp{get8(input, 3)}};
        break;
    }
    return {};
}

Result<Parsed> parse(std::string_view input) {
    switch (get8(input, 0)) {
    case client_type::set_pixel_format:
        return parse_pixel_format(input);
    case client_type::set_encodings:
        return parse_encodings(input);
    case client_type::update_request:
    case client_type::key:
    case client_type::pointer:
    case client_type::enable_continuous_updates:
    case client_type::xvp:
        return parse_fixed(input);
    case client_type::cut_text:
        return parse_cut_text(input);
    case client_type::fence:
        return parse_fence(input);
    case client_type::set_desktop_size:
        return parse_desktop_size(input);
    case client_type::qemu:
        return parse_qemu(input);
    default:
        return bad_viewer(
            fmt::format("the viewer sent a message of the unknown kind {}", get8(input, 0)));
    }
}

} // namespace

Result<ClientEvent> ClientReader::next(std::string_view input) {
    if (input.empty())
        return ClientEvent{};
    if (body_ != 0) {
        const auto some = std::min<std::size_t>(body_, input.size());
        body_ -= static_cast<std::uint32_t>(some);
        return ClientEvent{ClientEvent::Part::body, input.substr(0, some), {}, body_ == 0};
    }
    auto parsed = parse(input);
    if (!parsed)
        return tl::unexpected(std::move(parsed).error());
    if (parsed->bytes == 0)
        return ClientEvent{};
    if (const auto* text = std::get_if<ClientCutText>(&*parsed->message))
        body_ = text->bytes;
    return ClientEvent{ClientEvent::Part::message, input.substr(0, parsed->bytes),
                       std::move(parsed->message), body_ == 0};
}

} // namespace baton::rfb
