#pragma once

#include "model/size.h"

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>

/// The status strip: a row of coloured cells in the very corner of a desktop's screen that says
/// which desk (by the low 16 bits of its fencing number) and how much memory the picture shows, so
/// that a viewer can tell from pixels alone which desktop it looks at. Described in
/// docs/formats/guest-protocol.md. Pure.
namespace baton::guest {

enum class Colour : std::uint8_t { black, white, magenta, cyan };

struct Rgb {
    std::uint8_t red = 0;
    std::uint8_t green = 0;
    std::uint8_t blue = 0;
    bool operator==(const Rgb&) const = default;
};

/// What is drawn for a colour.
constexpr Rgb rgb(Colour colour) {
    switch (colour) {
    case Colour::white:
        return {255, 255, 255};
    case Colour::magenta:
        return {255, 0, 255};
    case Colour::cyan:
        return {0, 255, 255};
    case Colour::black:
        break;
    }
    return {};
}

struct StripState {
    std::uint16_t fence = 0;      ///< low 16 bits of the fencing number; 0: no desk is mounted
    std::uint8_t memory_log2 = 0; ///< floor(log2(MiB)): 9 is 512 MiB; 0: not known
    bool operator==(const StripState&) const = default;

    [[nodiscard]] constexpr Mebibytes memory() const {
        return Mebibytes(memory_log2 == 0 || memory_log2 > 40 ? 0 : std::int64_t{1} << memory_log2);
    }
};

namespace strip {
inline constexpr int cell_width = 8;
inline constexpr int cell_height = 16;
inline constexpr std::size_t fence_bits = 16;
inline constexpr std::size_t memory_bits = 8;
inline constexpr std::array begin_mark{Colour::magenta, Colour::cyan, Colour::magenta};
inline constexpr std::array end_mark{Colour::cyan, Colour::magenta, Colour::cyan};
inline constexpr std::size_t cells = begin_mark.size() + fence_bits + memory_bits + end_mark.size();
inline constexpr int width = cell_width * static_cast<int>(cells);
/// A channel this high is on, one that low is off, anything between is no cell of ours: the dim
/// colours of a text console (170) pass, and so does what lossy encodings do to saturated ones.
inline constexpr std::uint8_t on = 160;
inline constexpr std::uint8_t off = 90;
} // namespace strip

/// Encodes a fencing number and an amount of memory. A number whose low 16 bits are 0 shows as
/// 65535 unless it is 0 itself, since 0 says "no desk".
constexpr StripState strip_state(std::uint64_t fence, Mebibytes memory) {
    StripState state;
    state.fence = static_cast<std::uint16_t>(fence);
    if (fence != 0 && state.fence == 0)
        state.fence = 0xFFFF;
    for (std::int64_t rest = memory.count; rest > 1; rest >>= 1)
        ++state.memory_log2;
    return state;
}

constexpr std::array<Colour, strip::cells> strip_cells(StripState state) {
    std::array<Colour, strip::cells> cells{};
    std::size_t at = 0;
    for (const Colour colour : strip::begin_mark)
        cells[at++] = colour;
    for (std::size_t bit = strip::fence_bits; bit-- > 0;)
        cells[at++] = (state.fence >> bit & 1) != 0 ? Colour::white : Colour::black;
    for (std::size_t bit = strip::memory_bits; bit-- > 0;)
        cells[at++] = (state.memory_log2 >> bit & 1) != 0 ? Colour::white : Colour::black;
    for (const Colour colour : strip::end_mark)
        cells[at++] = colour;
    return cells;
}

/// The colour of a cell that this pixel belongs to, by strip::on and strip::off.
constexpr std::optional<Colour> strip_colour(Rgb pixel) {
    const auto is = [](std::uint8_t channel) {
        return channel >= strip::on ? 1 : channel <= strip::off ? 0 : -1;
    };
    const int red = is(pixel.red);
    const int green = is(pixel.green);
    const int blue = is(pixel.blue);
    if (red == 0 && green == 0 && blue == 0)
        return Colour::black;
    if (red == 1 && green == 1 && blue == 1)
        return Colour::white;
    if (red == 1 && green == 0 && blue == 1)
        return Colour::magenta;
    if (red == 0 && green == 1 && blue == 1)
        return Colour::cyan;
    return std::nullopt;
}

/// Reads the strip from a picture. `pixel(x, y)` is asked only for 0 <= x < strip::width and
/// 0 <= y < strip::cell_height, which the picture must hold. Nothing when the strip is not there,
/// or not whole: every cell is looked at in its corners (two pixels in) and in its middle, and they
/// must agree, so a frame that is half old and half new is not taken for either.
template <std::invocable<int, int> Pixel>
    requires std::convertible_to<std::invoke_result_t<Pixel, int, int>, Rgb>
std::optional<StripState> read_strip(Pixel&& pixel) {
    std::array<Colour, strip::cells> cells{};
    for (std::size_t cell = 0; cell < strip::cells; ++cell) {
        const int left = static_cast<int>(cell) * strip::cell_width;
        constexpr std::array<std::array<int, 2>, 5> points{
            {{2, 2}, {5, 2}, {4, 8}, {2, 13}, {5, 13}}};
        std::optional<Colour> colour;
        for (const auto& [x, y] : points) {
            const std::optional<Colour> seen = strip_colour(pixel(left + x, y));
            if (!seen || (colour && *colour != *seen))
                return std::nullopt;
            colour = seen;
        }
        cells[cell] = *colour;
    }
    StripState state;
    std::size_t at = strip::begin_mark.size();
    for (std::size_t bit = 0; bit < strip::fence_bits; ++bit)
        state.fence =
            static_cast<std::uint16_t>(state.fence << 1 | (cells[at++] == Colour::white ? 1 : 0));
    for (std::size_t bit = 0; bit < strip::memory_bits; ++bit)
        state.memory_log2 = static_cast<std::uint8_t>(state.memory_log2 << 1 |
                                                      (cells[at++] == Colour::white ? 1 : 0));
    // the marks, and that no data cell is a colour that data has not: one comparison for both
    if (strip_cells(state) != cells)
        return std::nullopt;
    return state;
}

} // namespace baton::guest
