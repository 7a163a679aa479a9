#include "api/client_orders.h"

#include "api/passwords.h"

#include <fmt/format.h>

#include <algorithm>

namespace baton::api {

ClientOrders::Pc& ClientOrders::pc(const std::string& mac) {
    if (!pcs_.contains(mac) && pcs_.size() >= most_pcs)
        pcs_.erase(std::ranges::min_element(pcs_, {},
                                            [](const auto& entry) { return entry.second.heard; }));
    return pcs_[mac];
}

std::string ClientOrders::up(const std::string& mac, const std::string& address, bool started) {
    Pc& one = pc(mac);
    std::string token = random_token();
    one.address = address;
    one.token_sha256 = sha256_hex(token);
    one.heard = ++last_heard_;
    if (started)
        std::erase_if(one.orders, [](const Order& order) { return order.kind == Kind::reboot; });
    return token;
}

bool ClientOrders::knows(const std::string& mac, const std::string& address,
                         std::string_view token) const {
    const auto found = pcs_.find(mac);
    return found != pcs_.end() && !found->second.token_sha256.empty() &&
           found->second.address == address && found->second.token_sha256 == sha256_hex(token);
}

Result<std::uint64_t> ClientOrders::give(const std::string& mac, Kind kind, std::string text,
                                         std::chrono::nanoseconds now) {
    Pc& one = pc(mac);
    std::erase_if(one.orders, [&](const Order& order) { return order.until <= now; });
    if (one.orders.size() >= most_orders)
        return fail(Errc::full,
                    fmt::format("{} orders wait for the PC {} already", one.orders.size(), mac),
                    "see whether it is up, with: baton client show " + mac);
    one.orders.push_back({++last_id_, kind, std::move(text), now + life});
    return last_id_;
}

std::vector<ClientOrders::Order> ClientOrders::due(const std::string& mac, std::uint64_t after,
                                                   std::chrono::nanoseconds now) {
    const auto found = pcs_.find(mac);
    if (found == pcs_.end())
        return {};
    auto& orders = found->second.orders;
    std::erase_if(orders,
                  [&](const Order& order) { return order.id <= after || order.until <= now; });
    return {orders.begin(), orders.end()};
}

bool ClientOrders::waits(const std::string& mac, std::uint64_t id) const {
    const auto found = pcs_.find(mac);
    return found != pcs_.end() &&
           std::ranges::find(found->second.orders, id, &Order::id) != found->second.orders.end();
}

std::string_view to_string(ClientOrders::Kind kind) {
    return kind == ClientOrders::Kind::reboot ? "reboot" : "message";
}

} // namespace baton::api
