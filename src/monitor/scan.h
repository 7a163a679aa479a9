#pragma once

#include <charconv>
#include <cstdint>
#include <string_view>

namespace baton::monitor {

/// Walks over the text of a file of /proc, without allocating.
class Scan {
  public:
    explicit Scan(std::string_view text) : rest_(text) {}

    [[nodiscard]] bool done() const { return rest_.empty(); }

    /// The next line without its end; "" when there is none.
    std::string_view line() { return upto('\n'); }

    /// What stands before the next `mark`, which is passed over, or all that is left.
    std::string_view upto(char mark) {
        const auto end = rest_.find(mark);
        const std::string_view found = rest_.substr(0, end);
        rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
        return found;
    }

    /// The next word between blanks; "" when there is none.
    std::string_view word() {
        skip_blanks();
        std::size_t end = 0;
        while (end < rest_.size() && !is_blank(rest_[end]))
            ++end;
        const std::string_view found = rest_.substr(0, end);
        rest_.remove_prefix(end);
        return found;
    }

    /// The next word as a whole number below 2^64; false: it is none, or there is none.
    bool number(std::uint64_t& value) {
        const std::string_view text = word();
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        return !text.empty() && error == std::errc{} && end == text.data() + text.size();
    }

    /// The same for so many in a row.
    template <class... Values>
    bool numbers(Values&... values) {
        return (number(values) && ...);
    }

    /// A number if there is one more word; false: there is, and it is none.
    bool number_if_any(std::uint64_t& value) {
        skip_blanks();
        return rest_.empty() || number(value);
    }

    bool skip_words(unsigned count) {
        for (; count > 0; --count)
            if (word().empty())
                return false;
        return true;
    }

  private:
    static bool is_blank(char c) { return c == ' ' || c == '\t'; }

    void skip_blanks() {
        std::size_t begin = 0;
        while (begin < rest_.size() && is_blank(rest_[begin]))
            ++begin;
        rest_.remove_prefix(begin);
    }

    std::string_view rest_;
};

} // namespace baton::monitor
