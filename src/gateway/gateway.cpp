#include "gateway/gateway.h"

#include "gateway/core.h"

#include <boost/asio/post.hpp>

#include <utility>

namespace baton::gateway {

Result<std::unique_ptr<Gateway>> Gateway::start(const GatewayConfig& config, Director& director) {
    return start(config, director, relay_screens(config.relay_tls));
}

Result<std::unique_ptr<Gateway>> Gateway::start(const GatewayConfig& config, Director& director,
                                                const MakeDialer& make_dialer) {
    auto core = std::make_shared<Core>(config, director);
    BATON_TRY(core->start(make_dialer));
    return std::unique_ptr<Gateway>(new Gateway(std::move(core)));
}

Gateway::Gateway(std::shared_ptr<Core> core)
    : core_(std::move(core)), thread_([this] { core_->run(); }) {}

Gateway::~Gateway() {
    asio::post(core_->context(), [core = core_.get()] { core->stop(); });
    thread_.join();
}

std::uint16_t Gateway::vnc_port() const {
    return core_->vnc_port();
}

std::uint16_t Gateway::web_port() const {
    return core_->web_port();
}

void Gateway::prepare(const SessionId& session, const Screen& screen) {
    asio::post(core_->context(),
               [core = core_.get(), session, screen] { core->prepare(session, screen); });
}

void Gateway::point(const SessionId& session, const Screen& screen, Done<Switched> done) {
    asio::post(core_->context(), [core = core_.get(), session, screen, done = std::move(done)] {
        core->point(session, screen, done);
    });
}

void Gateway::close(const SessionId& session, const std::string& why) {
    asio::post(core_->context(), [core = core_.get(), session, why] { core->close(session, why); });
}

void Gateway::show(const SessionId& session, const std::string& text,
                   std::chrono::milliseconds time) {
    asio::post(core_->context(),
               [core = core_.get(), session, text, time] { core->show(session, text, time); });
}

void Gateway::drain(bool draining) {
    asio::post(core_->context(), [core = core_.get(), draining] { core->drain(draining); });
}

std::vector<Carried> Gateway::carried() const {
    return core_->carried();
}

} // namespace baton::gateway
