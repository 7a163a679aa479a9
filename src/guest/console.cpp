#include "guest/console.h"

#include "guest/utf8.h"

#include <algorithm>
#include <charconv>

namespace baton::guest {

namespace {

constexpr char escape = '\x1b';
constexpr std::size_t longest_sequence = 512;

// VGA attributes
constexpr std::uint8_t plain = 0x07;
constexpr std::uint8_t bright = 0x0F;
constexpr std::uint8_t title = 0x1F;   // white on blue
constexpr std::uint8_t notice = 0x0E;  // yellow
constexpr std::uint8_t trouble = 0x0C; // red
constexpr std::uint8_t rule = 0x08;    // grey

std::uint8_t background(Colour colour) {
    switch (colour) {
    case Colour::white:
        return 0xF0;
    case Colour::magenta:
        return 0x50;
    case Colour::cyan:
        return 0x30;
    case Colour::black:
        break;
    }
    return 0x00;
}

/// One row of the header being written from left to right.
class Row {
  public:
    Row(std::vector<ConsoleCell>& cells, std::size_t row, std::size_t columns)
        : cells_(cells), at_(row * columns), end_(at_ + columns) {}

    void put(char letter, std::uint8_t attribute) {
        if (at_ < end_)
            cells_[at_++] = {letter, attribute};
    }

    void put(std::string_view text, std::uint8_t attribute) {
        for (const char letter : console_line(text, end_ - at_))
            put(letter, attribute);
    }

    void fill(char letter, std::uint8_t attribute) {
        while (at_ < end_)
            put(letter, attribute);
    }

