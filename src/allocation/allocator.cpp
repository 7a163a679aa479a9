#include "allocation/allocator.h"

#include "allocation/block_allocator.h"
#include "allocation/policy.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>

namespace baton::allocation {

namespace {

constexpr std::array<PolicyInfo, 3> known{{
    {"paper", "sizes go by the number of users; who connected last is handed off first"},
    {"lazy", "free memory is filled first; the largest is handed off only when needed, and nobody "
             "grows back while much is in use"},
    {"advised", "as paper, but nobody is given or left less than they are known to need while "
                "there is another way"},
}};

Result<void> check(const Settings& settings) {
    if (settings.largest.count < 1)
        return fail(Errc::invalid_argument,
                    fmt::format("the largest size is {} MiB; it has to be at least 1 MiB",
                                settings.largest.count));
    if (settings.levels == 0 || settings.levels > max_levels)
        return fail(Errc::invalid_argument,
                    fmt::format("{} levels are not possible", settings.levels),
                    fmt::format("choose 1 to {}", max_levels));
    if (const Mebibytes smallest = settings.largest.halved(settings.levels - 1);
        smallest.count < 1 ||
        smallest * (std::int64_t{1} << (settings.levels - 1)) != settings.largest)
        return fail(Errc::invalid_argument,
                    fmt::format("{} cannot be halved {} times into whole MiB",
                                to_string(settings.largest), settings.levels - 1),
                    "choose fewer levels or a larger largest size");
    if (settings.grow_below_percent > 100)
        return fail(
            Errc::invalid_argument,
            fmt::format("{} percent of the memory cannot be in use", settings.grow_below_percent),
            "choose 0 to 100");
    return {};
}

} // namespace

std::span<const PolicyInfo> policies() {
    return known;
}

std::uint64_t users_at_level(unsigned level, std::uint64_t hosts) {
    const std::uint64_t slots = hosts << level;
    return slots == 0 ? 0 : slots - 1;
}

Result<std::unique_ptr<Allocator>> make_allocator(std::string_view policy, const Settings& settings,
                                                  const std::vector<HostCapacity>& hosts) {
    auto rule = make_policy(policy);
    if (!rule) {
        std::vector<std::string_view> names;
        names.reserve(known.size());
        for (const PolicyInfo& info : known)
            names.push_back(info.name);
        return fail(Errc::invalid_argument, fmt::format("no policy is called '{}'", policy),
                    fmt::format("choose from: {}", fmt::join(names, ", ")));
    }
    BATON_TRY(check(settings));
    auto allocator = std::make_unique<BlockAllocator>(settings, std::move(rule));
    for (const HostCapacity& host : hosts)
        BATON_TRY(allocator->add_host(host));
    return allocator;
}

} // namespace baton::allocation
