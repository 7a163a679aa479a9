#include "picture/viewing.h"

#include "picture/clipboard.h"
#include "rfb/client_messages.h"
#include "rfb/message_types.h"
#include "rfb/wire.h"

#include <algorithm>
#include <utility>

namespace baton::picture {

using rfb::Encoding;
using rfb::ServerEvent;
namespace clip = rfb::clipboard;

namespace {

std::vector<Encoding> all_of(const Wishes& wishes) {
    std::vector<Encoding> list = wishes.encodings;
    for (const Encoding one :
         {Encoding::desktop_size, Encoding::extended_desktop_size, Encoding::last_rect,
          Encoding::cursor_with_alpha, Encoding::cursor, Encoding::x_cursor, Encoding::desktop_name,
          Encoding::qemu_extended_key, Encoding::qemu_led_state, Encoding::fence,
          Encoding::continuous_updates})
        list.push_back(one);
    if (wishes.clipboard)
        list.push_back(Encoding::extended_clipboard);
    const auto level = [&](Encoding least, int value) {
        list.push_back(
            static_cast<Encoding>(static_cast<std::int32_t>(least) + std::clamp(value, 0, 9)));
    };
    if (wishes.quality)
        level(Encoding::quality_0, *wishes.quality);
    if (wishes.compression)
        level(Encoding::compression_0, *wishes.compression);
    return list;
}

} // namespace

Viewing::Viewing(const rfb::ServerInit& init, const Wishes& wishes, Framebuffer before)
    : reader_({init.width, init.height}, rfb::PixelFormat{}),
      decoder_(reader_.size(), std::move(before)),
      size_(reader_.size()) {
    decoder_.set_name(init.name);
    write(out_, rfb::SetPixelFormat{});
    write_encodings(out_, all_of(wishes));
    request(false);
}

std::string Viewing::take_output() {
    return std::exchange(out_, {});
}

Result<void> Viewing::feed(std::string_view bytes) {
    std::string joined; // rare: a head was cut; it has at most 16 bytes
    if (!rest_.empty()) {
        joined = std::exchange(rest_, {});
        joined += bytes;
        bytes = joined;
    }
    for (;;) {
        const auto event = reader_.next(bytes);
        if (!event)
            return tl::unexpected(event.error());
        if (event->part == ServerEvent::Part::need_more)
            break;
        bytes.remove_prefix(event->bytes.size());
        BATON_TRY(take(*event));
    }
    rest_.assign(bytes);
    return {};
}

Result<void> Viewing::take(const ServerEvent& event) {
    BATON_TRY(decoder_.take(reader_, event));
    switch (event.part) {
    case ServerEvent::Part::update:
        in_update_ = true;
        pixels_ = false;
        // the next one is asked for while this one is still on its way
        if (!continuous_)
            request(true);
        break;
    case ServerEvent::Part::rectangle:
        begin_rectangle();
        break;
    case ServerEvent::Part::message:
        in_update_ = false;
        body_.clear();
        break;
    case ServerEvent::Part::body:
        if (!in_update_ && (reader_.message().type == rfb::server_type::fence ||
                            reader_.message().type == rfb::server_type::cut_text))
            body_.append(event.bytes);
        break;
    default:
        break;
    }
    if (!event.ends_message)
        return {};
    if (!in_update_)
        return end_message();
    end_update();
    return {};
}

void Viewing::begin_rectangle() {
    const rfb::Rectangle& rectangle = reader_.rectangle();
    pixels_ = pixels_ || rfb::is_picture(rectangle.encoding);
    if (rectangle.encoding == Encoding::qemu_extended_key)
        extended_keys_ = true;
    resized_ = resized_ || std::exchange(size_, reader_.size()) != reader_.size();
}

void Viewing::end_update() {
    frames_ += pixels_ ? 1 : 0;
    if (!std::exchange(resized_, false))
        return;
    request(false);
    if (continuous_)
        write(out_, rfb::EnableContinuousUpdates{true, 0, 0, reader_.size().width,
                                                 reader_.size().height});
}

void Viewing::request(bool incremental) {
    const rfb::Size size = reader_.size();
    write(out_, rfb::UpdateRequest{incremental, 0, 0, size.width, size.height});
}

Result<void> Viewing::end_message() {
    constexpr std::uint32_t fence_request = 0x80000000;
    constexpr std::uint32_t fence_known = 7; // block before, block after, sync next
    switch (reader_.message().type) {
    case rfb::server_type::bell:
        ++bells_;
        return {};
    case rfb::server_type::cut_text:
        return end_clipboard();
    case rfb::server_type::fence:
        if ((reader_.message().fence_flags & fence_request) != 0)
            write(out_, rfb::Fence{reader_.message().fence_flags & fence_known, body_});
        return {};
    case rfb::server_type::end_of_continuous_updates:
        // the first one says that the screen knows how
        if (!std::exchange(continuous_, true))
            write(out_, rfb::EnableContinuousUpdates{true, 0, 0, reader_.size().width,
                                                     reader_.size().height});
        return {};
    default:
        return {};
    }
}

void Viewing::say(const Key& key, bool down) {
    if (extended_keys_ && key.scan_code != 0)
        write(out_, rfb::QemuKey{down, key.keysym, key.scan_code});
    else if (key.keysym != 0)
        write(out_, rfb::KeyEvent{down, key.keysym});
}

void Viewing::press(const Key& key) {
    if (const auto said = keys_.press(key))
        say(*said, true);
}

void Viewing::release(const Key& key) {
    if (const auto said = keys_.release(key))
        say(*said, false);
}

void Viewing::release_all() {
    for (const Key& key : keys_.release_all())
        say(key, false);
}

void Viewing::pointer(std::uint8_t buttons, int x, int y) {
    const rfb::Size size = reader_.size();
    write(out_,
          rfb::PointerEvent{buttons, static_cast<std::uint16_t>(std::clamp(x, 0, size.width - 1)),
                            static_cast<std::uint16_t>(std::clamp(y, 0, size.height - 1))});
}

void Viewing::say_extended(std::uint32_t flags, std::string_view content) {
    write(out_, rfb::ClientCutText{{true, flags, static_cast<std::uint32_t>(content.size())}});
    out_ += content;
}

void Viewing::offer_clipboard(std::string text) {
    if (text.size() > most_clipboard_bytes)
        return;
    ours_ = std::move(text);
    if (extended_clipboard_) {
        say_extended(clip::notify | clip::text, {});
        return;
    }
    const std::string plain = to_latin1(ours_);
    write(out_, rfb::ClientCutText{{false, 0, static_cast<std::uint32_t>(plain.size())}});
    out_ += plain;
}

std::optional<std::string> Viewing::take_clipboard() {
    return std::exchange(theirs_, std::nullopt);
}

Result<void> Viewing::end_clipboard() {
    const rfb::CutText& text = reader_.message().text;
    if (!text.extended) {
        theirs_ = from_latin1(body_);
        return {};
    }
    // capabilities name the other actions
    if ((text.flags & clip::caps) != 0 || (text.flags & clip::provide) == 0) {
        take_extended(text.flags);
        return {};
    }
    auto content = unpack_clipboard(text.flags, body_);
    if (!content)
        return tl::unexpected(content.error());
    if (*content)
        theirs_ = std::move(**content);
    return {};
}

void Viewing::take_extended(std::uint32_t flags) {
    if ((flags & clip::caps) != 0) {
        extended_clipboard_ = true;
        std::string most; // how large a text may come without having been asked for
        rfb::put32(most, 0);
        say_extended(clip::caps | clip::request | clip::peek | clip::notify | clip::provide |
                         clip::text,
                     most);
    } else if ((flags & clip::notify) != 0 && (flags & clip::text) != 0) {
        say_extended(clip::request | clip::text, {});
    } else if ((flags & clip::peek) != 0) {
        say_extended(clip::notify | (ours_.empty() ? 0 : clip::text), {});
    } else if ((flags & clip::request) != 0 && (flags & clip::text) != 0) {
        say_extended(clip::provide | clip::text, pack_clipboard(ours_));
    }
}

} // namespace baton::picture
