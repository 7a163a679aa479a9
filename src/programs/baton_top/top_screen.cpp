#include "programs/baton_top/top_screen.h"

#include "programs/baton/commands.h"

#include <algorithm>
#include <clocale>
#include <cstring>
#include <curses.h>
#include <langinfo.h>

namespace baton::cli {

namespace {

using monitor::TopLine;
using monitor::TopSort;
using Clock = std::chrono::steady_clock;

constexpr short stale_pair = 1;
constexpr short summary_pair = 2;

/// The terminal in curses' hands, given back whatever happens.
class Terminal {
  public:
    Terminal() {
        std::setlocale(LC_ALL, ""); // NOLINT(concurrency-mt-unsafe): before any other thread asks
        initscr();
        cbreak();
        noecho();
        keypad(stdscr, TRUE);
        curs_set(0);
        set_escdelay(50);
        if (has_colors()) {
            start_color();
            use_default_colors();
            init_pair(stale_pair, COLOR_RED, -1);
            init_pair(summary_pair, COLOR_CYAN, -1);
        }
    }

    ~Terminal() { endwin(); }

    Terminal(const Terminal&) = delete;
    Terminal& operator=(const Terminal&) = delete;

    /// Whether it shows more than ASCII.
    static bool has_unicode() {
        return std::strcmp(nl_langinfo(CODESET), "UTF-8") == 0; // NOLINT(concurrency-mt-unsafe)
    }
};

class Screen {
  public:
    Screen(const std::function<std::vector<monitor::Seen>()>& read, monitor::TopOptions options)
        : read_(read), options_(std::move(options)) {}

    void refresh_data() {
        try {
            view_.add(read_());
            problem_.clear();
        } catch (const CommandFailed& failed) {
            problem_ = failed.error.message();
        }
    }

    void draw() {
        erase();
        int height = 0;
        int width = 0;
        getmaxyx(stdscr, height, width);
        options_.width = static_cast<unsigned>(std::max(1, width));
        auto lines = view_.lines(options_);
        const auto first = std::ranges::find(lines, TopLine::Kind::heading, &TopLine::kind);
        const auto fixed = static_cast<std::size_t>(first - lines.begin()) + 1;
        const std::size_t room = height > 1 ? static_cast<std::size_t>(height) - 1 : 0;
        const std::size_t rows = lines.size() - fixed;
        const std::size_t shown = room > fixed ? room - fixed : 0;
        scroll_ = std::min(scroll_, rows > shown ? rows - shown : 0);
        for (std::size_t i = 0; i < std::min(fixed, room); ++i)
            put(static_cast<int>(i), lines[i]);
        for (std::size_t i = 0; i < std::min(shown, rows - scroll_); ++i)
            put(static_cast<int>(fixed + i), lines[fixed + scroll_ + i]);
        draw_bottom(height, width);
        refresh();
    }

    /// false: end.
    bool key(int key) {
        if (typing_) {
            type(key);
            return true;
        }
        switch (key) {
        case 'q':
        case 'Q':
            return false;
        case 'c':
            return sort_by(TopSort::cpu);
        case 'm':
            return sort_by(TopSort::memory);
        case 'd':
            return sort_by(TopSort::disk);
        case 'n':
            return sort_by(TopSort::network);
        case 'p':
            return sort_by(TopSort::pressure);
        case 'a':
            return sort_by(TopSort::name);
        case 'u':
            return sort_by(TopSort::user);
        case 'r':
            options_.reverse = !options_.reverse;
            return true;
        case '/':
            typing_ = true;
            options_.filter.clear();
            return true;
        case KEY_DOWN:
            ++scroll_;
            return true;
        case KEY_UP:
            scroll_ -= scroll_ > 0 ? 1 : 0;
            return true;
        case KEY_NPAGE:
            scroll_ += page;
            return true;
        case KEY_PPAGE:
            scroll_ -= std::min(scroll_, page);
            return true;
        case KEY_HOME:
            scroll_ = 0;
            return true;
        default:
            return true;
        }
    }

  private:
    static constexpr std::size_t page = 20;

    bool sort_by(TopSort sort) {
        options_.sort = sort;
        options_.reverse = false;
        return true;
    }

    void type(int key) {
        constexpr int escape = 27;
        constexpr int delete_character = 127;
        if (key == '\n' || key == KEY_ENTER)
            typing_ = false;
        else if (key == escape) {
            typing_ = false;
            options_.filter.clear();
        } else if (key == KEY_BACKSPACE || key == '\b' || key == delete_character) {
            if (!options_.filter.empty())
                options_.filter.pop_back();
        } else if (key >= ' ' && key < delete_character && options_.filter.size() < 63) {
            options_.filter += static_cast<char>(key);
        }
    }

    static void put(int row, const TopLine& line) {
        attr_t look = A_NORMAL;
        if (line.kind == TopLine::Kind::heading)
            look = A_REVERSE;
        else if (line.kind == TopLine::Kind::stale)
            look = A_BOLD | static_cast<attr_t>(COLOR_PAIR(stale_pair));
        else if (line.kind == TopLine::Kind::summary)
            look = static_cast<attr_t>(COLOR_PAIR(summary_pair));
        attrset(static_cast<int>(look));
        mvaddstr(row, 0, line.text.c_str());
        attrset(A_NORMAL);
    }

    void draw_bottom(int height, int width) const {
        std::string text = "q end  c m d n p a u sort  r reverse  / filter";
        if (typing_)
            text = "filter: " + options_.filter + "_";
        else if (!problem_.empty())
            text = problem_;
        else if (!options_.filter.empty())
            text = "filter: " + options_.filter + "  (/ and Esc: all)";
        mvaddnstr(height - 1, 0, text.c_str(), std::max(0, width - 1));
    }

    const std::function<std::vector<monitor::Seen>()>& read_;
    monitor::TopOptions options_;
    monitor::TopView view_;
    std::string problem_;
    std::size_t scroll_ = 0;
    bool typing_ = false;
};

} // namespace

void run_top_screen(const std::function<std::vector<monitor::Seen>()>& read,
                    monitor::TopOptions options, std::chrono::milliseconds interval) {
    const Terminal terminal;
    options.unicode = Terminal::has_unicode();
    Screen screen(read, std::move(options));
    auto next = Clock::now();
    while (true) {
        if (Clock::now() >= next) {
            screen.refresh_data();
            next = std::max(next + interval, Clock::now());
        }
        screen.draw();
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(next - Clock::now());
        timeout(static_cast<int>(std::max<std::int64_t>(0, left.count())));
        if (const int key = getch(); key != ERR && !screen.key(key))
            return;
    }
}

} // namespace baton::cli
