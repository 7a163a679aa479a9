#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace baton::rfb {

/// How a stream went through a reader.
struct Fed {
    std::string refused;       ///< the sentence, or nothing
    std::size_t most_kept = 0; ///< bytes that had to be offered again
    std::size_t rest = 0;      ///< bytes that were never whole
};

/// Feeds `stream` to a ServerReader or ClientReader in pieces that end at `cuts`, as a caller with
/// a buffer does; `take` is given each event.
template <class Reader, class Take>
Fed feed(Reader& reader, const std::string& stream, std::vector<std::size_t> cuts,
         const Take& take) {
    Fed result;
    std::string buffer;
    std::sort(cuts.begin(), cuts.end());
    cuts.push_back(stream.size());
    std::size_t fed = 0;
    for (const std::size_t cut : cuts) {
        buffer += stream.substr(fed, cut - fed);
        fed = cut;
        std::size_t at = 0;
        for (;;) {
            const auto event = reader.next(std::string_view(buffer).substr(at));
            if (!event) {
                result.refused = event.error().what;
                return result;
            }
            if (event->part == std::decay_t<decltype(*event)>::Part::need_more)
                break;
            at += event->bytes.size();
            take(*event);
        }
        buffer.erase(0, at);
        result.most_kept = std::max(result.most_kept, buffer.size());
    }
    result.rest = buffer.size();
    return result;
}

} // namespace baton::rfb
