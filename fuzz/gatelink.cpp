// Both directions of a gateway's link: whatever is read writes and reads the same.
#include "gatelink/protocol.h"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace baton;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (const auto message = gatelink::decode_from_gateway(text)) {
        const auto again = gatelink::decode_from_gateway(gatelink::encode(*message));
        if (!again || !(*again == *message))
            std::abort();
    }
    if (const auto message = gatelink::decode_from_controller(text)) {
        const auto again = gatelink::decode_from_controller(gatelink::encode(*message));
        if (!again || !(*again == *message))
            std::abort();
    }
    return 0;
}
