/// How fast a screen's stream is walked without drawing it, against copying it. See
/// bench/README.md for the records that are printed.
#include "rfb/server_messages.h"
#include "rfb/splice.h"
#include "rfb/tight_reader.h"
#include "rfb/wire.h"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace baton::rfb;

constexpr int rounds = 21;
constexpr std::size_t stream_bytes = 64 * 1024 * 1024; ///< far more than the caches hold
constexpr std::size_t piece_bytes = 64 * 1024;         ///< what a gateway reads at once
constexpr Size screen{1024, 768};

/// One update of 64 rectangles, made by `body`, over and over.
std::string stream_of(Rectangle rectangle, const std::function<void(std::string&)>& body) {
    std::string update;
    write_update_head(update, 64);
    for (int i = 0; i < 64; ++i) {
        write(update, rectangle);
        body(update);
    }
    std::string stream;
    stream.reserve(stream_bytes + update.size());
    while (stream.size() < stream_bytes)
        stream += update;
    return stream;
}

/// Tight, 150 bytes of deflated data each: what QEMU's rectangles hold on the average of a desktop
/// that draws.
std::string tight_stream() {
    return stream_of({0, 0, 64, 64, Encoding::tight}, [](std::string& out) {
        put8(out, 0);
        write_compact_length(out, 150);
        out.append(150, 'z');
    });
}

/// Hextile, every tile with a background and six coloured parts.
std::string hextile_stream() {
    return stream_of({0, 0, 64, 64, Encoding::hextile}, [](std::string& out) {
        for (int tile = 0; tile < 16; ++tile) {
            put8(out, 2 | 8 | 16);
            put32(out, 0);
            put8(out, 6);
            out.append(36, 'p');
        }
    });
}

std::string raw_stream() {
    return stream_of({0, 0, 64, 64, Encoding::raw},
                     [](std::string& out) { out.append(64 * 64 * 4, 'p'); });
}

[[noreturn]] void give_up(const std::string& why) {
    fmt::print(stderr, "{}\n", why);
    std::exit(1); // NOLINT(concurrency-mt-unsafe): nothing else runs that could be disturbed
}

/// Events, so that the walk cannot be left out.
std::size_t walk(std::string_view stream, Splice* splice) {
    ServerReader reader(screen, PixelFormat{});
    std::size_t events = 0;
    std::size_t at = 0;
    Gather out;
    for (std::size_t end = 0; end != stream.size();) {
        end = std::min(stream.size(), end + piece_bytes);
        out.clear();
        for (;;) {
            const auto event = reader.next(stream.substr(at, end - at));
            if (!event)
                give_up(event.error().message());
            if (event->part == ServerEvent::Part::need_more)
                break;
            if (splice != nullptr && !splice->take(reader, *event, out))
                give_up("the stream could not be passed on");
            at += event->bytes.size();
            ++events;
        }
    }
    if (!reader.at_boundary() || at != stream.size())
        give_up("the stream was not walked to its end");
    return events;
}

void copy(std::string_view stream, std::string& to) {
    for (std::size_t at = 0; at < stream.size(); at += piece_bytes)
        std::memcpy(to.data() + at, stream.data() + at, std::min(piece_bytes, stream.size() - at));
}

/// Of this process's own time: others on the machine do not count.
double gigabytes_per_second(std::size_t bytes, const std::function<void()>& work) {
    const auto now = [] {
        timespec time{};
        ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
    };
    const double begin = now();
    work();
    return static_cast<double>(bytes) / (now() - begin) / 1e9;
}

void measure(const char* name, const std::string& stream, bool splicing, const char* how) {
    std::string copied(stream.size(), '\0');
    boost::json::array ours;
    boost::json::array peer;
    std::size_t events = 0;
    for (int round = 0; round <= rounds; ++round) {
        const double walked = gigabytes_per_second(stream.size(), [&] {
            Splice splice(true);
            splice.begin_desktop();
            events += walk(stream, splicing ? &splice : nullptr);
        });
        const double copies = gigabytes_per_second(stream.size(), [&] { copy(stream, copied); });
        if (round == 0)
            continue; // pages are touched for the first time
        ours.emplace_back(walked);
        peer.emplace_back(copies);
    }
    if (events == 0 || copied != stream)
        give_up("nothing was measured");
    const boost::json::object record{
        {"name", name},       {"ours", ours},
        {"peer", peer},       {"peer_name", "memcpy of the same bytes (this machine's limit)"},
        {"unit", "GB/CPU-s"}, {"better", "higher"},
        {"limit", nullptr},   {"how", how}};
    fmt::print("{}\n", boost::json::serialize(record));
}

} // namespace

int main() {
    const std::string tight = tight_stream();
    measure(
        "rfb_framing", tight, false,
        "64 MiB of Tight rectangles with 150 bytes of deflated data each, in pieces of 64 KiB, "
        "walked by "
        "ServerReader to the last message's end; memcpy copies the same pieces to other memory.");
    measure("rfb_framing_splice", tight, true,
            "The same, and Splice gathers what the viewer is sent: every update is announced until "
            "LastRect.");
    measure("rfb_framing_hextile", hextile_stream(), false,
            "64 MiB of Hextile, 42 bytes a tile, which has to be walked tile by tile.");
    measure("rfb_framing_raw", raw_stream(), false, "64 MiB of Raw rectangles of 64x64 pixels.");
    return 0;
}
