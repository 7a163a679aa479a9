#include "api/client_up.h"
#include "api/clients.h"
#include "api/fields.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

namespace json = boost::json;

namespace baton::api {

namespace {

constexpr std::int64_t longest_ms = std::int64_t{366} * 24 * 3600 * 1000;
/// Each is written through to the disk.
constexpr std::chrono::seconds between_two{1};

class ClientPhaseRoutes {
  public:
    explicit ClientPhaseRoutes(Context& context) : context_(context) {}

    void phase(const CallPtr& call);

  private:
    /// Whether this PC is to be heard now; answered if not.
    bool has_time_for(const CallPtr& call, const std::string& mac);

    Context& context_;
    std::map<std::string, std::chrono::nanoseconds> heard_; ///< by MAC address
};

bool ClientPhaseRoutes::has_time_for(const CallPtr& call, const std::string& mac) {
    const auto now = context_.services.clock.monotonic();
    std::erase_if(heard_, [&](const auto& one) { return now - one.second >= between_two; });
    if (heard_.emplace(mac, now).second)
        return true;
    call->answer(
        ask_again(Error{Errc::busy, "that PC has just told of a phase", "", 0}, between_two));
    return false;
}

void ClientPhaseRoutes::phase(const CallPtr& call) {
    const auto mac = mac_address(call->parameters[0]);
    if (!is_client(context_, call, mac.value_or("")) || !has_time_for(call, *mac))
        return;
    auto fields = Fields::parse(call->request.body);
    if (!fields)
        return call->answer(fields.error());
    json::object told;
    for (const auto phase : viewer_phases) {
        const auto name = fmt::format("{}_ms", phase);
        if (const auto ms = fields->optional_number(name, 0, longest_ms))
            told[name] = *ms;
    }
    if (auto fine = fields->error(); !fine)
        return call->answer(fine.error());
    auto row = find_client(context_, *mac);
    if (!row)
        return call->answer(row.error());
    json::object timings = json::parse(row->timings_json).as_object();
    for (const auto& [name, ms] : told)
        timings[name] = ms;
    row->timings_json = json::serialize(timings);
    store::Change change;
    change.clients.push_back(*row);
    if (auto written = context_.services.store.commit(change); !written)
        return call->answer(written.error());
    call->answer(json::object{{"mac", row->mac}, {"told", told.size()}});
}

} // namespace

void add_client_phase_routes(Context& context, Handlers& handlers) {
    auto routes = std::make_shared<ClientPhaseRoutes>(context);
    handlers[RouteId::clients_phase] = [routes](const CallPtr& call) { routes->phase(call); };
}

} // namespace baton::api
