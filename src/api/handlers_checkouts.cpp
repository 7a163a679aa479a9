#include "api/desk_calls.h"
#include "api/json_out.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

namespace json = boost::json;

namespace baton::api {

namespace {

/// The text form of a UUID.
constexpr std::size_t journey_length = 36;

/// Managed desks that a person takes away and brings back.
class CheckoutRoutes : DeskCalls {
  public:
    using DeskCalls::DeskCalls;

    void show(const CallPtr& call);
    void begin(const CallPtr& call);
    void bring_back(const CallPtr& call);
    void call_off(const CallPtr& call);

  private:
    /// What came of a call to the desk server, and where the desk is now, also when it failed: an
    /// earlier answer may have been lost.
    struct Outcome {
        std::optional<Error> error;
        std::optional<DeskWhereabouts> now;
    };

    static Outcome outcome_of(DeskAdmin& desks, const DeskName& name,
                              const Result<DeskWhereabouts>& done);
    void finish(const CallPtr& call, const DeskName& name, const Result<Outcome>& outcome);
    /// The row of the desk, brought to what the desk server says; with an event when that is new.
    Result<store::DeskRow> settle(const CallPtr& call, const DeskName& name,
                                  const DeskWhereabouts& now);
};

json::object described(const DeskWhereabouts& where) {
    json::value away;
    if (where.away)
        away = json::object{{"to", where.away->to},
                            {"since", to_json(where.away->since)},
                            {"generation", where.away->generation}};
    return {{"generation", where.generation},
            {"journey", where.journey.empty() ? json::value() : json::value(where.journey)},
            {"away", std::move(away)}};
}

CheckoutRoutes::Outcome CheckoutRoutes::outcome_of(DeskAdmin& desks, const DeskName& name,
                                                   const Result<DeskWhereabouts>& done) {
    if (done)
        return {std::nullopt, *done};
    Outcome outcome{done.error(), std::nullopt};
    if (auto now = desks.whereabouts(name))
        outcome.now = std::move(*now);
    return outcome;
}

Result<store::DeskRow> CheckoutRoutes::settle(const CallPtr& call, const DeskName& name,
                                              const DeskWhereabouts& now) {
    auto row = context_.services.store.desk(name);
    if (!row)
        return tl::unexpected(row.error());
    if (!*row)
        return fail(Errc::not_found, fmt::format("the desk '{}' was removed", name.value));
    store::DeskRow after = **row;
    const bool was_away = after.state == store::DeskState::checked_out;
    after.fence = std::max(after.fence, now.fence);
    if (now.away) {
        if (!was_away || after.away_since != now.away->since)
            after.away_by = call->caller.user;
        after.state = store::DeskState::checked_out;
        after.away_to = now.away->to;
        after.away_since = now.away->since;
    } else if (was_away) {
        after.state = store::DeskState::ok;
        after.away_to.clear();
        after.away_by = UserName();
        after.away_since = {};
    }
    if (after == **row)
        return after;
    store::Change change;
    change.desks.push_back(after);
    if (auto done = context_.services.store.commit(change); !done)
        return tl::unexpected(done.error());
    if (now.away && after.away_since != (*row)->away_since)
        (void)context_.tell("desk.checked_out", name.value,
                            fmt::format("the desk {} was taken away to {} by {}", name.value,
                                        now.away->to, call->caller.user.value));
    if (!now.away && was_away)
        (void)context_.tell("desk.checked_in", name.value,
                            fmt::format("the desk {} is at home again, by {}", name.value,
                                        call->caller.user.value));
    return after;
}

void CheckoutRoutes::finish(const CallPtr& call, const DeskName& name,
                            const Result<Outcome>& outcome) {
    if (!outcome)
        return call->answer(outcome.error());
    if (!outcome->now)
        return call->answer(*outcome->error);
    const auto row = settle(call, name, *outcome->now);
    if (outcome->error)
        return call->answer(*outcome->error);
    if (!row)
        return call->answer(row.error());
    call->answer(to_json(*row));
}

void CheckoutRoutes::show(const CallPtr& call) {
    auto row = find(call);
    if (!row)
        return call->answer(row.error());
    DeskAdmin& desks = context_.services.desks;
    context_.in_background<DeskWhereabouts>(
        [&desks, name = row->name] { return desks.whereabouts(name); },
        [call](const Result<DeskWhereabouts>& where) {
            if (!where)
                return call->answer(where.error());
            call->answer(described(*where));
        });
}

void CheckoutRoutes::begin(const CallPtr& call) {
    auto row = find_free(call);
    if (!row)
        return call->answer(row.error());
    auto fields = Fields::parse(call->request.body);
    if (!fields)
        return call->answer(fields.error());
    const auto journey = fields->text("journey", journey_length);
    const auto to = fields->text("to", 63);
    const auto generation = fields->number("generation", 0, INT64_MAX);
    if (auto fine = fields->error(); !fine)
        return call->answer(fine.error());
    if (auto fine = check_name("place", to); !fine)
        return call->answer(fine.error());
    DeskAdmin& desks = context_.services.desks;
    const DeskName name = row->name;
    work_on<Outcome>(
        name,
        [&desks, name, journey, to, generation]() -> Result<Outcome> {
            return outcome_of(
                desks, name,
                desks.check_out(name, journey, static_cast<std::uint64_t>(generation), to));
        },
        [this, call, name](const Result<Outcome>& outcome) { finish(call, name, outcome); });
}

void CheckoutRoutes::bring_back(const CallPtr& call) {
    if (auto fine = only_query(call->request.query, {"offset", "total"}); !fine)
        return call->answer(fine.error());
    auto row = find_free(call);
    if (!row)
        return call->answer(row.error());
    // what does not compress is packed a little larger than it is
    const auto most = row->size_bytes + row->size_bytes / 64 + (std::int64_t{16} << 20);
    auto part = piece_of(call, most);
    if (!part)
        return call->answer(part.error());
    auto piece = std::make_shared<DeskPiece>(std::move(*part));
    DeskAdmin& desks = context_.services.desks;
    const DeskName name = row->name;
    using Partly = std::optional<Outcome>;
    work_on<Partly>(
        name,
        [&desks, name, piece]() -> Result<Partly> {
            const auto done = desks.check_in_piece(name, *piece);
            if (done && !*done)
                return Partly();
            return Partly(
                outcome_of(desks, name, done.map([](const auto& where) { return *where; })));
        },
        [this, call, name, piece](const Result<Partly>& outcome) {
            if (outcome && !*outcome)
                return call->answer(
                    json::object{{"name", name.value},
                                 {"received",
                                  piece->offset + static_cast<std::int64_t>(piece->bytes.size())},
                                 {"total", piece->total}},
                    202);
            finish(call, name, outcome.map([](const Partly& whole) { return *whole; }));
        });
}

void CheckoutRoutes::call_off(const CallPtr& call) {
    auto row = find_free(call);
    if (!row)
        return call->answer(row.error());
    DeskAdmin& desks = context_.services.desks;
    const DeskName name = row->name;
    work_on<Outcome>(
        name,
        [&desks, name]() -> Result<Outcome> {
            return outcome_of(desks, name, desks.call_off(name));
        },
        [this, call, name](const Result<Outcome>& outcome) { finish(call, name, outcome); });
}

} // namespace

void add_checkout_routes(Context& context, Handlers& handlers) {
    auto routes = std::make_shared<CheckoutRoutes>(context);
    handlers[RouteId::checkout_show] = [routes](const CallPtr& call) { routes->show(call); };
    handlers[RouteId::checkout_begin] = [routes](const CallPtr& call) { routes->begin(call); };
    handlers[RouteId::checkout_call_off] = [routes](const CallPtr& call) {
        routes->call_off(call);
    };
    handlers[RouteId::checkin] = [routes](const CallPtr& call) { routes->bring_back(call); };
}

} // namespace baton::api
