#include "api/client_up.h"
#include "api/clients.h"
#include "api/fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <list>

namespace json = boost::json;

namespace baton::api {

namespace {

/// PCs that hold a question open, each on a connection of its own; more ask from time to time.
constexpr std::size_t most_asking = 512;
constexpr std::chrono::seconds ask_later{30};

class ClientOrderRoutes {
  public:
    explicit ClientOrderRoutes(Context& context) : context_(context) {}

    void wake(const CallPtr& call);
    void reboot(const CallPtr& call);
    void message(const CallPtr& call);
    void orders(const CallPtr& call);

  private:
    using Kind = ClientOrders::Kind;

    struct Asking {
        CallPtr call;
        handoff::Clock::TimerId timer = 0;
    };

    /// An operator who waits until the PC has it.
    struct Watcher {
        std::string mac;
        std::uint64_t order = 0;
        CallPtr call;
        handoff::Clock::TimerId timer = 0;
    };

    void give(const CallPtr& call, Kind kind, const std::string& text, const std::string& told);
    void answer_watcher(const Watcher& watcher);
    void answer_pc(const CallPtr& call, const std::vector<ClientOrders::Order>& orders);
    void let_go(const std::string& mac, const std::vector<ClientOrders::Order>& orders);

    Context& context_;
    std::map<std::string, Asking> asking_; ///< by MAC address
    std::list<Watcher> watchers_;
};

void ClientOrderRoutes::wake(const CallPtr& call) {
    const auto row = find_client(context_, call->parameters[0]);
    if (!row)
        return call->answer(row.error());
    if (!context_.services.wake)
        return call->answer(
            Error{Errc::refused, "no PC boots from this machine", "see: baton netboot status", 0});
    context_.in_background<void>(
        [wake = context_.services.wake, mac = row->mac] { return wake(mac); },
        [this, call, mac = row->mac](const Result<void>& sent) {
            if (!sent)
                return call->answer(sent.error());
            (void)context_.tell(
                "client.woken", mac,
                fmt::format("{} has the PC {} switched on", call->caller.user.value, mac));
            call->answer(json::object{{"mac", mac}, {"sent", true}});
        });
}

void ClientOrderRoutes::reboot(const CallPtr& call) {
    auto fields = Fields::parse(call->request.body);
    if (!fields)
        return call->answer(fields.error());
    if (auto fine = fields->error(); !fine)
        return call->answer(fine.error());
    give(call, Kind::reboot, "", "start again");
}

void ClientOrderRoutes::message(const CallPtr& call) {
    auto fields = Fields::parse(call->request.body);
    if (!fields)
        return call->answer(fields.error());
    const auto text = fields->text("text", ClientOrders::longest_text);
    if (auto fine = fields->error(); !fine)
        return call->answer(fine.error());
    if (text.find_first_of("\n\t") != std::string::npos)
        return call->answer(Error{Errc::invalid_argument, "a message is one line", "", 0});
    give(call, Kind::message, text, "show a message");
}

/// Answers when the PC has it, or as things are when the wait is over.
void ClientOrderRoutes::give(const CallPtr& call, Kind kind, const std::string& text,
                             const std::string& told) {
    const auto wait = wait_of(call->request);
    if (!wait)
        return call->answer(wait.error());
    const auto row = find_client(context_, call->parameters[0]);
    if (!row)
        return call->answer(row.error());
    handoff::Clock& clock = context_.services.clock;
    const auto id = context_.client_orders.give(row->mac, kind, text, clock.monotonic());
    if (!id)
        return call->answer(id.error());
    (void)context_.tell(
        "client.order", row->mac,
        fmt::format("{} asks the PC {} to {}", call->caller.user.value, row->mac, told));
    if (wait->count() > 0) {
        const auto entry = watchers_.insert(watchers_.end(), {row->mac, *id, call, 0});
        entry->timer = clock.after(*wait, [this, entry] {
            answer_watcher(*entry);
            watchers_.erase(entry);
        });
    }
    // it may be asking just now
    if (const auto found = asking_.extract(row->mac); !found.empty()) {
        clock.cancel(found.mapped().timer);
        answer_pc(found.mapped().call, context_.client_orders.due(row->mac, 0, clock.monotonic()));
    }
    if (wait->count() == 0)
        answer_watcher({row->mac, *id, call, 0});
}

void ClientOrderRoutes::answer_watcher(const Watcher& watcher) {
    watcher.call->answer(
        json::object{{"mac", watcher.mac},
                     {"order", watcher.order},
                     {"taken", !context_.client_orders.waits(watcher.mac, watcher.order)}});
}

/// Lines, as the PC's side is a shell script.
void ClientOrderRoutes::answer_pc(const CallPtr& call,
                                  const std::vector<ClientOrders::Order>& orders) {
    net::Response response;
    response.content_type = "text/plain; charset=utf-8";
    for (const auto& order : orders)
        response.body += fmt::format("{} {} {}\n", order.id, to_string(order.kind), order.text);
    call->answer(std::move(response));
}

void ClientOrderRoutes::let_go(const std::string& mac,
                               const std::vector<ClientOrders::Order>& orders) {
    for (auto at = watchers_.begin(); at != watchers_.end();) {
        const bool waits =
            std::ranges::any_of(orders, [&](const auto& order) { return order.id == at->order; });
        if (at->mac != mac || waits) {
            ++at;
            continue;
        }
        context_.services.clock.cancel(at->timer);
        answer_watcher(*at);
        at = watchers_.erase(at);
    }
}

void ClientOrderRoutes::orders(const CallPtr& call) {
    const auto mac = mac_address(call->parameters[0]);
    if (!is_client(context_, call, mac.value_or("")))
        return;
    if (auto fine = only_query(call->request.query, {"after", "wait"}); !fine)
        return call->answer(fine.error());
    constexpr std::int64_t top = std::int64_t{1} << 53;
    const auto after = query_number(call->request.query, "after", 0, 0, top);
    const auto wait = wait_of(call->request);
    if (!after || !wait)
        return call->answer(!after ? after.error() : wait.error());
    handoff::Clock& clock = context_.services.clock;
    const auto due =
        context_.client_orders.due(*mac, static_cast<std::uint64_t>(*after), clock.monotonic());
    let_go(*mac, due);
    // one question of each PC is held: the former one's line may be dead
    if (const auto former = asking_.extract(*mac); !former.empty()) {
        clock.cancel(former.mapped().timer);
        answer_pc(former.mapped().call, {});
    }
    if (!due.empty() || wait->count() == 0)
        return answer_pc(call, due);
    if (asking_.size() >= most_asking) {
        net::Response later;
        later.content_type = "text/plain; charset=utf-8";
        later.headers["Retry-After"] = std::to_string(ask_later.count());
        return call->answer(std::move(later));
    }
    asking_[*mac] = {call, clock.after(*wait, [this, mac = *mac] {
                         if (const auto found = asking_.extract(mac); !found.empty())
                             answer_pc(found.mapped().call, {});
                     })};
}

} // namespace

void add_client_order_routes(Context& context, Handlers& handlers) {
    auto routes = std::make_shared<ClientOrderRoutes>(context);
    handlers[RouteId::clients_wake] = [routes](const CallPtr& call) { routes->wake(call); };
    handlers[RouteId::clients_reboot] = [routes](const CallPtr& call) { routes->reboot(call); };
    handlers[RouteId::clients_message] = [routes](const CallPtr& call) { routes->message(call); };
    handlers[RouteId::clients_orders] = [routes](const CallPtr& call) { routes->orders(call); };
}

} // namespace baton::api
