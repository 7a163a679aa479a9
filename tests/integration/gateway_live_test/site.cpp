#include "site.h"

#include <stdexcept>
#include <thread>

namespace baton::gateway {

Certificates::Certificates() {
    const auto now =
        std::chrono::time_point_cast<WallTime::duration>(std::chrono::system_clock::now());
    const auto authority = net::Authority::create("a test's CA", now);
    for (const auto& [role, order] :
         {std::pair<std::string, net::CertificateOrder>{"server", {"host1", {"127.0.0.1"}, true}},
          {"client", {"gateway/g1", {}, false, true}}})
        if (const auto kept =
                net::keep_certificate(authority.value(), folder.path().string(), role, order, now);
            !kept)
            throw std::runtime_error(kept.error().message());
}

net::TlsFiles Certificates::server() const {
    return {folder.file("server-cert.pem"), folder.file("server-key.pem"),
            folder.file("ca-cert.pem")};
}

net::TlsFiles Certificates::client() const {
    return {folder.file("client-cert.pem"), folder.file("client-key.pem"),
            folder.file("ca-cert.pem")};
}

Site::Site(const Limits& limits, bool by_relay, std::shared_ptr<const Certificates> certificates)
    : certificates_(std::move(certificates)) {
    GatewayConfig config;
    config.vnc = Endpoint{"127.0.0.1", 0};
    config.web = Endpoint{"127.0.0.1", 0};
    config.viewer_tls = certificates_->server();
    config.relay_tls = certificates_->client();
    config.limits = limits;
    auto started = by_relay ? Gateway::start(config, director_)
                            : Gateway::start(config, director_, plain_screens());
    if (!started)
        throw std::runtime_error(started.error().message());
    gateway_ = std::move(*started);
}

Result<Switched> Site::point(const std::string& session, const Screen& screen) {
    const auto answer = std::make_shared<std::promise<Result<Switched>>>();
    auto future = answer->get_future();
    gateway_->point(SessionId(session), screen,
                    [answer](Result<Switched> outcome) { answer->set_value(std::move(outcome)); });
    if (future.wait_for(std::chrono::seconds(40)) != std::future_status::ready)
        return fail(Errc::timeout, "point() does not answer");
    return future.get();
}

unsigned Site::watching(const DesktopId& desktop) const {
    unsigned viewers = 0;
    for (const auto& one : gateway_->carried())
        if (one.desktop == desktop)
            viewers += one.viewers;
    return viewers;
}

Screen screen_at(const std::string& desktop, const std::string& path) {
    return {DesktopId(desktop), {path, 0}, std::string(32, 'a')};
}

Grant grant_for(const std::string& session, const Screen& screen, Access access) {
    return {SessionId(session), UserName("kim"), access, screen, {}};
}

bool eventually(const std::function<bool()>& so) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!so()) {
        if (std::chrono::steady_clock::now() > end)
            return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return true;
}

} // namespace baton::gateway
