#pragma once

#include "rfb/server_messages.h"
#include "rfb/server_reader.h"
#include "rfb/tight_reader.h"
#include "rfb/wire.h"
#include "support/rfb_feed.h"
#include "support/rfb_wire.h"

#include <rapidcheck.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

/// Streams of screens as a property makes them up, and walks of them in any pieces.
namespace baton::rfb {

/// An event that does not depend on how the stream was cut: neighbouring bodies are one.
struct Walked {
    ServerEvent::Part part;
    std::string bytes;
    bool ends_rectangle;
    bool ends_message;
    bool operator==(const Walked&) const = default;
};

inline void showValue(const Walked& one, std::ostream& out) {
    out << static_cast<int>(one.part) << ':' << one.bytes.size() << one.ends_rectangle
        << one.ends_message;
}

struct Walk {
    std::vector<Walked> events;
    std::string refused; ///< the sentence, or nothing
    bool at_boundary = false;
    std::size_t most_kept = 0; ///< bytes that had to be offered again
    std::size_t rest = 0;      ///< bytes that were never whole
};

/// `stream` in pieces that end at `cuts`.
inline Walk walk(ServerReader& reader, const std::string& stream, std::vector<std::size_t> cuts) {
    Walk result;
    auto& events = result.events;
    const Fed fed = feed(reader, stream, std::move(cuts), [&](const ServerEvent& event) {
        const bool more_body = event.part == ServerEvent::Part::body && !events.empty() &&
                               events.back().part == ServerEvent::Part::body &&
                               !events.back().ends_rectangle && !events.back().ends_message;
        if (more_body) {
            events.back().bytes += event.bytes;
            events.back().ends_rectangle = event.ends_rectangle;
            events.back().ends_message = event.ends_message;
        } else {
            events.push_back(
                {event.part, std::string(event.bytes), event.ends_rectangle, event.ends_message});
        }
    });
    result.refused = fed.refused;
    result.most_kept = fed.most_kept;
    result.rest = fed.rest;
    result.at_boundary = fed.refused.empty() && reader.at_boundary();
    return result;
}

inline std::string some_bytes(std::size_t count) {
    return *rc::gen::container<std::string>(count, rc::gen::arbitrary<char>());
}

inline std::string compact(std::size_t value) {
    std::string text;
    write_compact_length(text, static_cast<std::uint32_t>(value));
    return text;
}

/// A Tight rectangle behind its head, 32 bits per pixel.
inline std::string made_up_tight(int width, int height, bool png) {
    const int kind = *rc::gen::element(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10);
    const int resets = *rc::gen::inRange(0, 16);
    std::string text(1, static_cast<char>(kind << 4 | resets));
    if (kind == 8)
        return text + some_bytes(3);
    if (kind == 9 || (kind == 10 && png)) {
        const auto length = *rc::gen::element<std::size_t>(0, 1, 127, 128, 16383, 16384, 20000);
        return text + compact(length) + std::string(length, 'j');
    }
    if (kind == 10)
        text[0] = 0;
    int row = width * 3;
    if (kind < 8 && (kind & 4) != 0) {
        const int filter = *rc::gen::inRange(0, 3);
        text += static_cast<char>(filter);
        if (filter == 1) {
            const int colours = *rc::gen::element(1, 2, 3, 256);
            text +=
                static_cast<char>(colours - 1) + some_bytes(static_cast<std::size_t>(colours) * 3);
            row = colours <= 2 ? (width + 7) / 8 : width;
        }
    }
    const auto size = static_cast<std::size_t>(row * height);
    if (size < 12)
        return text + some_bytes(size);
    const auto length = *rc::gen::element<std::size_t>(0, 5, 127, 128, 300, 16384);
    return text + compact(length) + std::string(length, 'z');
}

inline std::string made_up_hextile(int width, int height) {
    std::string text;
    for (int y = 0; y < height; y += 16)
        for (int x = 0; x < width; x += 16) {
            const int kind = *rc::gen::inRange(0, 32);
            text += static_cast<char>(kind);
            if ((kind & 1) != 0) {
                text += some_bytes(static_cast<std::size_t>(std::min(16, width - x)) *
                                   static_cast<std::size_t>(std::min(16, height - y)) * 4);
                continue;
            }
            text += some_bytes(((kind & 2) != 0 ? 4U : 0U) + ((kind & 4) != 0 ? 4U : 0U));
            if ((kind & 8) == 0)
                continue;
            const int count = *rc::gen::inRange(0, 6);
            text += static_cast<char>(count);
            text += some_bytes(static_cast<std::size_t>(count) * ((kind & 16) != 0 ? 6 : 2));
        }
    return text;
}

/// One whole rectangle of any kind on a screen of at least 64x64 pixels of 32 bits.
inline std::string made_up_rectangle() {
    const auto number = *rc::gen::element(0, 1, 2, 4, 5, 6, 7, 16, 17, -223, -239, -240, -257, -258,
                                          -259, -260, -261, -307, -308, -314);
    const int width = *rc::gen::inRange(0, 40);
    const int height = *rc::gen::inRange(0, 40);
    const auto area = static_cast<std::size_t>(width) * static_cast<std::size_t>(height);
    const auto mask = static_cast<std::size_t>((width + 7) / 8 * height);
    std::string text = head(*rc::gen::inRange(0U, 24U), *rc::gen::inRange(0U, 24U),
                            static_cast<unsigned>(width), static_cast<unsigned>(height), number);
    switch (number) {
    case 0:
        return text + some_bytes(area * 4);
    case 1:
        return text + some_bytes(4);
    case 2:
    case 4: {
        const auto count = *rc::gen::inRange<std::size_t>(0, std::min<std::size_t>(area, 5) + 1);
        return text + be32(static_cast<std::uint32_t>(count)) +
               some_bytes(4 + count * (number == 2 ? 12 : 8));
    }
    case 5:
        return text + made_up_hextile(width, height);
    case 7:
    case -260:
        return text + made_up_tight(width, height, number == -260);
    case 6:
    case 16:
    case 17: {
        const auto length = *rc::gen::inRange<std::size_t>(0, 400);
        return text + be32(static_cast<std::uint32_t>(length)) + some_bytes(length);
    }
    case -223:
        return head(0, 0, 64, *rc::gen::inRange(64U, 90U), number);
    case -239:
        return text + some_bytes(area * 4 + mask);
    case -240:
        return text + some_bytes(area == 0 ? 0 : 6 + 2 * mask);
    case -261:
        return text + some_bytes(1);
    case -307: {
        const auto name = some_bytes(*rc::gen::inRange<std::size_t>(0, 20));
        return text + be32(static_cast<std::uint32_t>(name.size())) + name;
    }
    case -308: {
        const int screens = *rc::gen::inRange(0, 4);
        return head(0, 0, *rc::gen::inRange(64U, 90U), 64, number) + static_cast<char>(screens) +
               some_bytes(3) + some_bytes(static_cast<std::size_t>(screens) * 16);
    }
    case -314:
        return text + be32(0) + some_bytes(area * 4);
    default:
        return text;
    }
}

/// One whole message of any kind.
inline std::string made_up_message() {
    std::string text;
    switch (*rc::gen::element(0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8)) {
    case 0: {
        std::vector<std::string> rectangles(*rc::gen::inRange<std::size_t>(0, 4));
        for (auto& one : rectangles)
            one = made_up_rectangle();
        const bool last = *rc::gen::arbitrary<bool>();
        text = update(rectangles);
        if (last) {
            text[2] = text[3] = '\xFF';
            write_last_rect(text);
        }
        return text;
    }
    case 1: {
        const auto colours = *rc::gen::inRange(0U, 5U);
        return std::string("\x01\0", 2) + some_bytes(2) + be16(colours) + some_bytes(colours * 6);
    }
    case 2:
        write_bell(text);
        return text;
    case 3: {
        const auto words = some_bytes(*rc::gen::inRange<std::size_t>(0, 40));
        write_server_cut_text(text, {false, 0, static_cast<std::uint32_t>(words.size())});
        return text + words;
    }
    case 4: {
        const auto words = some_bytes(*rc::gen::inRange<std::size_t>(0, 40));
        write_server_cut_text(text, {true, *rc::gen::arbitrary<std::uint32_t>(),
                                     static_cast<std::uint32_t>(words.size())});
        return text + words;
    }
    case 5:
        write_server_fence(text, *rc::gen::arbitrary<std::uint32_t>(),
                           some_bytes(*rc::gen::inRange<std::size_t>(0, 65)));
        return text;
    case 6:
        write_end_of_continuous_updates(text);
        return text;
    case 7:
        return std::string("\xFF\x01\0", 3) + static_cast<char>(*rc::gen::inRange(0, 2));
    default: {
        const auto sound = some_bytes(*rc::gen::inRange<std::size_t>(0, 60));
        return std::string("\xFF\x01\0\x02", 4) + be32(static_cast<std::uint32_t>(sound.size())) +
               sound;
    }
    }
}

inline std::vector<std::size_t> some_cuts(std::size_t size) {
    if (size == 0)
        return {};
    return *rc::gen::container<std::vector<std::size_t>>(rc::gen::inRange<std::size_t>(0, size));
}

} // namespace baton::rfb
