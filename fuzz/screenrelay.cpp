// What a gateway says first, and a ticket's file: any bytes are read or refused, in one piece or in
// two, and what was read comes back the same when it is written again.
#include "screenrelay/request.h"
#include "screenrelay/tickets.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

namespace {

using baton::screenrelay::Request;
using baton::screenrelay::RequestReader;

/// What comes of the text when it comes as two pieces, the second only if it is waited for.
std::optional<Request> read(std::string_view first, std::string_view second, std::string& rest) {
    RequestReader reader;
    auto fed = reader.feed(first);
    if (fed && !*fed)
        fed = reader.feed(second);
    else
        rest = second;
    if (!fed || !*fed)
        return std::nullopt;
    rest.insert(0, reader.take_rest());
    return **fed;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace baton::screenrelay;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (const auto ticket = parse_ticket(text))
        if (const auto again = parse_ticket(to_text(*ticket)); !again || *again != *ticket)
            std::abort();
    std::string rest;
    const auto whole = read(text, {}, rest);
    if (whole && to_line(*whole) + rest != text)
        std::abort();
    for (const std::size_t at :
         {size / 2, size - (size > 0 ? 1 : 0), std::min<std::size_t>(size, 255)}) {
        std::string other;
        const auto pieces = read(text.substr(0, at), text.substr(at), other);
        if (pieces != whole || (whole && other != rest))
            std::abort();
    }
    return 0;
}
