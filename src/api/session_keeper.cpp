#include "api/session_keeper.h"

#include "api/clients.h"
#include "api/guests.h"

#include <fmt/format.h>

#include <set>

namespace baton::api {

namespace {

std::string in_words(std::chrono::seconds time) {
    const auto count = time.count();
    if (count % 3600 == 0)
        return fmt::format("{} h", count / 3600);
    return count % 60 == 0 ? fmt::format("{} min", count / 60) : fmt::format("{} s", count);
}

bool serves(const handoff::SessionView& view) {
    return view.row.phase == store::SessionPhase::serving ||
           view.row.phase == store::SessionPhase::handing_off;
}

} // namespace

SessionKeeper::SessionKeeper(Context& context) : context_(context) {
    context_.person_came = [this](const SessionId& session) { person_came(session); };
}

Result<void> SessionKeeper::begin() {
    const auto clients = context_.services.store.clients();
    if (!clients)
        return tl::unexpected(clients.error());
    for (const store::ClientRow& row : *clients)
        if (!row.prestarted.empty())
            beforehand_[row.prestarted] = row.mac;
    context_.services.clock.after(look_every, [this] { look(); });
    return {};
}

Result<void> SessionKeeper::write(const std::string& mac, const SessionId& session) {
    auto row = find_client(context_, mac);
    if (!row)
        return tl::unexpected(row.error());
    store::Change change;
    row->prestarted = session;
    change.clients.push_back(*row);
    return context_.services.store.commit(change);
}

Result<void> SessionKeeper::started_beforehand(const SessionId& session, const std::string& mac) {
    beforehand_[session] = mac;
    return write(mac, session);
}

void SessionKeeper::person_came(const SessionId& session) {
    unused_since_.erase(session);
    // that it could not be written down is mended by the viewer, who is seen after a restart too
    if (const auto found = beforehand_.extract(session); !found.empty())
        (void)write(found.mapped(), SessionId());
}

SessionKeeper::Kept SessionKeeper::kept(const handoff::SessionView& view, bool seen_at_all) const {
    const Settings& settings = context_.settings;
    if (beforehand_.contains(view.row.id))
        return {settings.kept_unused,
                fmt::format("the desktop that was started for {} beforehand ends: nobody has come",
                            view.row.user.value)};
    if (!seen_at_all || view.row.route != RouteKind::gateway)
        return {};
    if (guest_pc(context_, view.row.user))
        return {settings.kept_unused,
                fmt::format("the guest session of {} ends: nobody looked on", view.row.user.value)};
    return {settings.kept_without_viewer,
            fmt::format("the session of {} ends: nobody looked on", view.row.user.value)};
}

void SessionKeeper::end(const handoff::SessionView& view, const Kept& kept) {
    (void)context_.tell("session.unused", view.row.id.value,
                        fmt::format("{} for {}", kept.words, in_words(kept.life)));
    person_came(view.row.id); // nothing is counted of it any more
    context_.services.engine.close(view.row.id, [](const Result<void>&) {});
}

void SessionKeeper::look() {
    context_.services.clock.after(look_every, [this] { look(); });
    const Gateways* gateways = context_.services.gateways;
    const bool seen_at_all = gateways != nullptr && !gateways->connected().empty();
    const auto looked_at = seen_at_all ? gateways->looked_at() : std::set<SessionId>();
    const auto now = context_.services.clock.monotonic();
    std::map<SessionId, Time> unused;
    for (const handoff::SessionView& view : context_.services.engine.sessions()) {
        if (!serves(view))
            continue;
        if (looked_at.contains(view.row.id)) {
            person_came(view.row.id);
            continue;
        }
        const Kept how = kept(view, seen_at_all);
        if (how.life.count() == 0)
            continue;
        const auto before = unused_since_.find(view.row.id);
        const auto since = before == unused_since_.end() ? now : before->second;
        if (now - since >= how.life)
            end(view, how);
        else
            unused[view.row.id] = since;
    }
    unused_since_ = std::move(unused);
}

} // namespace baton::api
