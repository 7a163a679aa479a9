#include "api/context.h"
#include "api/json_out.h"
#include "api/opening.h"
#include "store/names.h"

#include <boost/json/array.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <deque>

namespace json = boost::json;

namespace baton::api {

namespace {

/// How openings ended is remembered for that many sessions, for whoever did not wait.
constexpr std::size_t most_endings = 256;

class SessionRoutes {
  public:
    explicit SessionRoutes(Context& context) : context_(context) {}

    void open(const CallPtr& call);
    void list(const CallPtr& call);
    void show(const CallPtr& call);
    void close(const CallPtr& call);
    void grow(const CallPtr& call);
    void answer(const CallPtr& call);

  private:
    /// One request to open that has not been answered.
    struct Opening {
        std::optional<SessionId> id;
        std::optional<handoff::Clock::TimerId> timer;
        bool ended = false;
    };

    static constexpr std::chrono::milliseconds look_again{50};

    void find_opened(const CallPtr& call, const std::shared_ptr<Opening>& state,
                     const UserName& user, std::chrono::milliseconds wait,
                     std::chrono::milliseconds patience);
    Result<handoff::OpenRequest> read_open(const CallPtr& call);
    /// As asked; else as the session has it already; else by the client, or as is usual here.
    Result<void> choose_route(handoff::OpenRequest& request,
                              const std::optional<std::string>& wanted,
                              const std::optional<handoff::SessionView>& mine);
    /// The session that a path means: an id, or the open session of a person; only if the caller
    /// may see it.
    Result<handoff::SessionView> find(const CallPtr& call, bool closed_too);
    json::object shown(const handoff::SessionView& view) const;
    Result<json::value> now(const SessionId& id) const;
    void remember(const SessionId& id, const Error& error);

