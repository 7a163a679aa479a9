#include "hypervisor/check_spec.h"

#include <fmt/format.h>

namespace baton::hypervisor {

namespace {

constexpr std::size_t longest_id = 40;
constexpr unsigned largest_weight = 10'000;

} // namespace

Result<void> check_desktop_id(const DesktopId& desktop) {
    BATON_TRY(check_name("desktop id", desktop.value));
    if (desktop.value.size() > longest_id)
        return fail(Errc::invalid_argument,
                    fmt::format("the desktop id '{}' is longer than {} characters", desktop.value,
                                longest_id));
    if (desktop.value.find('.') != std::string::npos)
        return fail(Errc::invalid_argument,
                    fmt::format("the desktop id '{}' has a dot in it", desktop.value));
    return {};
}

Result<void> check_desktop_spec(const DesktopSpec& spec) {
    BATON_TRY(check_desktop_id(spec.id));
    if (spec.memory < spec.image.minimum_memory)
        return fail(Errc::invalid_argument,
                    fmt::format("{} is less than the OS image {} needs ({})",
                                to_string(spec.memory), spec.image.id.value,
                                to_string(spec.image.minimum_memory)));
    if (spec.screen_password.empty() && !spec.local_screen)
        return fail(Errc::invalid_argument, "a desktop's screen needs a password");
    if (spec.vcpus == 0)
        return fail(Errc::invalid_argument, "a desktop needs at least one processor");
    return {};
}

Result<void> check_same(const DesktopSpec& wanted, const SessionId& session, Mebibytes memory,
                        bool local_screen) {
    if (wanted.session == session && wanted.memory == memory && wanted.local_screen == local_screen)
        return {};
    return fail(Errc::conflict,
                fmt::format("desktop {} runs already, for another session, with other memory ({}) "
                            "or with the other kind of screen ({})",
                            wanted.id.value, to_string(memory), local_screen ? "local" : "a port"),
                "give the new desktop an id of its own");
}

Result<void> check_cpu_weight(unsigned weight) {
    if (weight == 0 || weight > largest_weight)
        return fail(Errc::invalid_argument,
                    fmt::format("{} is no weight for a desktop's CPUs", weight),
                    fmt::format("give 1 to {}; 100 is an equal share", largest_weight));
    return {};
}

} // namespace baton::hypervisor
