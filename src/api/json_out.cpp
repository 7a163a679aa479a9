#include "api/json_out.h"

#include "api/routes.h"
#include "store/names.h"

#include <boost/json/parse.hpp>
#include <fmt/chrono.h>
#include <fmt/format.h>

namespace json = boost::json;

namespace baton::api {

json::value text_or_null(const std::string& text) {
    return text.empty() ? json::value(nullptr) : json::value(text);
}

namespace {

/// A column of ours that holds JSON; what cannot be read is left out rather than passed on.
json::value stored(const std::string& text) {
    boost::system::error_code error;
    json::value value = json::parse(text, error);
    return error ? json::value(nullptr) : value;
}

json::value endpoint(const Endpoint& where) {
    if (where.port == 0)
        return nullptr;
    return json::object{{"address", where.address}, {"port", where.port}};
}

} // namespace

json::value to_json(WallTime time) {
    if (time == WallTime{})
        return nullptr;
    const auto since_epoch = time.time_since_epoch().count();
    return json::value(fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z",
                                   fmt::gmtime(static_cast<std::time_t>(since_epoch / 1000)),
                                   since_epoch % 1000));
}

json::object to_json(const store::UserRow& row) {
    return {{"name", row.name.value},
            {"role", to_string(row.role)},
            {"disabled", row.disabled},
            {"has_password", !row.password_hash.empty()},
            {"created", to_json(row.created)}};
}

json::object to_json(const handoff::SessionView& view, const std::string& viewer_address) {
    const store::SessionRow& row = view.row;
    json::value desktop = nullptr;
    if (view.desktop)
        desktop = json::object{{"id", view.desktop->id.value},
                               {"host", view.desktop->host.value},
                               {"memory_mib", view.desktop->memory.count},
                               {"phase", to_string(view.desktop->phase)},
                               {"screen", endpoint(view.desktop->screen)}};
    json::value route = nullptr;
    if (row.route == RouteKind::gateway)
        route = json::object{{"kind", "gateway"}};
    else if (row.listen_port != 0)
        route = json::object{{"kind", "nat"},
                             {"client", row.client},
                             {"address", text_or_null(viewer_address)},
                             {"listen_port", row.listen_port}};
    json::value move = nullptr;
    if (view.move)
        move = json::object{{"id", view.move->id},
                            {"kind", to_string(view.move->kind)},
                            {"phase", to_string(view.move->phase)},
                            {"from", text_or_null(view.move->from.value)},
                            {"to", text_or_null(view.move->to.value)},
                            {"reason", view.move->reason},
                            {"started", to_json(view.move->started)}};
    return {{"id", row.id.value},
            {"user", row.user.value},
            {"desk", text_or_null(row.desk.value)},
            {"image", row.image.value},
            {"phase", to_string(row.phase)},
            {"joined", row.joined},
            {"created", to_json(row.created)},
            {"desktop", std::move(desktop)},
            {"route", std::move(route)},
            {"screen_password",
             text_or_null(row.route == RouteKind::gateway ? std::string() : row.screen_password)},
            {"screen_password_until", to_json(row.screen_password_until)},
            {"move", std::move(move)},
            {"grow_wanted", row.grow_wanted},
            {"ended_because", text_or_null(row.ended_because)}};
}

json::object to_json(const store::DeskRow& row) {
    return {{"name", row.name.value},
            {"id", row.id.value},
            {"owner", text_or_null(row.owner.value)},
            {"size_bytes", row.size_bytes},
            {"state", to_string(row.state)},
            {"fence", row.fence.value},
            {"holder", text_or_null(row.holder.value)},
            {"created", to_json(row.created)},
            {"away", row.state == store::DeskState::checked_out
                         ? json::value(json::object{{"to", text_or_null(row.away_to)},
                                                    {"by", text_or_null(row.away_by.value)},
                                                    {"since", to_json(row.away_since)}})
                         : json::value(nullptr)}};
}

json::object to_json(const store::EventRow& row) {
    return {{"seq", row.seq},         {"at", to_json(row.at)}, {"kind", row.kind},
            {"subject", row.subject}, {"text", row.text},      {"data", stored(row.data_json)}};
}

json::object image_json(const osimage::Manifest& manifest) {
    std::int64_t size = 0;
    json::array files;
    for (const osimage::File& file : manifest.files) {
        size += file.size_bytes;
        files.push_back(json::object{
            {"name", file.name}, {"size_bytes", file.size_bytes}, {"sha256", file.sha256}});
    }
    return {{"id", manifest.id.value},
            {"name", manifest.name},
            {"version", manifest.version},
            {"description", manifest.description},
            {"created", manifest.created},
            {"minimum_memory_mib", manifest.minimum_memory.count},
            {"has_guest_agent", manifest.has_guest_agent},
            {"size_bytes", size},
            {"files", std::move(files)}};
}

json::object to_json(const handoff::HostView& host) {
    const store::HostRow& row = host.row;
    const json::value facts = row.facts_json.empty() ? nullptr : stored(row.facts_json);
    const auto fact = [&](std::string_view name) -> json::value {
        const json::object* object = facts.if_object();
        const json::value* value = object ? object->if_contains(name) : nullptr;
        return value ? *value : json::value(nullptr);
    };
    json::value acceleration = nullptr;
    if (!fact("kvm").is_null())
        acceleration = json::object{{"kvm", fact("kvm")}, {"reason", fact("acceleration")}};
    std::string_view state = "up";
    if (!row.joined)
        state = "invited";
    else if (!host.connected)
        state = "away";
    else if (row.draining)
        state = "draining";
    return {{"id", row.id.value},
            {"state", state},
            {"address", text_or_null(row.address)},
            {"memory_mib", row.memory.count},
            {"reserve_mib", row.reserve.count},
            {"capacity_mib", std::max<std::int64_t>(0, row.memory.count - row.reserve.count)},
            {"used_mib", host.used.count},
            {"free_mib", host.free.count},
            {"desktops", host.desktops},
            {"draining", row.draining},
            {"connected", host.connected},
            {"last_seen", to_json(row.last_seen)},
            {"load", host.load ? json::value(to_string(*host.load)) : json::value(nullptr)},
            {"processors", fact("processors")},
            {"acceleration", acceleration},
            {"agent_version", fact("agent_version")},
            {"certificate_sha256", text_or_null(row.certificate_sha256)}};
}

json::value samples_state(const Kept* kept) {
    if (kept == nullptr)
        return nullptr;
    const Kept::State state = kept->state();
    const auto& figures = state.figures;
    const auto time = [](history::Seconds at) {
        return to_json(WallTime(std::chrono::seconds(at)));
    };
    json::object object{{"where", state.where},
                        {"failing", figures.failing},
                        {"why", figures.failing ? json::value(figures.why) : json::value(nullptr)},
                        {"since", time(figures.since)},
                        {"written", figures.written},
                        {"waiting", figures.waiting_samples},
                        {"waiting_bytes", figures.waiting_bytes},
                        {"lost", figures.lost},
                        {"shortened", figures.shortened}};
    object["used_bytes"] = figures.sized ? json::value(figures.size.used_bytes) : nullptr;
    object["file_bytes"] = figures.sized ? json::value(figures.size.file_bytes) : nullptr;
    object["seconds_since"] = figures.sized ? time(figures.size.oldest_second) : nullptr;
    return object;
}

} // namespace baton::api
