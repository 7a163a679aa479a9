#pragma once

#include "model/error.h"
#include "model/ids.h"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

/// The one line with which a gateway asks for a screen (docs/formats/screen-relay.md). Pure.
namespace baton::screenrelay {

struct Request {
    DesktopId desktop;
    std::string ticket; ///< 32 lower-case hexadecimal digits; a secret
    bool operator==(const Request&) const = default;
};

/// The line, with its end: "baton-screen/1 d-12 0123...\n".
std::string to_line(const Request& request);

/// Takes the line out of a stream, in whatever pieces it comes.
class RequestReader {
  public:
    /// With its end. A line that has not ended by then is refused.
    static constexpr std::size_t longest_line = 256;

    /// nullopt: the line has not ended yet. Errc::invalid_argument: it is none of ours; what() is
    /// one short clause that holds nothing of the line. Not to be called after either.
    Result<std::optional<Request>> feed(std::string_view bytes);

    /// What came behind the line: the screen's already. Empties it.
    [[nodiscard]] std::string take_rest();

  private:
    std::string bytes_; ///< the line as far as it has come, then what came behind it
};

} // namespace baton::screenrelay
