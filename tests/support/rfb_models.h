#pragma once

#include "support/rfb_streams.h"
#include "support/rfb_zlib.h"

#include <array>
#include <string>
#include <string_view>
#include <vector>

/// Desktops and a viewer as properties of the live switch need them.
namespace baton::rfb {

/// A desktop as it speaks: every rectangle carries some plain text on one of its zlib streams.
struct Desktop {
    std::array<Deflater, inflaters> streams;

    std::string rectangle(Inflater which, const std::string& plain) {
        const std::string data = streams[static_cast<std::size_t>(which)].add(plain);
        const auto length = be32(static_cast<std::uint32_t>(data.size()));
        if (which == Inflater::zlib)
            return head(0, 0, 64, 64, 6) + length + data;
        if (which == Inflater::zrle)
            return head(0, 0, 64, 64, 16) + length + data;
        return head(0, 0, 64, 64, 7) + static_cast<char>(static_cast<int>(which) << 4) +
               compact(data.size()) + data;
    }
};

/// A viewer that inflates what comes, and would end its connection where a real one does.
struct Viewer {
    ServerReader reader{{64, 64}, PixelFormat{}};
    std::array<Inflating, inflaters> streams;
    std::vector<std::string> seen;
    std::string deflated; ///< of the rectangle under way
    bool deflating = false;
    std::size_t updates = 0;
    bool inside = false; ///< a rectangle or a message has begun

    void feed(std::string_view bytes) {
        while (!bytes.empty()) {
            const auto event = reader.next(bytes);
            RC_ASSERT(event.has_value());
            RC_ASSERT(event->part != ServerEvent::Part::need_more);
            if (event->part == ServerEvent::Part::tight)
                for (unsigned i = 0; i < 4; ++i)
                    if ((event->bytes[0] >> i & 1) != 0)
                        streams[i].reset();
            if (event->part == ServerEvent::Part::deflate)
                deflating = true;
            else if (deflating)
                deflated += event->bytes;
            if (event->ends_rectangle && deflating) {
                auto& stream = streams[static_cast<std::size_t>(reader.deflated().inflater)];
                seen.push_back(stream.add(deflated, 100000));
                deflated.clear();
                deflating = false;
            }
            updates += event->ends_message ? 1 : 0;
            inside = !event->ends_rectangle && !event->ends_message &&
                     event->part != ServerEvent::Part::update;
            bytes.remove_prefix(event->bytes.size());
        }
    }
};

inline std::string some_text() {
    // repeats itself, so that deflate looks back, and sometimes does not
    const std::string word = some_bytes(*rc::gen::inRange<std::size_t>(0, 30));
    std::string text;
    for (int i = *rc::gen::inRange(0, 20); i > 0; --i)
        text += word;
    return text;
}

} // namespace baton::rfb
