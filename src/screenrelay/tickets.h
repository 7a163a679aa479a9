#pragma once

#include "model/error.h"
#include "model/ids.h"

#include <string>
#include <string_view>
#include <vector>

/// Which screens may be looked at, and with which word: a file for each desktop, written by the
/// host's agent and read by its relay, so that neither needs the other to run
/// (docs/formats/screen-relay.md).
namespace baton::screenrelay {

inline constexpr std::size_t ticket_digits = 32;
/// A file that is larger is none of ours.
inline constexpr std::size_t largest_ticket_file = 4096;

/// A local screen and the word that opens it.
struct Ticket {
    std::string socket; ///< the absolute path of the unix socket on which QEMU's screen listens
    std::string word;   ///< `ticket_digits` lower-case hexadecimal digits; a secret
    bool operator==(const Ticket&) const = default;
};

/// `ticket_digits` lower-case hexadecimal digits.
bool is_ticket_word(std::string_view text);

/// In a time that does not tell where they differ. Words that are none never match.
bool same_word(std::string_view one, std::string_view other);

/// A desktop's id as it may be a file's name: check_name(), without dots.
bool is_desktop_id(std::string_view text);

// Pure: a file's content <-> a value. Errc::invalid_argument: ill-formed or out of bounds.
std::string to_text(const Ticket& ticket);
Result<Ticket> parse_ticket(std::string_view text);

/// The files of one folder. Any thread, any process: each file is replaced atomically.
class Tickets {
  public:
    explicit Tickets(std::string folder) : folder_(std::move(folder)) {}

    [[nodiscard]] const std::string& folder() const { return folder_; }

    /// Makes the folder (mode 0700) if need be, and the file (mode 0600) anew; on the disk when it
    /// returns. Errc::invalid_argument: no ticket, or no desktop's id.
    [[nodiscard]] Result<void> write(const DesktopId& desktop, const Ticket& ticket) const;
    /// Not there: success.
    [[nodiscard]] Result<void> remove(const DesktopId& desktop) const;
    /// Errc::not_found: there is none; invalid_argument: the file is damaged.
    [[nodiscard]] Result<Ticket> read(const DesktopId& desktop) const;
    /// Whose files are there; no folder: nobody's.
    [[nodiscard]] Result<std::vector<DesktopId>> desktops() const;
    /// Removes what a writer that was killed left half-made. Not while somebody may be writing.
    void remove_unfinished() const;

  private:
    [[nodiscard]] std::string path(const DesktopId& desktop) const;

    std::string folder_;
};

} // namespace baton::screenrelay
