#include "api/desk_calls.h"
#include "api/json_out.h"

#include <boost/json/array.hpp>
#include <fmt/format.h>

namespace json = boost::json;

namespace baton::api {

namespace {

json::object to_json(const DeskSnapshot& snapshot) {
    return {{"name", snapshot.name},
            {"made", api::to_json(snapshot.made)},
            {"generation", snapshot.generation},
            {"allocated_bytes", snapshot.allocated_bytes},
            {"shared", snapshot.shared}};
}

/// How a managed desk was at a moment, and back to it.
class SnapshotRoutes : DeskCalls {
  public:
    using DeskCalls::DeskCalls;

    void list(const CallPtr& call);
    void take(const CallPtr& call);
    void remove(const CallPtr& call);
    void restore(const CallPtr& call);

  private:
    struct Asked {
        DeskName desk;
        std::string snapshot;
    };

    /// Desk and snapshot of the path, if the caller may see the desk and nobody works with it.
    Result<Asked> asked(const CallPtr& call);
    /// An event about it, by the caller.
    void tell(const CallPtr& call, const Asked& what, std::string_view kind, std::string_view done);
};

Result<SnapshotRoutes::Asked> SnapshotRoutes::asked(const CallPtr& call) {
    auto row = find_free(call);
    if (!row)
        return tl::unexpected(row.error());
    Asked what{row->name, call->parameters[1]};
    BATON_TRY(check_name("snapshot's name", what.snapshot));
    return what;
}

void SnapshotRoutes::tell(const CallPtr& call, const Asked& what, std::string_view kind,
                          std::string_view done) {
    (void)context_.tell(fmt::format("desk.{}", kind), what.desk.value,
                        fmt::format("{} by {}", done, call->caller.user.value));
}

void SnapshotRoutes::list(const CallPtr& call) {
    auto row = find(call);
    if (!row)
        return call->answer(row.error());
    using Kept = std::vector<DeskSnapshot>;
    DeskAdmin& desks = context_.services.desks;
    context_.in_background<Kept>([&desks, name = row->name] { return desks.snapshots(name); },
                                 [call](const Result<Kept>& kept) {
                                     if (!kept)
                                         return call->answer(kept.error());
                                     json::array all;
                                     for (const DeskSnapshot& one : *kept)
                                         all.push_back(to_json(one));
                                     call->answer(json::object{{"snapshots", std::move(all)}});
                                 });
}

void SnapshotRoutes::take(const CallPtr& call) {
    const auto what = asked(call);
    if (!what)
        return call->answer(what.error());
    DeskAdmin& desks = context_.services.desks;
    work_on<DeskSnapshot>(
        what->desk, [&desks, what] { return desks.take_snapshot(what->desk, what->snapshot); },
        [this, call, what](const Result<DeskSnapshot>& made) {
            if (!made)
                return call->answer(made.error());
            tell(call, *what, "snapshot",
                 fmt::format("the desk {} was kept as {}", what->desk.value, what->snapshot));
            call->answer(to_json(*made), 201);
        });
}

void SnapshotRoutes::remove(const CallPtr& call) {
    const auto what = asked(call);
    if (!what)
        return call->answer(what.error());
    DeskAdmin& desks = context_.services.desks;
    work_on<void>(
        what->desk, [&desks, what] { return desks.remove_snapshot(what->desk, what->snapshot); },
        [this, call, what](const Result<void>& done) {
            if (!done)
                return call->answer(done.error());
            tell(call, *what, "snapshot_removed",
                 fmt::format("the snapshot {} of the desk {} was removed", what->snapshot,
                             what->desk.value));
            call->answer(json::object{{"removed", what->snapshot}});
        });
}

void SnapshotRoutes::restore(const CallPtr& call) {
    const auto what = asked(call);
    if (!what)
        return call->answer(what.error());
    DeskAdmin& desks = context_.services.desks;
    work_on<void>(
        what->desk, [&desks, what] { return desks.restore(what->desk, what->snapshot); },
        [this, call, what](const Result<void>& done) {
            if (!done)
                return call->answer(done.error());
            tell(call, *what, "restored",
                 fmt::format("the desk {} was made what it was at {}", what->desk.value,
                             what->snapshot));
            auto row = context_.services.store.desk(what->desk);
            if (!row)
                return call->answer(row.error());
            call->answer(*row ? api::to_json(**row) : json::object{});
        });
}

} // namespace

void add_snapshot_routes(Context& context, Handlers& handlers) {
    auto routes = std::make_shared<SnapshotRoutes>(context);
    handlers[RouteId::snapshots_list] = [routes](const CallPtr& call) { routes->list(call); };
    handlers[RouteId::snapshots_take] = [routes](const CallPtr& call) { routes->take(call); };
    handlers[RouteId::snapshots_remove] = [routes](const CallPtr& call) { routes->remove(call); };
    handlers[RouteId::snapshots_restore] = [routes](const CallPtr& call) { routes->restore(call); };
}

} // namespace baton::api