    Context& context_;
    std::deque<std::pair<SessionId, Error>> endings_;
};

json::object SessionRoutes::shown(const handoff::SessionView& view) const {
    json::object object = to_json(view, context_.settings.viewer_address);
    json::value error = nullptr;
    for (const auto& [id, ending] : endings_)
        if (id == view.row.id)
            error = json::object{{"code", to_string(ending.code)},
                                 {"what", ending.what},
                                 {"hint", ending.hint},
                                 {"message", ending.message()}};
    object["error"] = std::move(error);
    return object;
}

Result<handoff::SessionView> SessionRoutes::find(const CallPtr& call, bool closed_too) {
    const std::string& wanted = call->parameters[0];
    const auto missing = [&] {
        return fail(Errc::not_found,
                    fmt::format("there is no open session '{}'", wanted.substr(0, 64)),
                    "see them with: baton session list");
    };
    std::optional<handoff::SessionView> view;
    if (auto by_id = context_.services.engine.session(SessionId(wanted)))
        view = std::move(*by_id);
    else
        view = session_of(context_, UserName(wanted));
    if (!view && closed_too) {
        auto rows = context_.services.store.sessions(true);
        if (!rows)
            return tl::unexpected(rows.error());
        for (store::SessionRow& row : *rows)
            if (row.id.value == wanted)
                view = handoff::SessionView{std::move(row), std::nullopt, std::nullopt};
    }
    // somebody else's session is as good as none: its existence is not told either
    if (!view || (!call->over_others() && view->row.user != call->caller.user))
        return missing();
    return std::move(*view);
}

Result<json::value> SessionRoutes::now(const SessionId& id) const {
    if (auto view = context_.services.engine.session(id))
        return json::value(shown(*view));
    auto rows = context_.services.store.sessions(true);
    if (!rows)
        return tl::unexpected(rows.error());
    for (const store::SessionRow& row : *rows)
        if (row.id == id)
            return json::value(shown(handoff::SessionView{row, std::nullopt, std::nullopt}));
    return fail(Errc::not_found, fmt::format("there is no session '{}' any more", id.value));
}

Result<void> SessionRoutes::choose_route(handoff::OpenRequest& request,
                                         const std::optional<std::string>& wanted,
                                         const std::optional<handoff::SessionView>& mine) {
    if (!wanted) {
        request.route = !request.client.empty() ? RouteKind::nat
                        : mine                  ? mine->row.route
                                                : usual_route(context_);
        return {};
    }
    const auto kind = store::from_name<RouteKind>(*wanted);
    if (!kind)
        return fail(Errc::invalid_argument, fmt::format("'{}' is no route", wanted->substr(0, 16)),
                    "choose gateway or nat");
    request.route = *kind;
    return {};
}

Result<handoff::OpenRequest> SessionRoutes::read_open(const CallPtr& call) {
    auto fields = Fields::parse(call->request.body);
    if (!fields)
        return tl::unexpected(fields.error());
    const auto user = fields->optional_text("user", 63);
    const auto image = fields->optional_text("image", 63);
    const auto client = fields->optional_text("client", 15);
    const auto desk = fields->optional_text("desk", 63);
    const auto route = fields->optional_text("route", 16);
    BATON_TRY(fields->error());
    BATON_TRY(only_query(call->request.query, {"wait"}));

    handoff::OpenRequest request;
    request.user = user ? UserName(*user) : call->caller.user;
    if (!call->over_others() && request.user != call->caller.user)
        return fail(Errc::forbidden, "you may only open your own session");
    auto person = context_.accounts.get(request.user);
    if (!person)
        return tl::unexpected(person.error());
    if (person->disabled)
        return fail(
            Errc::refused, fmt::format("the user '{}' is disabled", request.user.value),
            fmt::format("let them in again with: baton user enable {}", request.user.value));
    if (desk) {
        if (!call->over_others())
            return fail(Errc::forbidden, "only operators choose a desk; yours is taken by itself");
        BATON_TRY(check_name("desk name", *desk));
        request.desk = DeskName(*desk);
    }
    if (client && !client->empty()) {
        BATON_TRY(check_ipv4("the client's address", *client));
        request.client = *client;
    }
    // the person's own session comes back as it is, whatever image is asked for
    const auto mine = session_of(context_, request.user);
    BATON_TRY(choose_route(request, route, mine));
    if (mine) {
        request.image = mine->row.image;
        return request;
    }
    auto chosen = choose_image(context_, image);
    if (!chosen)
        return tl::unexpected(chosen.error());
    request.image = *chosen;
    return request;
}

void SessionRoutes::remember(const SessionId& id, const Error& error) {
    std::erase_if(endings_, [&](const auto& ending) { return ending.first == id; });
    endings_.emplace_back(id, error);
    if (endings_.size() > most_endings)
        endings_.pop_front();
}

void SessionRoutes::open(const CallPtr& call) {
    auto request = read_open(call);
    if (!request)
        return call->answer(request.error());
    const auto wait = wait_of(call->request);
    if (!wait)
        return call->answer(wait.error());

    auto state = std::make_shared<Opening>();
    const UserName user = request->user;
    context_.services.engine.open(*request,
                                  [this, call, state](const Result<handoff::SessionView>& result) {
                                      if (result && result->row.user == call->caller.user)
                                          context_.person_came(result->row.id);
                                      state->ended = true;
                                      if (state->timer)
                                          context_.services.clock.cancel(*state->timer);
                                      if (!result && state->id)
                                          remember(*state->id, result.error());
                                      if (call->answered())
                                          return;
                                      if (result)
                                          call->answer(json::value(shown(*result)));
                                      else
                                          call->answer(result.error());
                                  });
    // behind what open() has posted: by then the session is in the engine, or it has been refused
    context_.services.clock.post([this, call, state, user, wait] {
        find_opened(call, state, user, *wait, std::max(*wait, std::chrono::seconds(10)));
    });
}

/// Answers with the session as it is now when the wait is over. The person's former session may
/// still be closing: the one that is meant comes after it.
void SessionRoutes::find_opened(const CallPtr& call, const std::shared_ptr<Opening>& state,
                                const UserName& user, std::chrono::milliseconds wait,
                                std::chrono::milliseconds patience) {
    if (state->ended)
        return;
    const auto view = session_of(context_, user);
    if (view && view->row.phase != store::SessionPhase::closing)
        state->id = view->row.id;
    const auto now_then = [this, call, state] {
        if (call->answered())
            return;
        if (state->id)
            call->answer(now(*state->id), 202);
        else
            call->answer(Error{Errc::timeout, "the session did not begin in time", "", 0});
    };
    if (state->id && wait.count() <= 0)
        return now_then();
    if (state->id || patience <= look_again) {
        state->timer = context_.services.clock.after(state->id ? wait : patience, now_then);
        return;
    }
    state->timer =
        context_.services.clock.after(look_again, [this, call, state, user, wait, patience] {
            find_opened(call, state, user, wait - look_again, patience - look_again);
        });
}

void SessionRoutes::list(const CallPtr& call) {
    if (auto fine = only_query(call->request.query, {"user", "all"}); !fine)
        return call->answer(fine.error());
    const auto& query = call->request.query;
    const auto wanted = query.find("user");
    const auto all = query_number(query, "all", 0, 0, 1);
    if (!all)
        return call->answer(all.error());
    const auto fits = [&](const store::SessionRow& row) {
        if (!call->over_others() && row.user != call->caller.user)
            return false;
        return wanted == query.end() || row.user.value == wanted->second;
    };
    json::array found;
    if (*all == 1) {
        auto rows = context_.services.store.sessions(true);
        if (!rows)
            return call->answer(rows.error());
        for (const store::SessionRow& row : *rows)
            if (row.phase == store::SessionPhase::closed && fits(row))
                found.push_back(shown(handoff::SessionView{row, std::nullopt, std::nullopt}));
    }
    for (const handoff::SessionView& view : context_.services.engine.sessions())
        if (view.row.phase != store::SessionPhase::closed && fits(view.row))
            found.push_back(shown(view));
    call->answer(json::object{{"sessions", std::move(found)},
                              {"free_mib", context_.services.engine.free_memory().count}});
}

void SessionRoutes::show(const CallPtr& call) {
    auto view = find(call, true);
    if (!view)
        return call->answer(view.error());
    call->answer(json::value(shown(*view)));
}

void SessionRoutes::close(const CallPtr& call) {
    auto view = find(call, false);
    if (!view)
        return call->answer(view.error());
    const auto wait = wait_of(call->request);
    if (!wait)
        return call->answer(wait.error());
    const SessionId id = view->row.id;
    context_.services.engine.close(id, answer_within<void>(
                                           context_, call, *wait,
                                           [this, id](const Result<void>&) { return now(id); },
                                           [this, id] { return now(id); }));
}

void SessionRoutes::grow(const CallPtr& call) {
    auto fields = Fields::parse(call->request.body);
    if (!fields)
        return call->answer(fields.error());
    if (auto fine = fields->error(); !fine)
        return call->answer(fine.error());
    auto view = find(call, false);
    if (!view)
        return call->answer(view.error());
    const auto wait = wait_of(call->request);
    if (!wait)
        return call->answer(wait.error());
    const SessionId id = view->row.id;
    context_.services.engine.grow(
        id, answer_within<handoff::SessionView>(
                context_, call, *wait,
                [this](const Result<handoff::SessionView>& grown) -> Result<json::value> {
                    return json::value(shown(*grown));
                },
                [this, id] { return now(id); }));
}

void SessionRoutes::answer(const CallPtr& call) {
    auto fields = Fields::parse(call->request.body);
    if (!fields)
        return call->answer(fields.error());
    const bool is_now = fields->flag("now");
    if (auto fine = fields->error(); !fine)
        return call->answer(fine.error());
    auto view = find(call, false);
    if (!view)
        return call->answer(view.error());
    if (!view->move || view->move->kind != store::MoveKind::handoff ||
        view->move->phase > store::MovePhase::announcing)
        return call->answer(Error{Errc::conflict, "no handoff of this session waits for an answer",
                                  "see what it does with: baton session show", 0});
    context_.services.engine.on_answer(view->row.desktop, is_now);
    call->answer(now(view->row.id));
}

} // namespace

void add_session_routes(Context& context, Handlers& handlers) {
    auto routes = std::make_shared<SessionRoutes>(context);
    handlers[RouteId::sessions_list] = [routes](const CallPtr& call) { routes->list(call); };
    handlers[RouteId::sessions_open] = [routes](const CallPtr& call) { routes->open(call); };
    handlers[RouteId::sessions_show] = [routes](const CallPtr& call) { routes->show(call); };
    handlers[RouteId::sessions_close] = [routes](const CallPtr& call) { routes->close(call); };
    handlers[RouteId::sessions_grow] = [routes](const CallPtr& call) { routes->grow(call); };
    handlers[RouteId::sessions_answer] = [routes](const CallPtr& call) { routes->answer(call); };
}

} // namespace baton::api
