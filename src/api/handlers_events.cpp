#include "api/context.h"
#include "api/json_out.h"

#include <boost/json/array.hpp>

#include <list>
#include <optional>
#include <set>

namespace json = boost::json;

namespace baton::api {

namespace {

constexpr std::int64_t most_events = 1000;
constexpr std::size_t most_waiting = 1000;

class EventRoutes {
  public:
    explicit EventRoutes(Context& context) : context_(context) {
        context_.events_grew = [this] { wake(); };
    }

    void health(const CallPtr& call);
    void list(const CallPtr& call);

  private:
    struct Waiter {
        CallPtr call;
        std::uint64_t after = 0;
        std::size_t limit = 0;
        handoff::Clock::TimerId timer = 0;
    };

    /// Answers if there is something to say, or if it `must`.
    bool try_answer(const CallPtr& call, std::uint64_t after, std::size_t limit, bool must);
    Result<std::set<std::string>> own_subjects(const UserName& user);
    /// Where the log ends now.
    Result<std::uint64_t> end_of_log();
    void wake();

    Context& context_;
    std::list<Waiter> waiting_;
    bool wake_posted_ = false;
};

void EventRoutes::health(const CallPtr& call) {
    call->answer(json::object{{"status", "ok"}}); // open to anybody: not a word more
}

/// What a user's own events are about: themselves, their desks, their sessions and desktops.
Result<std::set<std::string>> EventRoutes::own_subjects(const UserName& user) {
    std::set<std::string> subjects{user.value};
    auto sessions = context_.services.store.sessions(true);
    if (!sessions)
        return tl::unexpected(sessions.error());
    for (const store::SessionRow& row : *sessions)
        if (row.user == user) {
            subjects.insert(row.id.value);
            subjects.insert(row.desktop.value);
        }
    auto desks = context_.services.store.desks();
    if (!desks)
        return tl::unexpected(desks.error());
    for (const store::DeskRow& row : *desks)
        if (row.owner == user)
            subjects.insert(row.name.value);
    subjects.erase("");
    return subjects;
}

bool EventRoutes::try_answer(const CallPtr& call, std::uint64_t after, std::size_t limit,
                             bool must) {
    std::optional<std::set<std::string>> own; // none: everything
    json::array found;
    std::uint64_t last = after;
    std::uint64_t pruned = 0;
    for (bool more = true; more && found.empty();) { // a page may be other people's altogether
        auto rows = context_.services.store.events(last, limit);
        if (!rows) {
            call->answer(rows.error());
            return true;
        }
        more = rows->size() == limit;
        if (!call->over_others() && !own && !rows->empty()) {
            auto subjects = own_subjects(call->caller.user);
            if (!subjects) {
                call->answer(subjects.error());
                return true;
            }
            own = std::move(*subjects);
        }
        if (!rows->empty()) // numbers are given without a hole: what is missing was there once
            pruned += rows->front().seq - last - 1;
        for (const store::EventRow& row : *rows) {
            last = row.seq;
            // a person may bear a host's name: what is told of hosts is for operators
            if (!own || (own->contains(row.subject) && !row.kind.starts_with("host.")))
                found.push_back(to_json(row));
        }
    }
    if (found.empty() && !must)
        return false;
    json::object page{{"events", std::move(found)}, {"last", last}};
    if (pruned > 0)
        page["pruned"] = pruned;
    call->answer(page);
    return true;
}

Result<std::uint64_t> EventRoutes::end_of_log() {
    // From where it ended when somebody last asked, in steps that double and then halve: a log of
    // a million events is not read for its last number.
    std::uint64_t step = most_events;
    while (true) {
        auto rows = context_.services.store.events(context_.last_event + step - 1, 1);
        if (!rows)
            return tl::unexpected(rows.error());
        if (!rows->empty()) {
            context_.last_event = rows->front().seq;
            step *= 2;
        } else if (step == 1) {
            return context_.last_event;
        } else {
            step /= 2;
        }
    }
}

void EventRoutes::list(const CallPtr& call) {
    if (auto fine = only_query(call->request.query, {"after", "limit", "wait"}); !fine)
        return call->answer(fine.error());
    constexpr std::int64_t top = std::int64_t{1} << 53;
    const auto& query = call->request.query;
    if (const auto word = query.find("after"); word != query.end() && word->second == "latest") {
        const auto end = end_of_log();
        return end ? call->answer(json::object{{"events", json::array{}}, {"last", *end}})
                   : call->answer(end.error());
    }
    const auto after = query_number(query, "after", 0, 0, top);
    const auto limit = query_number(query, "limit", 100, 1, most_events);
    const auto wait = wait_of(call->request);
    if (!after || !limit || !wait)
        return call->answer(!after ? after.error() : !limit ? limit.error() : wait.error());
    const auto size = static_cast<std::size_t>(*limit);
    const auto from = static_cast<std::uint64_t>(*after);
    if (try_answer(call, from, size, wait->count() == 0))
        return;
    if (waiting_.size() >= most_waiting)
        return call->answer(Error{Errc::busy, "too many wait for events at once",
                                  "ask without wait, or try again in a moment", 0});
    const auto entry = waiting_.insert(waiting_.end(), Waiter{call, from, size, 0});
    entry->timer = context_.services.clock.after(*wait, [this, entry] {
        const Waiter waiter = std::move(*entry);
        waiting_.erase(entry);
        try_answer(waiter.call, waiter.after, waiter.limit, true);
    });
}

void EventRoutes::wake() {
    if (wake_posted_ || waiting_.empty())
        return;
    wake_posted_ = true; // many commits in a row wake everybody once
    context_.services.clock.post([this] {
        wake_posted_ = false;
        for (auto at = waiting_.begin(); at != waiting_.end();) {
            if (!try_answer(at->call, at->after, at->limit, false)) {
                ++at;
                continue;
            }
            context_.services.clock.cancel(at->timer);
            at = waiting_.erase(at);
        }
    });
}

} // namespace

void add_event_routes(Context& context, Handlers& handlers) {
    auto routes = std::make_shared<EventRoutes>(context);
    handlers[RouteId::health] = [routes](const CallPtr& call) { routes->health(call); };
    handlers[RouteId::events_list] = [routes](const CallPtr& call) { routes->list(call); };
}

} // namespace baton::api
