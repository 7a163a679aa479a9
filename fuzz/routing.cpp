/// What batond says to root's helper, what the helper answers, what nft and conntrack say: any
/// bytes are read or refused, and what was read comes back the same when it is said again.
#include "routing/helper_protocol.h"
#include "routing/layout.h"
#include "routing/nft.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace baton::routing;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (const auto request = decode_helper_request(text)) {
        auto line = encode(*request);
        line.pop_back();
        const auto again = decode_helper_request(line);
        if (!again || *again != *request)
            std::abort();
    }
    (void)decode_helper_answer(text);
    (void)layout_from_json(text);
    (void)routes_from_nft(text);
    (void)flows_from_conntrack(text);
    return 0;
}
