#include "gateway/gateway.h"

#include "bed.h"
#include "gateway/screen_dialer.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

namespace baton::bed {

namespace {

/// Lets everybody look at one screen.
class OpenDirector : public gateway::Director {
  public:
    explicit OpenDirector(std::uint16_t port)
        : screen_{DesktopId("d-1"), {"127.0.0.1", port}, std::string(32, 'a')} {}

    void login(const UserName& user, const std::string& /*password*/, const std::string& /*client*/,
               gateway::Done<gateway::Grant> done) override {
        done(gateway::Grant{SessionId("s-1"), user, gateway::Access::full, screen_, {}});
    }

    void redeem(const std::string& /*ticket*/, const std::string& client,
                gateway::Done<gateway::Grant> done) override {
        login(UserName("kim"), {}, client, std::move(done));
    }

    void tell(const gateway::News& /*news*/) override {}

  private:
    gateway::Screen screen_;
};

} // namespace

void run_gateway(Arguments arguments) {
    OpenDirector director(static_cast<std::uint16_t>(std::stoi(arguments[0])));
    gateway::GatewayConfig config;
    config.vnc = Endpoint{"127.0.0.1", 0};
    config.web = Endpoint{"127.0.0.1", 0};
    config.tls_in_front = arguments.size() < 3;
    if (!config.tls_in_front)
        config.viewer_tls = {arguments[1], arguments[2], {}};
    spdlog::set_level(spdlog::level::warn); // nobody reads what it says of each viewer
    const auto started = gateway::Gateway::start(config, director, gateway::plain_screens());
    if (!started)
        give_up(started.error().message());
    say(fmt::format("{} {}", (*started)->vnc_port(), (*started)->web_port()));
    wait_for_end_of_input();
}

} // namespace baton::bed
