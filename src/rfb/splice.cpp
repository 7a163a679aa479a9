#include "rfb/splice.h"

#include "rfb/limits.h"
#include "rfb/server_messages.h"
#include "rfb/tight_reader.h"
#include "rfb/wire.h"

namespace baton::rfb {

namespace {

constexpr std::uint32_t zlib_header_bytes = 2;

/// RFC 1950, 2.2: deflate, a multiple of 31, no preset dictionary.
bool is_zlib_header(std::uint8_t first, std::uint8_t second) {
    return (first & 15) == 8 && (first * 256 + second) % 31 == 0 && (second & 0x20) == 0;
}

bool is_tight(Encoding encoding) {
    return encoding == Encoding::tight || encoding == Encoding::tight_png;
}

} // namespace

void Splice::begin_desktop() {
    for (Stream& stream : streams_)
        stream.fresh = true;
    drop_ = 0;
}

InflaterSet Splice::begun() const {
    InflaterSet set = 0;
    for (std::size_t i = 0; i < streams_.size(); ++i)
        if (streams_[i].used && !streams_[i].fresh)
            set |= InflaterSet{1} << i;
    return set;
}

Result<void> Splice::take(const ServerReader& reader, const ServerEvent& event, Gather& out) {
    switch (event.part) {
    case ServerEvent::Part::need_more:
        return {};
    case ServerEvent::Part::update:
        take_update(reader, event, out);
        return {};
    case ServerEvent::Part::rectangle:
        in_rectangle_ = true;
        out.view(event.bytes);
        break;
    case ServerEvent::Part::tight:
        take_tight(event);
        out.view(event.bytes);
        break;
    case ServerEvent::Part::deflate:
        BATON_TRY(take_deflate(reader, event, out));
        break;
    case ServerEvent::Part::body:
        BATON_TRY(take_body(event, out));
        break;
    case ServerEvent::Part::message:
        in_message_ = true;
        out.view(event.bytes);
        break;
    }
    take_ends(reader, event, out);
    return {};
}

void Splice::take_update(const ServerReader& reader, const ServerEvent& event, Gather& out) {
    rectangles_left_ = reader.rectangles_left();
    in_update_ = rectangles_left_ != 0;
    ends_with_last_rect_ = last_rect_ && in_update_ && rectangles_left_ < until_last_rect;
    if (!ends_with_last_rect_) {
        out.view(event.bytes);
        return;
    }
    std::string head;
    write_update_head(head, until_last_rect);
    out.own(head);
}

void Splice::take_tight(const ServerEvent& event) {
    const std::uint8_t control = get8(event.bytes, 0);
    for (unsigned i = 0; i < 4; ++i)
        if ((control >> i & 1U) != 0)
            streams_[i] = {}; // both ends begin it anew
}

Result<void> Splice::take_deflate(const ServerReader& reader, const ServerEvent& event,
                                  Gather& out) {
    const Deflated& deflated = reader.deflated();
    Stream& stream = streams_[static_cast<std::size_t>(deflated.inflater)];
    const bool begins = stream.fresh && deflated.bytes != 0;
    if (!begins || !stream.used) {
        stream.used = stream.used || deflated.bytes != 0;
        stream.fresh = stream.fresh && !begins;
        out.view(event.bytes);
        return {};
    }
    if (deflated.bytes < zlib_header_bytes)
        return not_rfb("the desktop began a zlib stream with less than its header");
    stream.fresh = false;
    drop_ = zlib_header_bytes;
    std::string length;
    if (is_tight(reader.rectangle().encoding))
        write_compact_length(length, deflated.bytes - zlib_header_bytes);
    else
        put32(length, deflated.bytes - zlib_header_bytes);
    out.own(length);
    return {};
}

Result<void> Splice::take_body(const ServerEvent& event, Gather& out) {
    std::string_view bytes = event.bytes;
    while (drop_ != 0 && !bytes.empty()) {
        const std::uint8_t byte = get8(bytes, 0);
        if (drop_ == zlib_header_bytes)
            header_ = byte;
        else if (!is_zlib_header(header_, byte))
            return not_rfb("the desktop began a zlib stream without its header");
        bytes.remove_prefix(1);
        --drop_;
    }
    out.view(bytes);
    return {};
}

void Splice::take_ends(const ServerReader& reader, const ServerEvent& event, Gather& out) {
    if (event.ends_rectangle) {
        in_rectangle_ = false;
        rectangles_left_ -= rectangles_left_ == 0 ? 0 : 1;
    }
    if (!event.ends_message)
        return;
    if (in_update_ && ends_with_last_rect_ && reader.rectangle().encoding != Encoding::last_rect) {
        std::string last;
        write_last_rect(last);
        out.own(last);
    }
    in_update_ = false;
    in_message_ = false;
}

void Splice::end_update(const PixelFormat& format, std::string& out) {
    if (!in_update_)
        return;
    if (ends_with_last_rect_ || last_rect_) {
        write_last_rect(out);
    } else {
        for (; rectangles_left_ != 0; --rectangles_left_) {
            write(out, Rectangle{0, 0, 1, 1, Encoding::raw});
            out.append(format.pixel_bytes(), '\0');
        }
    }
    in_update_ = false;
    drop_ = 0;
}

} // namespace baton::rfb
