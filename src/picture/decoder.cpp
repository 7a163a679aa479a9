#include "picture/decoder.h"

#include "rfb/limits.h"
#include "rfb/wire.h"

#include <fmt/format.h>

#include <cstring>
#include <utility>

namespace baton::picture {

using rfb::Encoding;
using rfb::ServerEvent;

namespace {

constexpr std::size_t plain_room = 64 * 1024;
static_assert(plain_room > Painter::most_unit_bytes);

bool is_cursor(Encoding encoding) {
    return encoding == Encoding::cursor || encoding == Encoding::x_cursor ||
           encoding == Encoding::cursor_with_alpha;
}

bool too_large(const rfb::Rectangle& cursor) {
    return cursor.width > Cursor::most_side || cursor.height > Cursor::most_side;
}

/// Whether what such a rectangle tells is of use here.
bool is_kept(const rfb::Rectangle& rectangle) {
    if (is_cursor(rectangle.encoding))
        return !too_large(rectangle);
    return rectangle.encoding == Encoding::qemu_led_state ||
           rectangle.encoding == Encoding::desktop_name;
}

} // namespace

Decoder::Decoder(rfb::Size size, Framebuffer before)
    : screen_(std::move(before)), plain_(plain_room, '\0') {
    screen_.resize(size);
    damage_.add({0, 0, size.width, size.height});
}

Painter* Decoder::painter_for(Encoding encoding) {
    switch (encoding) {
    case Encoding::raw:
    case Encoding::zlib:
        return &raw_;
    case Encoding::copy_rect:
        return &copy_;
    case Encoding::rre:
    case Encoding::corre:
        return &rre_;
    case Encoding::hextile:
        return &hextile_;
    case Encoding::tight:
    case Encoding::tight_png:
        return &tight_;
    case Encoding::zrle:
        return &zrle_;
    default:
        return nullptr;
    }
}

Result<void> Decoder::take(const rfb::ServerReader& reader, const ServerEvent& event) {
    switch (event.part) {
    case ServerEvent::Part::update:
    case ServerEvent::Part::message:
        in_update_ = event.part == ServerEvent::Part::update;
        break;
    case ServerEvent::Part::rectangle:
        BATON_TRY(begin(reader));
        break;
    case ServerEvent::Part::tight:
        tight_.take_head(event.bytes);
        for (unsigned i = 0; i < 4; ++i)
            if ((tight_.resets() >> i & 1U) != 0)
                streams_[i].reset();
        break;
    case ServerEvent::Part::deflate:
        stream_ = &streams_[static_cast<std::size_t>(reader.deflated().inflater)];
        break;
    case ServerEvent::Part::body:
        if (in_update_)
            BATON_TRY(take_body(reader, event.bytes));
        break;
    default:
        break;
    }
    return event.ends_rectangle ? end(reader) : Result<void>{};
}

Result<void> Decoder::take_body(const rfb::ServerReader& reader, std::string_view bytes) {
    if (painter_ == nullptr) {
        if (is_kept(reader.rectangle()))
            held_.append(bytes);
        return {};
    }
    return stream_ != nullptr ? unpack(bytes) : draw(bytes);
}

Result<void> Decoder::begin(const rfb::ServerReader& reader) {
    const rfb::Rectangle& rectangle = reader.rectangle();
    held_.clear();
    plain_bytes_ = 0;
    stream_ = nullptr;
    painter_ = painter_for(rectangle.encoding);
    if (painter_ != nullptr)
        painter_->begin(screen_, rectangle);
    else if (rfb::is_picture(rectangle.encoding))
        return rfb::not_rfb(
            fmt::format("the screen used {}, which was not offered", name_of(rectangle.encoding)));
    return {};
}

Result<void> Decoder::draw(std::string_view bytes) {
    if (held_.empty()) {
        const auto used = painter_->draw(bytes);
        if (!used)
            return tl::unexpected(used.error());
        held_.assign(bytes.substr(*used));
    } else {
        held_.append(bytes);
        const auto used = painter_->draw(held_);
        if (!used)
            return tl::unexpected(used.error());
        held_.erase(0, *used);
    }
    if (painter_->done() && !held_.empty())
        return rfb::not_rfb("the screen sent more than its rectangle holds");
    return {};
}

Result<void> Decoder::unpack(std::string_view bytes) {
    for (;;) {
        const auto made =
            stream_->next(bytes, plain_.data() + plain_bytes_, plain_room - plain_bytes_);
        if (!made)
            return tl::unexpected(made.error());
        if (*made == 0)
            return {};
        plain_bytes_ += *made;
        const auto used = painter_->draw({plain_.data(), plain_bytes_});
        if (!used)
            return tl::unexpected(used.error());
        plain_bytes_ -= *used;
        std::memmove(plain_.data(), plain_.data() + *used, plain_bytes_);
        if (plain_bytes_ == plain_room || (painter_->done() && plain_bytes_ != 0))
            return rfb::not_rfb("the screen sent more than its rectangle holds");
    }
}

Result<void> Decoder::end(const rfb::ServerReader& reader) {
    const rfb::Rectangle& rectangle = reader.rectangle();
    if (painter_ == nullptr) {
        if (reader.size() != screen_.size()) {
            screen_.resize(reader.size());
            damage_.clear();
            damage_.add({0, 0, screen_.size().width, screen_.size().height});
        }
        end_other(rectangle);
        return {};
    }
    const Painter* painter = std::exchange(painter_, nullptr);
    if (!painter->done() || !held_.empty() || plain_bytes_ != 0)
        return rfb::not_rfb(fmt::format("a {} rectangle of {}x{} ends too early",
                                        name_of(rectangle.encoding), rectangle.width,
                                        rectangle.height));
    if (painter == &tight_)
        BATON_TRY(tight_.end());
    damage_.add({rectangle.x, rectangle.y, rectangle.width, rectangle.height});
    return {};
}

void Decoder::end_other(const rfb::Rectangle& rectangle) {
    if (is_cursor(rectangle.encoding) && !too_large(rectangle)) {
        cursor_ = read_cursor(rectangle, held_);
        ++cursors_;
    } else if (rectangle.encoding == Encoding::qemu_led_state) {
        leds_ = rfb::get8(held_, 0);
    } else if (rectangle.encoding == Encoding::desktop_name) {
        name_ = held_.substr(4); // behind its length
    }
    held_.clear();
}

} // namespace baton::picture
