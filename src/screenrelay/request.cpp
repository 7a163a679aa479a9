#include "screenrelay/request.h"

#include "screenrelay/tickets.h"

#include <utility>

namespace baton::screenrelay {

namespace {

constexpr std::string_view opening = "baton-screen/1 ";

} // namespace

std::string to_line(const Request& request) {
    return std::string(opening) + request.desktop.value + " " + request.ticket + "\n";
}

Result<std::optional<Request>> RequestReader::feed(std::string_view bytes) {
    const std::size_t before = bytes_.size();
    bytes_ += bytes;
    const std::size_t end = bytes_.find('\n', before);
    if (end == std::string::npos && bytes_.size() < longest_line)
        return std::nullopt;
    if (end == std::string::npos || end >= longest_line)
        return fail(Errc::invalid_argument, "the line is too long");
    const std::string_view line = std::string_view(bytes_).substr(0, end);
    if (!line.starts_with(opening))
        return fail(Errc::invalid_argument, "the line is none of baton-screen/1");
    const std::string_view words = line.substr(opening.size());
    const std::size_t space = words.find(' ');
    const std::string_view desktop = words.substr(0, space);
    const std::string_view ticket =
        space == std::string_view::npos ? std::string_view() : words.substr(space + 1);
    if (!is_desktop_id(desktop) || !is_ticket_word(ticket))
        return fail(Errc::invalid_argument, "the line names no desktop and ticket");
    Request request{DesktopId(std::string(desktop)), std::string(ticket)};
    bytes_.erase(0, end + 1);
    return request;
}

std::string RequestReader::take_rest() {
    return std::exchange(bytes_, {});
}

} // namespace baton::screenrelay
