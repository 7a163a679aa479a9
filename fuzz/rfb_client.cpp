#include "rfb/client.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

/// The first byte says how long the pieces are in which the rest arrives.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0)
        return 0;
    baton::rfb::Client client([](const baton::rfb::Challenge& challenge) { return challenge; });
    const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
    const std::size_t piece = data[0] % 64 + 1;
    for (std::size_t at = 0; at < bytes.size(); at += piece)
        if (!client.feed(bytes.substr(at, piece)))
            break;
    client.take_output();
    return 0;
}
