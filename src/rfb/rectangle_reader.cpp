#include "rfb/rectangle_reader.h"

#include "rfb/limits.h"
#include "rfb/tight_reader.h"
#include "rfb/wire.h"

#include <fmt/format.h>

#include <algorithm>

namespace baton::rfb {

Result<void> RectangleReader::begin(const Rectangle& rectangle, const PixelFormat& format) {
    rectangle_ = rectangle;
    format_ = format;
    left_ = 0;
    if (is_picture(rectangle.encoding)) {
        begin_picture(format);
        return {};
    }
    return begin_pseudo(format);
}

void RectangleReader::begin_picture(const PixelFormat& format) {
    switch (rectangle_.encoding) {
    case Encoding::raw:
        expect(area() * format.pixel_bytes());
        break;
    case Encoding::copy_rect:
        expect(4);
        break;
    case Encoding::hextile:
        hextile_.begin(rectangle_, format.pixel_bytes());
        step_ = hextile_.done() ? Step::done : Step::hextile;
        break;
    case Encoding::rre:
    case Encoding::corre:
        step_ = Step::rre_count;
        break;
    case Encoding::tight:
    case Encoding::tight_png:
        step_ = Step::tight;
        break;
    case Encoding::zlib:
        deflated_.inflater = Inflater::zlib;
        step_ = Step::deflate;
        break;
    default: // ZRLE, and ZYWRLE, which is framed alike
        deflated_.inflater = Inflater::zrle;
        step_ = Step::deflate;
        break;
    }
}

Result<void> RectangleReader::begin_pseudo(const PixelFormat& format) {
    switch (rectangle_.encoding) {
    case Encoding::desktop_size:
    case Encoding::last_rect:
    case Encoding::qemu_pointer_motion_change:
    case Encoding::qemu_extended_key:
    case Encoding::qemu_audio:
        expect(0);
        return {};
    case Encoding::qemu_led_state:
        expect(1);
        return {};
    case Encoding::cursor:
        expect(area() * format.pixel_bytes() + mask_bytes());
        return {};
    case Encoding::x_cursor: // two colours and two masks, or nothing
        expect(area() == 0 ? 0 : 6 + 2 * mask_bytes());
        return {};
    case Encoding::cursor_with_alpha:
        step_ = Step::cursor_encoding;
        return {};
    case Encoding::desktop_name:
        step_ = Step::name_length;
        return {};
    case Encoding::extended_desktop_size:
        step_ = Step::screens;
        return {};
    default:
        return not_rfb(
            fmt::format("the screen used {}, which was not offered", name_of(rectangle_.encoding)));
    }
}

void RectangleReader::expect(std::uint64_t bytes, Step after) {
    left_ = bytes;
    after_ = after;
    step_ = bytes == 0 ? after : Step::body;
}

ServerEvent RectangleReader::event(ServerEvent::Part part, std::string_view bytes) const {
    return {part, bytes, done(), false};
}

Result<ServerEvent> RectangleReader::next(std::string_view input) {
    switch (step_) {
    case Step::body:
        return read_body(input);
    case Step::hextile:
        return read_hextile(input);
    case Step::deflate:
        return read_deflate(input);
    case Step::tight:
        return read_tight(input);
    case Step::tight_length:
        return read_tight_length(input);
    case Step::done:
        return ServerEvent{};
    default:
        return read_prefix(input);
    }
}

Result<ServerEvent> RectangleReader::read_body(std::string_view input) {
    const std::size_t some = std::min<std::uint64_t>(left_, input.size());
    if (some == 0)
        return ServerEvent{};
    left_ -= some;
    if (left_ == 0)
        step_ = after_;
    return event(ServerEvent::Part::body, input.substr(0, some));
}

Result<ServerEvent> RectangleReader::read_hextile(std::string_view input) {
    const std::size_t some = hextile_.walk(input);
    if (some == 0)
        return ServerEvent{};
    if (hextile_.done())
        step_ = Step::done;
    return event(ServerEvent::Part::body, input.substr(0, some));
}

/// Deflate makes nothing much longer than it was: more is a lie, or would not be drawn.
Result<void> RectangleReader::plausible(std::uint64_t length, std::uint64_t plain) const {
    if (length > 2 * plain + 65536)
        return not_rfb(fmt::format("a {} rectangle of {}x{} announces {} bytes",
                                   name_of(rectangle_.encoding), rectangle_.width,
                                   rectangle_.height, length));
    return {};
}

Result<ServerEvent> RectangleReader::read_deflate(std::string_view input) {
    if (input.size() < 4)
        return ServerEvent{};
    deflated_.bytes = get32(input, 0);
    BATON_TRY(plausible(deflated_.bytes, area() * format_.pixel_bytes()));
    expect(deflated_.bytes);
    return event(ServerEvent::Part::deflate, input.substr(0, 4));
}

Result<ServerEvent> RectangleReader::read_tight(std::string_view input) {
    const auto head = read_tight_head(input, rectangle_, format_);
    if (!head)
        return tl::unexpected(head.error());
    if (head->bytes == 0)
        return ServerEvent{};
    deflated_.inflater = head->inflater;
    plain_ = head->data;
    image_ = head->image;
    expect(head->plain, head->deflated || head->image ? Step::tight_length : Step::done);
    return event(ServerEvent::Part::tight, input.substr(0, head->bytes));
}

Result<ServerEvent> RectangleReader::read_tight_length(std::string_view input) {
    const CompactLength length = read_compact_length(input);
    if (length.bytes == 0)
        return ServerEvent{};
    expect(length.value);
    if (image_)
        return event(ServerEvent::Part::body, input.substr(0, length.bytes));
    deflated_.bytes = length.value;
    BATON_TRY(plausible(length.value, plain_));
    return event(ServerEvent::Part::deflate, input.substr(0, length.bytes));
}

/// How many bytes follow the four that begin such a rectangle.
Result<std::uint64_t> RectangleReader::counted(std::string_view input) const {
    const std::uint64_t count = get32(input, 0);
    switch (step_) {
    case Step::rre_count: {
        const std::uint64_t each = rectangle_.encoding == Encoding::rre ? 8 : 4;
        if (count > area())
            return not_rfb(fmt::format("an {} rectangle of {}x{} announces {} parts",
                                       name_of(rectangle_.encoding), rectangle_.width,
                                       rectangle_.height, count));
        return format_.pixel_bytes() + count * (format_.pixel_bytes() + each);
    }
    case Step::name_length:
        if (count > most_text_bytes)
            return not_rfb(fmt::format("the screen announces a name of {} bytes", count));
        return count;
    case Step::screens:
        if (get8(input, 0) > most_screens)
            return not_rfb(fmt::format("the screen has {} screens", get8(input, 0)));
        return std::uint64_t{get8(input, 0)} * 16;
    default: // a cursor with alpha: always 32 bits
        if (encoding_from(get32(input, 0)) != Encoding::raw)
            return not_rfb("the screen sent a cursor in " +
                           name_of(encoding_from(get32(input, 0))));
        return area() * 4;
    }
}

Result<ServerEvent> RectangleReader::read_prefix(std::string_view input) {
    if (input.size() < 4)
        return ServerEvent{};
    const auto bytes = counted(input);
    if (!bytes)
        return tl::unexpected(bytes.error());
    expect(*bytes);
    return event(ServerEvent::Part::body, input.substr(0, 4));
}

} // namespace baton::rfb
