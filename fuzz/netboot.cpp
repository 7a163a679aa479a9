/// What answers a DHCP question on a network of strangers, and the files of the folder of netboot:
/// any bytes are read or refused, and what was read comes back the same when it is written again.
#include "netboot/build.h"
#include "netboot/dhcp.h"
#include "netboot/manifest.h"
#include "netboot/settings.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace baton::netboot;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    // the transaction is whatever the bytes say, so that the rest is reached
    std::uint32_t transaction = 0;
    for (std::size_t i = 4; i < 8 && i < size; ++i)
        transaction = transaction << 8 | data[i];
    if (const auto offer = dhcp_offer(std::span(data, size), transaction, "10.0.0.1"))
        for (const char c : offer->boot_file + offer->server + offer->address)
            if (c <= 0x20 || c >= 0x7f)
                std::abort();
    if (const auto settings = settings_from_json(text))
        if (settings_from_json(to_json(*settings)) != settings)
            std::abort();
    if (const auto manifest = manifest_from_json(text))
        if (manifest_from_json(to_json(*manifest)) != manifest)
            std::abort();
    (void)draft_from_json(text);
    (void)is_image_id(text);
    return 0;
}
