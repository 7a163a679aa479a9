/// What the first MiB of a file may hold, and the file system's superblock behind it: any bytes.
/// The checksum is made right for half of the inputs, so that what lies behind it is reached.
#include "desk/header.h"
#include "desk/superblock.h"

#include <algorithm>
#include <cstdlib>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace baton::desk;
    if (size == 0)
        return 0;
    const std::uint8_t how = data[0];
    std::vector<std::uint8_t> bytes(data + 1, data + size);
    if ((how & 1U) != 0) {
        bytes.resize(2 * slot_bytes);
        for (std::size_t slot = 0; slot < 2; ++slot) {
            const auto part = std::span(bytes).subspan(slot * slot_bytes, slot_bytes);
            constexpr std::uint8_t mark[] = {'B', 'A', 'T', 'O', 'N', 'D', 'S', 'K',
                                             1,   0,   0,   0,   0,   16,  0,   0};
            if ((how & 2U) != 0)
                std::copy(std::begin(mark), std::end(mark), part.begin());
            const auto sum = crc32c(part.first(slot_bytes - 4));
            for (std::size_t i = 0; i < 4; ++i)
                part[slot_bytes - 4 + i] = static_cast<std::uint8_t>(sum >> (8 * i));
        }
    }
    const auto whole = std::span<const std::uint8_t>(bytes);
    const auto half = std::min(bytes.size(), slot_bytes);
    const auto parsed = parse_header(whole.first(half), whole.subspan(half));
    if (parsed) {
        // what was understood can be written, and is read as the same
        const auto writes = plan_change(*parsed, parsed->header);
        if (!writes)
            std::abort();
        const auto again = parse_header((*writes)[0].bytes, (*writes)[1].bytes);
        if (!again || again->header != parsed->header || !again->warnings.empty())
            std::abort();
    }
    const auto limit = static_cast<std::int64_t>(how) << 30;
    if (const auto superblock = read_superblock(whole, limit))
        if (superblock->size_bytes > limit || superblock->free_bytes > superblock->size_bytes ||
            superblock->size_bytes <= 0 || superblock->free_bytes < 0)
            std::abort();
    return 0;
}
