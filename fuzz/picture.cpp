// Any bytes of a screen, in any pieces, are drawn alike or refused.
#include "picture/viewing.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

using baton::picture::Viewing;

constexpr std::size_t most_pixels = std::size_t{512} * 512;

struct Outcome {
    bool refused = false;
    std::vector<std::uint32_t> pixels;
    std::uint64_t frames = 0;
    std::uint64_t cursors = 0;
    std::string name;
    std::string clipboard;
    std::string said;
    bool operator==(const Outcome&) const = default;
};

Outcome show(std::string_view stream, std::size_t piece) {
    Viewing viewing({96, 64, {}, "fuzz"}, {});
    Outcome outcome;
    while (!stream.empty() && !outcome.refused) {
        const auto some = stream.substr(0, piece);
        stream.remove_prefix(some.size());
        outcome.refused = !viewing.feed(some);
        outcome.said += viewing.take_output();
        if (auto text = viewing.take_clipboard())
            outcome.clipboard = std::move(*text);
    }
    // what was drawn before a refusal depends on the pieces
    if (outcome.refused)
        return {true, {}, 0, 0, {}, {}, {}};
    outcome.pixels = viewing.framebuffer().pixels();
    outcome.frames = viewing.frames();
    outcome.cursors = viewing.decoder().cursors();
    outcome.name = viewing.decoder().name();
    return outcome;
}

/// A fuzzer would spend its time with clearing memory.
bool is_huge(std::string_view stream) {
    Viewing viewing({96, 64, {}, "fuzz"}, {});
    for (std::size_t at = 0; at < stream.size(); ++at) {
        if (!viewing.feed(stream.substr(at, 1)))
            return false;
        if (viewing.framebuffer().pixels().size() > most_pixels)
            return true;
    }
    return false;
}

} // namespace

/// The first byte says how long the pieces are.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t length) {
    if (length < 1)
        return 0;
    const std::string_view stream(reinterpret_cast<const char*>(data + 1), length - 1);
    if (is_huge(stream))
        return 0;
    if (show(stream, stream.size() + 1) != show(stream, data[0] % 64 + 1U))
        std::abort();
    return 0;
}
