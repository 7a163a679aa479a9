#pragma once

#include "model/error.h"

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace baton::api {

/// What is wanted of PCs without a disk, until they have asked for it. A PC has no secret and no
/// door of its own: it gets a token when it says that it is up, and asks with that, from the
/// address that it said it from. All in memory: a controller that is started again knows no token,
/// and PCs say again that they are up.
///
/// Thread rules: the executor. Time is given in.
class ClientOrders {
  public:
    enum class Kind : std::uint8_t { reboot, message };

    struct Order {
        std::uint64_t id = 0;
        Kind kind = Kind::message;
        std::string text; ///< of a message: one line; empty: takes the last one away
        std::chrono::nanoseconds until{};
    };

    static constexpr std::size_t most_pcs = 4096;
    static constexpr std::size_t most_orders = 8; ///< of one PC
    static constexpr std::size_t longest_text = 200;
    static constexpr std::chrono::minutes life{10}; ///< of an order that nobody asks for

    /// A new token for the PC; its former one is void. `started`: its system has just begun, so
    /// that nobody has to have it begin anew.
    std::string up(const std::string& mac, const std::string& address, bool started);
    [[nodiscard]] bool knows(const std::string& mac, const std::string& address,
                             std::string_view token) const;

    /// Errc::full: as many wait as are kept.
    Result<std::uint64_t> give(const std::string& mac, Kind kind, std::string text,
                               std::chrono::nanoseconds now);
    /// Oldest first. Those up to `after` have come, and are forgotten.
    std::vector<Order> due(const std::string& mac, std::uint64_t after,
                           std::chrono::nanoseconds now);
    /// Whether the PC has not said yet that it came.
    [[nodiscard]] bool waits(const std::string& mac, std::uint64_t id) const;

    void forget(const std::string& mac) { pcs_.erase(mac); }

    [[nodiscard]] std::size_t size() const { return pcs_.size(); }

  private:
    struct Pc {
        std::string address;
        std::string token_sha256; ///< empty: has not said that it is up, to this controller
        std::uint64_t heard = 0;  ///< order of saying so
        std::deque<Order> orders;
    };

    Pc& pc(const std::string& mac);

    std::map<std::string, Pc> pcs_; ///< by MAC address
    std::uint64_t last_id_ = 0;
    std::uint64_t last_heard_ = 0;
};

/// "reboot", "message".
std::string_view to_string(ClientOrders::Kind kind);

} // namespace baton::api
