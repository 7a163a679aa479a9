#pragma once

#include "gateway/config.h"
#include "gateway/ports.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <thread>

namespace boost::asio {
class any_io_executor;
}

namespace baton::gateway {

class Core;
class ScreenDialer;

/// A gateway: viewers and browsers in, screens out, on one thread of its own. The Director has to
/// outlive it; what a Director answers after that is passed over. Screens are reached through the
/// hosts' relays by GatewayConfig::relay_tls.
class Gateway : public Switchboard {
  public:
    /// How screens are reached (gateway/screen_dialer.h): the hosts' relays, or in tests directly.
    using MakeDialer = std::function<Result<std::unique_ptr<ScreenDialer>>(
        const boost::asio::any_io_executor& executor)>;

    /// Listens when it returns. Errc::busy: a port is in use; invalid_argument, not_found, corrupt:
    /// the configuration or one of its files.
    static Result<std::unique_ptr<Gateway>> start(const GatewayConfig& config, Director& director);
    static Result<std::unique_ptr<Gateway>> start(const GatewayConfig& config, Director& director,
                                                  const MakeDialer& make_dialer);
    /// Disconnects everybody; a point() that is under way ends with Errc::cancelled. Not on a
    /// thread that the Director or a `done` was called on.
    ~Gateway() override;
    Gateway(const Gateway&) = delete;
    Gateway& operator=(const Gateway&) = delete;

    /// 0: nobody comes that way.
    [[nodiscard]] std::uint16_t vnc_port() const;
    [[nodiscard]] std::uint16_t web_port() const;

    void prepare(const SessionId& session, const Screen& screen) override;
    void point(const SessionId& session, const Screen& screen, Done<Switched> done) override;
    void close(const SessionId& session, const std::string& why) override;
    void show(const SessionId& session, const std::string& text,
              std::chrono::milliseconds time) override;
    void drain(bool draining) override;
    [[nodiscard]] std::vector<Carried> carried() const override;

  private:
    explicit Gateway(std::shared_ptr<Core> core);

    std::shared_ptr<Core> core_;
    std::thread thread_;
};

} // namespace baton::gateway
