/// What a file may begin with that says it is an encrypted desk, or a layer: any bytes.
#include "desk/encrypt.h"

#include <algorithm>
#include <cstdlib>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace baton::desk;
    std::vector<std::uint8_t> bytes(data, data + size);
    constexpr std::uint8_t start[] = {'Q', 'F', 'I', 0xfb, 0, 0, 0, 3};
    if (size > sizeof start && (data[size - 1] & 1U) != 0)
        std::copy(std::begin(start), std::end(start), bytes.begin());
    for (const bool layer : {false, true})
        if (check_qcow2(bytes, layer) && (bytes.at(79) & 4U) != 0)
            std::abort(); // it would have opened a file that somebody named
    return 0;
}
