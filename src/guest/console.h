#pragma once

#include "guest/machine.h"
#include "guest/status_strip.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// The text desktop's screen on a Linux console: a header that belongs to Baton, and below it a
/// region in which the person's shell has a terminal of its own. Pure: text and cells.
namespace baton::guest {

/// One character cell as /dev/vcsa takes it.
struct ConsoleCell {
    char letter = ' ';
    std::uint8_t attribute = 0x07; ///< low half: foreground, high half: background (VGA numbers)
    bool operator==(const ConsoleCell&) const = default;
};

inline constexpr std::size_t header_rows = 5;

/// header_rows rows of `columns` cells: the status strip and a title, who and where, the desk's
/// files, a message with its countdown and keys, a rule.
std::vector<ConsoleCell> header_cells(const ScreenState& state,
                                      const std::vector<std::string>& files, std::size_t columns);

/// What has to be written to a console of `rows` rows before its first use, and after a program has
/// reset it: the strip's exact colours, the region below the header, the cursor in it.
std::string console_setup(std::size_t rows);
/// The same, and the region is cleared: for a new session.
std::string console_clear(std::size_t rows);

/// What a program in the region writes, made safe for the console: cursor addresses are the
/// region's (origin mode), and nothing scrolls or clears the header. Sequences are passed on whole
/// or not at all, so the console is never left in the middle of one.
class ConsoleOutput {
  public:
    explicit ConsoleOutput(std::size_t rows) : rows_(rows) {}

    /// Appends to `out`. True when the header has to be drawn anew, because the program has cleared
    /// or reset the whole console.
    bool feed(std::string_view bytes, std::string& out);

  private:
    void finish(std::string& out, bool& redraw);
    void finish_csi(std::string& out, bool& redraw);

    std::size_t rows_;
    std::size_t region_top_ = 1; ///< of the scrolling region that the program has set
    std::string pending_;        ///< an unfinished sequence or character
    bool skipping_ = false;      ///< the unfinished sequence is too long and will be dropped
};

/// What the person types on the way to the program.
class ConsoleInput {
  public:
    enum class Key : std::uint8_t { none, now, not_now };

    /// Appends to `out` what is for the program. While `offered`, F9 and F10 are taken out and told
    /// as Key::now and Key::not_now (the last one typed counts). Answers of the console to a
    /// program's question where the cursor is are turned into the region's own rows.
    Key feed(std::string_view bytes, bool offered, std::string& out);

  private:
    std::string pending_;
};

} // namespace baton::guest
