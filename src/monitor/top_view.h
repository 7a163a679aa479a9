#pragma once

#include "monitor/rates.h"

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

/// What `baton top` shows, as lines of text: pure, so that a test can look at every width.
namespace baton::monitor {

/// One host as somebody sees it now.
struct Seen {
    Reading reading;
    std::map<std::string, std::string> users;     ///< of sessions
    std::map<std::string, std::int64_t> levels{}; ///< of desktops, by id
    std::int64_t age_ms = 0;
};

enum class TopSort : std::uint8_t { cpu, memory, disk, network, pressure, name, user };

/// "cpu", "memory", ...; Errc::invalid_argument names them all.
Result<TopSort> top_sort_from_string(std::string_view text);

struct TopOptions {
    TopSort sort = TopSort::cpu;
    bool reverse = false;
    std::string filter; ///< a part of a name, a user, a host or a state; empty: all
    unsigned width = 80;
    bool unicode = true; ///< false: a terminal that has only ASCII
};

struct TopLine {
    enum class Kind : std::uint8_t { summary, heading, desktop, stale };
    Kind kind = Kind::desktop;
    std::string text; ///< UTF-8, not wider than asked for
    bool operator==(const TopLine&) const = default;
};

class TopView {
  public:
    /// The next readings of all hosts; those that are not among them are forgotten.
    void add(std::vector<Seen> seen);

    [[nodiscard]] std::vector<TopLine> lines(const TopOptions& options) const;

    /// As many of the last values as fit, each as one block; a gap is a blank.
    static std::string sparkline(const std::deque<Value>& values, std::size_t width, bool unicode);

  private:
    static constexpr std::size_t remembered = 300;

    std::vector<Seen> seen_;
    std::map<std::string, std::deque<Value>> history_; ///< CPU, by host's name or VM's UUID
};

/// "1.5G", "512M", "17K", "9": at most five columns; "-": no value.
std::string short_number(Value value, double unit);

} // namespace baton::monitor
