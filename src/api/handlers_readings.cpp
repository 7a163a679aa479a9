/// What hosts and desktops use now, as their monitors said last.
#include "api/context.h"
#include "api/json_out.h"
#include "monitor/codec.h"
#include "monitor/prometheus.h"

#include <boost/json/array.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace json = boost::json;

namespace baton::api {

namespace {

/// A host that has said nothing for so long is no measurement any more: a gap.
constexpr std::int64_t fresh_ns = 30'000'000'000;

class ReadingRoutes {
  public:
    explicit ReadingRoutes(Context& context) : context_(context) {}

    void list(const CallPtr& call) const;
    void show(const CallPtr& call) const;
    void metrics(const CallPtr& call) const;

  private:
    [[nodiscard]] std::vector<Latest::Entry> all() const {
        return context_.services.latest != nullptr ? context_.services.latest->all()
                                                   : std::vector<Latest::Entry>{};
    }

    [[nodiscard]] std::int64_t age_ns(const Latest::Entry& entry) const {
        return context_.services.clock.monotonic().count() - entry.heard.nanoseconds;
    }

    [[nodiscard]] json::object shown(const Latest::Entry& entry) const;

    Context& context_;
};

/// m of C / 2^m; null: it is no such size.
json::value level_of(Mebibytes memory, Mebibytes largest) {
    for (std::int64_t level = 0; level < 16 && memory.count > 0; ++level)
        if (memory.count << level == largest.count)
            return level;
    return nullptr;
}

/// A reading with how old it is, whose desktops they are, and of which level.
json::object ReadingRoutes::shown(const Latest::Entry& entry) const {
    json::object object = monitor::to_json(*entry.reading);
    object["time"] = to_json(entry.reading->wall);
    object["age_ms"] = age_ns(entry) / 1'000'000;
    std::map<std::string, std::string> users;
    std::map<std::string, json::value> levels; // of the desktop that has the desk, by its id
    for (const handoff::SessionView& session : context_.services.engine.sessions()) {
        users[session.row.id.value] = session.row.user.value;
        if (session.desktop)
            levels[session.desktop->id.value] =
                level_of(session.desktop->memory, context_.settings.largest);
    }
    for (json::value& one : object.at("desktops").as_array()) {
        json::object& desktop = one.as_object();
        const auto user = users.find(std::string(desktop.at("session").as_string()));
        desktop["user"] = user != users.end() ? json::value(user->second) : json::value(nullptr);
        const auto level = levels.find(std::string(desktop.at("desktop").as_string()));
        desktop["level"] = level != levels.end() ? level->second : json::value(nullptr);
    }
    return object;
}

void ReadingRoutes::list(const CallPtr& call) const {
    json::array hosts;
    for (const Latest::Entry& entry : all())
        hosts.push_back(shown(entry));
    call->answer(json::object{{"readings", std::move(hosts)}});
}

void ReadingRoutes::show(const CallPtr& call) const {
    const HostId host(call->parameters[0]);
    for (const Latest::Entry& entry : all())
        if (entry.reading->host == host)
            return call->answer(shown(entry));
    call->answer(
        Error{Errc::not_found,
              fmt::format("nothing has been measured on a host '{}'", host.value.substr(0, 64)),
              "is it connected? see: baton host list", 0});
}

void ReadingRoutes::metrics(const CallPtr& call) const {
    const auto entries = all();
    std::vector<const monitor::Reading*> fresh;
    for (const Latest::Entry& entry : entries)
        if (age_ns(entry) <= fresh_ns)
            fresh.push_back(entry.reading.get());
    monitor::Exposition page;
    page.family("baton_sessions", monitor::Exposition::Kind::gauge, "Open sessions.");
    page.sample({}, std::uint64_t{context_.services.engine.sessions().size()});
    page.family("baton_host_up", monitor::Exposition::Kind::gauge,
                "1: the host's monitor has been heard of in the last 30 seconds.");
    for (const handoff::HostView& host : context_.services.engine.hosts()) {
        const bool heard = std::ranges::any_of(
            fresh, [&](const monitor::Reading* one) { return one->host == host.row.id; });
        page.sample({{"host", host.row.id.value}}, std::uint64_t{heard ? 1U : 0U});
    }
    monitor::expose_usage(page, fresh);
    net::Response response;
    response.content_type = monitor::Exposition::content_type;
    response.body = std::move(page).text();
    call->answer(std::move(response));
}

} // namespace

void add_reading_routes(Context& context, Handlers& handlers) {
    auto routes = std::make_shared<ReadingRoutes>(context);
    handlers[RouteId::readings_list] = [routes](const CallPtr& call) { routes->list(call); };
    handlers[RouteId::readings_show] = [routes](const CallPtr& call) { routes->show(call); };
    handlers[RouteId::metrics] = [routes](const CallPtr& call) { routes->metrics(call); };
}

} // namespace baton::api
