#include "rfb/server_reader.h"

#include "rfb/limits.h"
#include "rfb/message_types.h"
#include "rfb/wire.h"

#include <fmt/format.h>

#include <algorithm>

namespace baton::rfb {

void ServerReader::set_pixel_format(const PixelFormat& format) {
    next_format_ = format;
    format_changes_ = true;
    if (at_boundary()) {
        format_ = format;
        format_changes_ = false;
    }
}

Result<ServerEvent> ServerReader::next(std::string_view input) {
    switch (step_) {
    case Step::message:
        return read_message(input);
    case Step::rectangle_head:
        return read_rectangle(input);
    case Step::in_rectangle:
        return read_in_rectangle(input);
    default:
        return read_body(input);
    }
}

WholeRectangles ServerReader::pass_whole(std::string_view input, InflaterSet begun) {
    if (step_ != Step::rectangle_head || rectangles_left_ < 2)
        return {};
    const auto passed = find_whole_rectangles(input, size_, format_, begun, rectangles_left_ - 1);
    rectangles_left_ -= passed.count;
    return passed;
}

Result<ServerEvent> ServerReader::read_message(std::string_view input) {
    if (input.empty())
        return ServerEvent{};
    if (format_changes_) {
        format_ = next_format_;
        format_changes_ = false;
    }
    if (get8(input, 0) == server_type::update)
        return read_update(input);
    message_ = {};
    message_.type = get8(input, 0);
    const auto head = read_head(input);
    if (!head)
        return tl::unexpected(head.error());
    if (*head == 0)
        return ServerEvent{};
    body_left_ = message_.body_bytes;
    step_ = body_left_ == 0 ? Step::message : Step::body;
    return ServerEvent{ServerEvent::Part::message, input.substr(0, *head), false, at_boundary()};
}

Result<ServerEvent> ServerReader::read_update(std::string_view input) {
    if (input.size() < 4)
        return ServerEvent{};
    rectangles_left_ = get16(input, 2);
    step_ = rectangles_left_ == 0 ? Step::message : Step::rectangle_head;
    return ServerEvent{ServerEvent::Part::update, input.substr(0, 4), false, at_boundary()};
}

Result<ServerEvent> ServerReader::read_rectangle(std::string_view input) {
    constexpr std::size_t head = 12;
    if (input.size() < head)
        return ServerEvent{};
    rectangle_ = {get16(input, 0), get16(input, 2), get16(input, 4), get16(input, 6),
                  encoding_from(get32(input, 8))};
    BATON_TRY(check_bounds());
    BATON_TRY(take_size());
    BATON_TRY(in_rectangle_.begin(rectangle_, format_));
    --rectangles_left_;
    step_ = Step::in_rectangle;
    ServerEvent event{ServerEvent::Part::rectangle, input.substr(0, head), in_rectangle_.done(),
                      false};
    end_rectangle(event);
    return event;
}

Result<ServerEvent> ServerReader::read_in_rectangle(std::string_view input) {
    auto event = in_rectangle_.next(input);
    if (event)
        end_rectangle(*event);
    return event;
}

void ServerReader::end_rectangle(ServerEvent& event) {
    if (!event.ends_rectangle)
        return;
    if (rectangle_.encoding == Encoding::last_rect)
        rectangles_left_ = 0;
    event.ends_message = rectangles_left_ == 0;
    step_ = event.ends_message ? Step::message : Step::rectangle_head;
}

ServerEvent ServerReader::read_body(std::string_view input) {
    const std::size_t some = std::min<std::size_t>(body_left_, input.size());
    if (some == 0)
        return {};
    body_left_ -= static_cast<std::uint32_t>(some);
    if (body_left_ == 0)
        step_ = Step::message;
    return {ServerEvent::Part::body, input.substr(0, some), false, at_boundary()};
}

Result<void> ServerReader::check_bounds() const {
    const Rectangle& one = rectangle_;
    if (is_picture(one.encoding) &&
        (one.x + one.width > size_.width || one.y + one.height > size_.height))
        return not_rfb(fmt::format("the screen of {}x{} sent a rectangle of {}x{} at {},{}",
                                   size_.width, size_.height, one.width, one.height, one.x, one.y));
    const bool cursor = one.encoding == Encoding::cursor || one.encoding == Encoding::x_cursor ||
                        one.encoding == Encoding::cursor_with_alpha;
    constexpr std::uint32_t most_cursor_side = 4096;
    if (cursor && (one.width > most_cursor_side || one.height > most_cursor_side))
        return not_rfb(
            fmt::format("the screen sent a pointer's shape of {}x{}", one.width, one.height));
    return {};
}

Result<void> ServerReader::take_size() {
    const bool plain = rectangle_.encoding == Encoding::desktop_size;
    // x says who asked (1: this viewer), y whether it was done (0)
    const bool extended = rectangle_.encoding == Encoding::extended_desktop_size &&
                          !(rectangle_.x == 1 && rectangle_.y != 0);
    if (!plain && !extended)
        return {};
    const std::uint64_t pixels = std::uint64_t{rectangle_.width} * rectangle_.height;
    if (pixels == 0 || pixels > most_pixels)
        return not_rfb(fmt::format("the screen says that its size is {}x{}", rectangle_.width,
                                   rectangle_.height));
    size_ = {rectangle_.width, rectangle_.height};
    return {};
}

Result<std::size_t> ServerReader::read_head(std::string_view input) {
    switch (message_.type) {
    case server_type::colours:
        if (input.size() < 6)
            return 0;
        message_.body_bytes = get16(input, 4) * 6U;
        return 6;
    case server_type::bell:
    case server_type::end_of_continuous_updates:
        return 1;
    case server_type::cut_text: {
        auto head = read_cut_text(input, message_.text);
        message_.body_bytes = message_.text.bytes;
        return head;
    }
    case server_type::fence:
        if (input.size() < 9)
            return 0;
        if (get8(input, 8) > most_fence_bytes)
            return not_rfb(fmt::format("the screen sent a fence of {} bytes", get8(input, 8)));
        message_.fence_flags = get32(input, 4);
        message_.body_bytes = get8(input, 8);
        return 9;
    case server_type::xvp:
        return input.size() < 4 ? 0 : 4;
    case server_type::qemu:
        return read_qemu_head(input);
    default:
        return not_rfb(
            fmt::format("the screen sent a message of the unknown kind {}", message_.type));
    }
}

Result<std::size_t> ServerReader::read_qemu_head(std::string_view input) {
    constexpr std::uint16_t audio_data = 2;
    if (input.size() < 4)
        return 0;
    message_.qemu_type = get8(input, 1);
    message_.operation = get16(input, 2);
    if (message_.qemu_type != qemu_type::audio || message_.operation > audio_data)
        return not_rfb(fmt::format("the screen sent QEMU's message of unknown kind {}, {}",
                                   message_.qemu_type, message_.operation));
    if (message_.operation != audio_data)
        return 4;
    if (input.size() < 8)
        return 0;
    message_.body_bytes = get32(input, 4);
    if (message_.body_bytes > most_text_bytes)
        return not_rfb(fmt::format("the screen announces {} bytes of sound", message_.body_bytes));
    return 8;
}

} // namespace baton::rfb
