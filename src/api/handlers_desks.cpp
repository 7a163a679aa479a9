#include "api/desk_calls.h"
#include "api/json_out.h"

#include <boost/json/array.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace json = boost::json;

namespace baton::api {

namespace {

constexpr std::int64_t smallest_desk = std::int64_t{16} << 20;
constexpr std::int64_t largest_desk = std::int64_t{1} << 42;

class DeskRoutes : DeskCalls {
  public:
    using DeskCalls::DeskCalls;

    void list(const CallPtr& call);
    void create(const CallPtr& call);
    void show(const CallPtr& call);
    void check(const CallPtr& call);
    void remove(const CallPtr& call);
    void export_image(const CallPtr& call);
    void import_image(const CallPtr& call);

  private:
    Result<UserName> owner_of_new(const DeskName& name, const std::optional<std::string>& wanted);
    void save_new(const CallPtr& call, const DeskName& name, const UserName& owner,
                  const Result<DeskFacts>& facts, std::string_view how);
    void checked(const CallPtr& call, const DeskName& name, const Result<DeskCheck>& result);
};

Result<UserName> DeskRoutes::owner_of_new(const DeskName& name,
                                          const std::optional<std::string>& wanted) {
    BATON_TRY(check_name("desk name", name.value));
    UserName owner(wanted.value_or(name.value));
    if (auto user = context_.accounts.get(owner); !user) {
        if (wanted)
            return tl::unexpected(user.error());
        return fail(Errc::not_found,
                    fmt::format("there is no user '{}' whose desk this could be", name.value),
                    fmt::format("say whose it is with --owner, or add the user: baton user add {}",
                                name.value));
    }
    auto there = context_.services.store.desk(name);
    if (!there)
        return tl::unexpected(there.error());
    if (*there)
        return fail(Errc::already_exists, fmt::format("there is a desk '{}' already", name.value),
                    fmt::format("see it with: baton desk show {}", name.value));
    if (context_.desks_in_work.contains(name))
        return fail(Errc::busy, fmt::format("another command works on the desk '{}'", name.value),
                    "try again when it has ended");
    return owner;
}

void DeskRoutes::save_new(const CallPtr& call, const DeskName& name, const UserName& owner,
                          const Result<DeskFacts>& facts, std::string_view how) {
    if (!facts) {
        Error error = facts.error();
        if (error.code == Errc::already_exists)
            error.hint = fmt::format("the desk server has an image of that name that no desk "
                                     "belongs to; if nobody needs it: baton desk remove {}",
                                     name.value);
        return call->answer(error);
    }
    store::DeskRow row;
    row.name = name;
    row.id = facts->id;
    row.owner = owner;
    row.size_bytes = facts->size_bytes;
    row.fence = facts->fence;
    row.created = context_.services.clock.wall();
    store::Change change;
    change.desks.push_back(row);
    if (auto done = context_.services.store.commit(change); !done)
        return call->answer(done.error());
    (void)context_.tell(fmt::format("desk.{}", how), name.value,
                        fmt::format("the desk {} was {} for {} by {}", name.value, how, owner.value,
                                    call->caller.user.value));
    call->answer(to_json(row), 201);
}

void DeskRoutes::list(const CallPtr& call) {
    if (auto fine = only_query(call->request.query, {"owner"}); !fine)
        return call->answer(fine.error());
    auto rows = context_.services.store.desks();
    if (!rows)
        return call->answer(rows.error());
    const auto wanted = call->request.query.find("owner");
    json::array found;
    for (const store::DeskRow& row : *rows) {
        if (!call->over_others() && row.owner != call->caller.user)
            continue;
        if (wanted != call->request.query.end() && row.owner.value != wanted->second)
            continue;
        found.push_back(to_json(row));
    }
    call->answer(json::object{{"desks", std::move(found)}});
}

void DeskRoutes::create(const CallPtr& call) {
    auto fields = Fields::parse(call->request.body);
    if (!fields)
        return call->answer(fields.error());
    const DeskName name(fields->text("name", 63));
    const auto owner = fields->optional_text("owner", 63);
    const auto size = fields->optional_number("size_bytes", smallest_desk, largest_desk);
    if (auto fine = fields->error(); !fine)
        return call->answer(fine.error());
    const auto person = owner_of_new(name, owner);
    if (!person)
        return call->answer(person.error());
    DeskAdmin& desks = context_.services.desks;
    work_on<DeskFacts>(
        name,
        [&desks, name, person, size] { return desks.create(name, *person, size.value_or(0)); },
        [this, call, name, person](const Result<DeskFacts>& facts) {
            save_new(call, name, *person, facts, "created");
        });
}

void DeskRoutes::show(const CallPtr& call) {
    auto row = find(call);
    if (!row)
        return call->answer(row.error());
    call->answer(to_json(*row));
}

void DeskRoutes::checked(const CallPtr& call, const DeskName& name,
                         const Result<DeskCheck>& result) {
    if (!result && result.error().code != Errc::corrupt)
        return call->answer(result.error());
    const DeskCheck outcome =
        result ? *result : DeskCheck{.sound = false, .report = result.error().message()};
    auto row = context_.services.store.desk(name); // as it is now, not as it was before the check
    if (!row)
        return call->answer(row.error());
    if (*row && (*row)->state != store::DeskState::checked_out) {
        const auto state = outcome.sound ? store::DeskState::ok : store::DeskState::damaged;
        if ((*row)->state != state) {
            store::Change change;
            (*row)->state = state;
            change.desks.push_back(**row);
            if (auto done = context_.services.store.commit(change); !done)
                return call->answer(done.error());
            (void)context_.tell(outcome.sound ? "desk.sound" : "desk.damaged", name.value,
                                fmt::format("the check found the desk {} {}", name.value,
                                            outcome.sound ? "sound" : "damaged"));
        }
    }
    call->answer(
        json::object{{"name", name.value}, {"sound", outcome.sound}, {"report", outcome.report}});
}

void DeskRoutes::check(const CallPtr& call) {
    auto row = find_free(call);
    if (!row)
        return call->answer(row.error());
    auto fields = Fields::parse(call->request.body);
    if (!fields)
        return call->answer(fields.error());
    const bool repair = fields->optional_flag("repair").value_or(false);
    if (auto fine = fields->error(); !fine)
        return call->answer(fine.error());
    DeskAdmin& desks = context_.services.desks;
    const DeskName name = row->name;
    work_on<DeskCheck>(
        name, [&desks, name, repair] { return desks.check(name, repair); },
        [this, call, name](const Result<DeskCheck>& result) { checked(call, name, result); });
}

void DeskRoutes::remove(const CallPtr& call) {
    const DeskName name(call->parameters[0]);
    if (auto fine = check_name("desk name", name.value); !fine)
        return call->answer(fine.error());
    auto row = context_.services.store.desk(name);
    if (!row)
        return call->answer(row.error());
    store::DeskRow before = row->value_or(store::DeskRow{});
    before.name = name;
    if (auto free = is_free(before); !free)
        return call->answer(free.error());
    const bool known = row->has_value();
    if (known) {
        // first out of the store, so that no session can take it while its image goes
        store::Change change;
        change.removed_desks.push_back(name);
        if (auto done = context_.services.store.commit(change); !done)
            return call->answer(done.error());
    }
    DeskAdmin& desks = context_.services.desks;
    work_on<void>(
        name, [&desks, name] { return desks.remove(name); },
        [this, call, before, known](const Result<void>& done) {
            const bool gone = done || (known && done.error().code == Errc::not_found);
            if (!gone && known) {
                store::Change back;
                back.desks.push_back(before);
                if (auto kept = context_.services.store.commit(back); !kept)
                    return call->answer(kept.error());
            }
            if (!gone)
                return call->answer(done.error());
            (void)context_.tell("desk.removed", before.name.value,
                                fmt::format("the desk {} was removed by {}", before.name.value,
                                            call->caller.user.value));
            call->answer(json::object{{"removed", before.name.value}});
        });
}

void DeskRoutes::export_image(const CallPtr& call) {
    auto row = find_free(call);
    if (!row)
        return call->answer(row.error());
    const DeskName name = row->name;
    // in work until the image has been sent whole or the caller has gone
    context_.desks_in_work.insert(name);
    DeskAdmin& desks = context_.services.desks;
    context_.services.background([this, call, name, &desks] {
        desks.export_image(name, [this, call, name](net::Response response) {
            auto kept = std::make_shared<net::Response>(std::move(response));
            context_.services.clock.post([this, call, name, kept] {
                context_.desks_in_work.erase(name);
                call->answer(std::move(*kept));
            });
        });
    });
}

void DeskRoutes::import_image(const CallPtr& call) {
    if (auto fine = only_query(call->request.query, {"owner", "offset", "total"}); !fine)
        return call->answer(fine.error());
    constexpr std::int64_t most = std::int64_t{1} << 43;
    const DeskName name(call->parameters[0]);
    std::optional<std::string> owner;
    if (const auto given = call->request.query.find("owner"); given != call->request.query.end())
        owner = given->second;
    const auto person = owner_of_new(name, owner);
    if (!person)
        return call->answer(person.error());
    DeskAdmin& desks = context_.services.desks;
    auto part = piece_of(call, most);
    if (!part)
        return call->answer(part.error());
    auto piece = std::make_shared<DeskPiece>(std::move(*part));
    work_on<std::optional<DeskFacts>>(
        name, [&desks, name, person, piece] { return desks.import_piece(name, *person, *piece); },
        [this, call, name, person, piece](const Result<std::optional<DeskFacts>>& result) {
            if (result && !*result)
                return call->answer(
                    json::object{{"name", name.value},
                                 {"received",
                                  piece->offset + static_cast<std::int64_t>(piece->bytes.size())},
                                 {"total", piece->total}},
                    202);
            save_new(call, name, *person, result.map([](const auto& facts) { return *facts; }),
                     "imported");
        });
}

} // namespace

void add_desk_routes(Context& context, Handlers& handlers) {
    add_snapshot_routes(context, handlers);
    add_checkout_routes(context, handlers);
    auto routes = std::make_shared<DeskRoutes>(context);
    handlers[RouteId::desks_list] = [routes](const CallPtr& call) { routes->list(call); };
    handlers[RouteId::desks_create] = [routes](const CallPtr& call) { routes->create(call); };
    handlers[RouteId::desks_show] = [routes](const CallPtr& call) { routes->show(call); };
    handlers[RouteId::desks_check] = [routes](const CallPtr& call) { routes->check(call); };
    handlers[RouteId::desks_remove] = [routes](const CallPtr& call) { routes->remove(call); };
    handlers[RouteId::desks_export] = [routes](const CallPtr& call) { routes->export_image(call); };
    handlers[RouteId::desks_import] = [routes](const CallPtr& call) { routes->import_image(call); };
}

} // namespace baton::api
