/// What comes over a running player's control socket, and what answers: any bytes.
#include "player/control.h"

#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    const auto ask = baton::player::parse_ask(bytes);
    if (ask && baton::player::parse_ask(baton::player::to_packet(*ask)).value() != *ask)
        std::abort();
    const auto playing = baton::player::parse_playing(bytes);
    if (playing &&
        baton::player::parse_playing(baton::player::to_packet(*playing)).value() != *playing)
        std::abort();
    return 0;
}
