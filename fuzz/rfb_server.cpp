/// What a screen sends, against ServerReader and Splice: any bytes are walked or refused; in pieces
/// as in one; nothing but a head's beginning is ever asked for again; and what the viewer is given
/// is a stream that can be walked as far as the desktop's could.
#include "rfb/server_reader.h"
#include "rfb/splice.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

using namespace baton::rfb;

constexpr Size size{64, 48};
constexpr std::size_t most_kept = 16;

PixelFormat format_of(std::uint8_t choice) {
    PixelFormat format;
    if (choice % 3 != 0)
        format.bits_per_pixel = choice % 3 == 1 ? 16 : 8;
    return format;
}

struct Outcome {
    std::string sent; ///< to the viewer, up to where the stream was refused
    std::size_t messages = 0;
    std::size_t rectangles = 0;
    bool refused = false;
    bool operator==(const Outcome&) const = default;
};

Outcome pass(std::string_view stream, std::size_t piece, const PixelFormat& format) {
    Outcome outcome;
    ServerReader reader(size, format);
    Splice splice(true);
    splice.begin_desktop();
    std::size_t begin = 0;
    for (std::size_t end = 0; end < stream.size() && !outcome.refused;) {
        end = std::min(stream.size(), end + piece);
        Gather out;
        for (;;) {
            const auto event = reader.next(stream.substr(begin, end - begin));
            outcome.refused = !event || !splice.take(reader, *event, out);
            if (outcome.refused || event->part == ServerEvent::Part::need_more)
                break;
            if (event->bytes.empty() || event->bytes.data() != stream.data() + begin)
                std::abort();
            begin += event->bytes.size();
            outcome.messages += event->ends_message ? 1 : 0;
            outcome.rectangles += event->ends_rectangle ? 1 : 0;
            if (event->ends_message && outcome.messages % 3 == 0)
                splice.begin_desktop(); // what comes is taken for another desktop's
        }
        if (!outcome.refused && end - begin >= most_kept)
            std::abort();
        outcome.sent += out.text();
    }
    return outcome;
}

/// The viewer's own walk ends no earlier than what it was sent.
void check_for_viewer(const Outcome& outcome, const PixelFormat& format) {
    ServerReader reader(size, format);
    std::string_view rest = outcome.sent;
    std::size_t messages = 0;
    while (!rest.empty()) {
        const auto event = reader.next(rest);
        if (!event)
            std::abort();
        if (event->part == ServerEvent::Part::need_more)
            break;
        messages += event->ends_message ? 1 : 0;
        rest.remove_prefix(event->bytes.size());
    }
    if (messages != outcome.messages)
        std::abort();
}

} // namespace

/// The first byte says how long the pieces are, the second which pixel format it is.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t length) {
    if (length < 2)
        return 0;
    const std::string_view stream(reinterpret_cast<const char*>(data + 2), length - 2);
    const PixelFormat format = format_of(data[1]);
    const Outcome whole = pass(stream, stream.size() + 1, format);
    check_for_viewer(whole, format);
    if (pass(stream, data[0] % 64 + 1, format) != whole)
        std::abort();
    return 0;
}