  private:
    std::vector<ConsoleCell>& cells_;
    std::size_t at_;
    std::size_t end_;
};

void put_state(Row& row, const ScreenState& state) {
    row.put(" ", plain);
    row.put(state.person.empty() ? "nobody yet" : state.person, bright);
    row.put("   memory ", plain);
    row.put(state.memory.count > 0 ? to_string(state.memory) : "unknown", bright);
    row.put("   system ", plain);
    row.put(state.os_image.empty() ? "unnamed" : state.os_image, bright);
    row.put("   computer ", plain);
    row.put(state.hostname.empty() ? "unnamed" : state.hostname, bright);
    if (state.fence != 0) {
        row.put("   desk no. ", plain);
        row.put(std::to_string(state.fence), bright);
    }
}

void put_desk(Row& row, const ScreenState& state, const std::vector<std::string>& files) {
    row.put(" ", plain);
    switch (state.phase) {
    case ScreenState::Phase::waiting:
        row.put("waiting for a desk", plain);
        return;
    case ScreenState::Phase::mounting:
        row.put("your desk is being brought", plain);
        return;
    case ScreenState::Phase::failed:
        row.put("no desk: " + state.trouble, trouble);
        return;
    case ScreenState::Phase::ended:
        row.put("you have logged out", plain);
        return;
    case ScreenState::Phase::working:
    case ScreenState::Phase::closing:
        break;
    }
    row.put("files:", plain);
    if (files.empty())
        row.put(" none yet", plain);
    for (const std::string& file : files)
        row.put(" " + file, bright);
}

void put_message(Row& row, const ScreenMessage& message) {
    row.put(" " + message.text, notice);
    if (message.seconds_left)
        row.put(" (" + std::to_string(*message.seconds_left) + " s)", notice);
    if (message.may_defer) {
        row.put("  ", plain);
        row.put(" F9 now ", 0xE0);
        row.put(" ", plain);
        row.put(" F10 not now ", 0xE0);
    }
}

} // namespace

std::vector<ConsoleCell> header_cells(const ScreenState& state,
                                      const std::vector<std::string>& files, std::size_t columns) {
    std::vector<ConsoleCell> cells(header_rows * columns);
    Row strip(cells, 0, columns);
    for (const Colour colour : strip_cells(strip_state(state.fence, state.memory)))
        strip.put(' ', background(colour));
    strip.put("  ", plain);
    strip.put(state.person.empty() ? " Baton " : " The desk of " + state.person + " ", title);
    strip.fill(' ', title);
    Row who(cells, 1, columns);
    put_state(who, state);
    Row desk(cells, 2, columns);
    put_desk(desk, state, files);
    if (state.message) {
        Row message(cells, 3, columns);
        put_message(message, *state.message);
    }
    Row(cells, 4, columns).fill('-', rule);
    return cells;
}

std::string console_setup(std::size_t rows) {
    // colours 5 and 6 pure, as the strip wants them; UTF-8; the region; origin mode (goes to its
    // top)
    return "\x1b]P5ff00ff\x1b]P600ffff\x1b%G\x1b[" + std::to_string(header_rows + 1) + ';' +
           std::to_string(rows) + "r\x1b[?6h";
}

std::string console_clear(std::size_t rows) {
    return "\x1b[0m" + console_setup(rows) + "\x1b[?25h\x1b[H\x1b[J";
}

// ---- output ------------------------------------------------------------------------------------

namespace {

/// Whether ESC and `kind` begin a text that lasts until its own end mark.
bool holds_text(char kind) {
    return kind == ']' || kind == 'P' || kind == '^' || kind == '_' || kind == 'X';
}

/// Whether `text`, which begins with ESC, is a whole sequence.
bool is_whole(std::string_view text) {
    if (text.size() < 2)
        return false;
    const char kind = text[1];
    if (kind == '[')
        return text.size() > 2 && text.back() >= '@' && text.back() <= '~' &&
               !(text.size() == 3 && text.back() == '['); // ESC [ [ x: a function key's form
    if (kind == ']') {
        if (text.size() > 2 && text[2] == 'P') // the console's own palette: exactly seven digits
            return text.size() == 10;
        if (text.size() > 2 && text[2] == 'R')
            return true;
        return text.back() == '\a' || text.ends_with("\x1b\\");
    }
    if (holds_text(kind))
        return text.size() > 3 && text.ends_with("\x1b\\");
    if (kind == '(' || kind == ')' || kind == '%' || kind == '#' || kind == ' ')
        return text.size() == 3;
    return true;
}

/// The numbers of "1;2": missing ones are 0.
std::vector<std::size_t> numbers(std::string_view text) {
    std::vector<std::size_t> all(1, 0);
    for (const char c : text) {
        if (c == ';')
            all.push_back(0);
        else if (c >= '0' && c <= '9')
            all.back() =
                std::min<std::size_t>(all.back() * 10 + static_cast<std::size_t>(c - '0'), 9999);
    }
    return all;
}

} // namespace

bool ConsoleOutput::feed(std::string_view bytes, std::string& out) {
    bool redraw = false;
    for (const char byte : bytes) {
        const auto value = static_cast<unsigned char>(byte);
        if (pending_.empty()) {
            if (byte == escape || value >= 0xC2)
                pending_ = byte;
            else if (value < 0x80)
                out += byte;
            continue;
        }
        if (pending_.front() != escape) { // a character of several bytes
            if ((value & 0xC0) != 0x80) {
                pending_.clear();
                redraw = feed(std::string_view(&byte, 1), out) || redraw;
                continue;
            }
            pending_ += byte;
            if (utf8_length(pending_) == pending_.size()) {
                // U+0080 to U+009F are control characters; the console takes U+009B for ESC [
                if (pending_.front() != '\xC2' || value >= 0xA0)
                    out += pending_;
                pending_.clear();
            } else if (pending_.size() >= 4) {
                pending_.clear();
            }
            continue;
        }
        if (byte == '\x18' || byte == '\x1a') { // cancels a sequence
            pending_.clear();
            skipping_ = false;
            continue;
        }
        const bool in_text = pending_.size() > 1 && holds_text(pending_[1]);
        if (!in_text && value < 0x20) {
            if (byte == escape) {
                pending_.assign(1, byte); // begins anew
                skipping_ = false;
            } else {
                out += byte; // the console acts on it at once, in the middle of a sequence too
            }
            continue;
        }
        if (pending_.size() >= longest_sequence)
            skipping_ = true;
        if (skipping_)
            pending_.erase(2, 1); // what begins it and how it ends is enough to see its end
        pending_ += byte;
        if (!is_whole(pending_))
            continue;
        if (!skipping_)
            finish(out, redraw);
        pending_.clear();
        skipping_ = false;
    }
    return redraw;
}

void ConsoleOutput::finish(std::string& out, bool& redraw) {
    const char kind = pending_[1];
    if (kind == '[') {
        finish_csi(out, redraw);
    } else if (kind == 'c') {
        region_top_ = 1;
        out += "\x1b"
               "c" +
               console_clear(rows_);
        redraw = true;
    } else if (holds_text(kind)) {
        // titles, and colours that the strip is drawn with: not for this console; and it would act
        // on an escape inside such a text
    } else if (kind == '#') {
        redraw = true; // fills the whole screen with a test picture
        out += pending_;
    } else {
        out += pending_;
    }
}

void ConsoleOutput::finish_csi(std::string& out, bool& redraw) {
    const char final = pending_.back();
    const std::string_view parameters = std::string_view(pending_).substr(2, pending_.size() - 3);
    if (final == 'r' && parameters.find('?') == std::string_view::npos) {
        // a region inside the region
        const auto given = numbers(parameters);
        const std::size_t height = rows_ - header_rows;
        std::size_t top = std::max<std::size_t>(given[0], 1);
        std::size_t bottom = given.size() > 1 && given[1] != 0 ? given[1] : height;
        bottom = std::min(bottom, height);
        if (top >= bottom)
            return;
        region_top_ = top;
        out += "\x1b[" + std::to_string(top + header_rows) + ';' +
               std::to_string(bottom + header_rows) + 'r';
        return;
    }
    if (region_top_ > 1 && (final == 'H' || final == 'f' || final == 'd')) {
        // origin mode counts from the region that is set, the program from the top of its screen
        auto place = numbers(parameters);
        const std::size_t row = std::max<std::size_t>(place[0], 1);
        place[0] = row > region_top_ ? row - region_top_ + 1 : 1;
        out += "\x1b[" + std::to_string(place[0]);
        if (place.size() > 1)
            out += ';' + std::to_string(place[1]);
        out += final;
        return;
    }
    if (final == 'J' && !parameters.empty() && parameters != "0") {
        // clearing everything is clearing the region, and goes on from where the cursor is
        if (parameters == "2" || parameters == "3") {
            out += "\x1b[s\x1b[H\x1b[J\x1b[u";
        } else {
            out += pending_;
            redraw = true;
        }
        return;
    }
    if ((final == 'h' || final == 'l') && parameters.starts_with('?')) {
        // one of several modes: leave out origin mode (6) and 132 columns (3)
        std::string kept;
        for (const std::size_t mode : numbers(parameters.substr(1)))
            if (mode != 6 && mode != 3)
                kept += (kept.empty() ? "" : ";") + std::to_string(mode);
        if (!kept.empty())
            out += "\x1b[?" + kept + final;
        return;
    }
    if (final == '!' || (final == 'p' && parameters.ends_with('!'))) {
        region_top_ = 1;
        out += console_setup(rows_); // a soft reset
        return;
    }
    if (final == ']')
        return; // the console's private settings (colours, blanking, switching)
    out += pending_;
}

// ---- input -------------------------------------------------------------------------------------

ConsoleInput::Key ConsoleInput::feed(std::string_view bytes, bool offered, std::string& out) {
    Key key = Key::none;
    std::string text = std::move(pending_) + std::string(bytes);
    pending_.clear();
    std::string_view rest = text;
    while (!rest.empty()) {
        const std::size_t start = rest.find(escape);
        out += rest.substr(0, start);
        if (start == std::string_view::npos)
            break;
        rest.remove_prefix(start);
        // ESC [ digits and ';' then a final letter
        if (rest.size() < 3 || rest[1] != '[') {
            out += rest.substr(0, 1); // the Escape key itself, or Alt with a key
            rest.remove_prefix(1);
            continue;
        }
        const std::size_t end = rest.find_first_not_of("0123456789;", 2);
        if (end == std::string_view::npos) {
            if (rest.size() < 16)
                pending_ = rest;
            else
                out += rest;
            break;
        }
        const std::string_view sequence = rest.substr(0, end + 1);
        rest.remove_prefix(end + 1);
        if (offered && (sequence == "\x1b[20~" || sequence == "\x1b[21~")) {
            key = sequence == "\x1b[20~" ? Key::now : Key::not_now;
        } else if (sequence.back() == 'R') {
            const auto place = numbers(sequence.substr(2, sequence.size() - 3));
            const std::size_t row = place[0];
            // in origin mode the console adds the region's first row to a row that has it already
            const std::size_t above = 2 * header_rows;
            out += "\x1b[" + std::to_string(row > above ? row - above : 1) + ';' +
                   std::to_string(place.size() > 1 ? place[1] : 1) + 'R';
        } else {
            out += sequence;
        }
    }
    return key;
}

} // namespace baton::guest
