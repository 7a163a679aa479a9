#include "desk/copies.h"
#include "deskserver/server_parts.h"

#include <filesystem>

/// Snapshots of managed desks: desk/copies.h behind the one door.
namespace baton::deskserver {

Result<DeskServer::Held> DeskServer::hold_idle(const DeskName& name) {
    BATON_TRY(check_name("desk name", name.value));
    auto held = hold(name);
    if (held->daemon)
        return in_use(name, held->lease->holder);
    std::error_code error;
    if (!std::filesystem::exists(path_of(name), error))
        return no_such_desk(name);
    return held;
}

Result<desk::Snapshot> DeskServer::take_snapshot(const DeskName& name,
                                                 const std::string& snapshot) {
    const auto held = hold_idle(name);
    if (!held)
        return tl::unexpected(held.error());
    auto kept = desk::list_snapshots(path_of(name));
    if (!kept)
        return tl::unexpected(kept.error());
    if (kept->size() >= settings_.most_snapshots)
        return fail(Errc::full,
                    "the desk '" + name.value + "' has " + std::to_string(kept->size()) +
                        " snapshots, and no more are kept",
                    "remove one first, the oldest is '" + kept->front().name +
                        "': baton desk snapshot " + name.value + " " + kept->front().name +
                        " --remove");
    return desk::take_snapshot(path_of(name), snapshot);
}

Result<std::vector<desk::Snapshot>> DeskServer::snapshots(const DeskName& name) {
    BATON_TRY(check_name("desk name", name.value));
    const auto held = hold(name); // also of a desk in use
    std::error_code error;
    if (!std::filesystem::exists(path_of(name), error))
        return no_such_desk(name);
    return desk::list_snapshots(path_of(name));
}

Result<void> DeskServer::remove_snapshot(const DeskName& name, const std::string& snapshot) {
    BATON_TRY(check_name("desk name", name.value));
    const auto held = hold(name);
    return desk::remove_snapshot(path_of(name), snapshot);
}

Result<DeskView> DeskServer::restore(const DeskName& name, const std::string& snapshot) {
    const auto held = hold_idle(name);
    if (!held)
        return tl::unexpected(held.error());
    BATON_TRY(desk::restore_snapshot(path_of(name), snapshot));
    return view(name, **held);
}

} // namespace baton::deskserver
