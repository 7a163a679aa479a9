/// What an administrator writes, and what a desk's own services say of themselves: any bytes. A
/// refusal names the file.
#include "player/policy.h"
#include "player/services.h"

#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto policy = baton::player::parse_policy(text, "p.toml");
    if (!policy && !policy.error().what.starts_with("p.toml"))
        std::abort();
    const auto service = baton::player::parse_service(text, "s");
    if (service ? service->command.empty() : !service.error().what.starts_with("s.toml"))
        std::abort();
    return 0;
}
