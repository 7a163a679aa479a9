/// What a guest may send: any bytes, in any pieces. Whatever is understood must survive being said
/// again, and the splitter must give the same lines however the stream is cut.
#include "guest/protocol.h"

#include <cstdint>
#include <cstdlib>

namespace {

template <class Message>
void said_again(const baton::Result<Message>& message,
                baton::Result<Message> (*decode)(std::string_view)) {
    if (!message)
        return;
    const std::string line = baton::guest::encode(*message);
    if (line.size() > baton::guest::max_line)
        std::abort();
    const auto again = decode(std::string_view(line).substr(0, line.size() - 1));
    if (!again || again->index() != message->index() || baton::guest::encode(*again) != line)
        std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace baton::guest;
    if (size == 0)
        return 0;
    const std::size_t piece = std::size_t{1} + data[0];
    const std::string_view stream(reinterpret_cast<const char*>(data) + 1, size - 1);

    LineSplitter whole;
    std::vector<std::string> lines;
    whole.feed(stream, lines);
    LineSplitter cut;
    std::vector<std::string> same;
    for (std::size_t at = 0; at < stream.size(); at += piece)
        cut.feed(stream.substr(at, piece), same);
    if (lines != same || whole.dropped() != cut.dropped())
        std::abort();

    for (const std::string& line : lines) {
        said_again<ToGuest>(decode_to_guest(line), &decode_to_guest);
        said_again<FromGuest>(decode_from_guest(line), &decode_from_guest);
    }
    return 0;
}
