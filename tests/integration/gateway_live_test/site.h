#pragma once

#include "gateway/gateway.h"
#include "gateway/screen_dialer.h"
#include "net/pki.h"
#include "rfb_servers_test/live_screens.h"
#include "support/fake_director.h"
#include "support/temporary_directory.h"

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <string>

/// The real gateway with a made-up Director, on the loopback.
namespace baton::gateway {

/// Of a CA of its own: server-cert.pem (127.0.0.1), client-cert.pem (CN gateway/g1), ca-cert.pem.
struct Certificates {
    testing::TemporaryDirectory folder;

    Certificates();
    [[nodiscard]] net::TlsFiles server() const;
    [[nodiscard]] net::TlsFiles client() const;
};

class Site {
  public:
    explicit Site(
        const Limits& limits = {}, bool by_relay = false,
        std::shared_ptr<const Certificates> certificates = std::make_shared<const Certificates>());

    [[nodiscard]] Gateway& gateway() { return *gateway_; }

    [[nodiscard]] testing::FakeDirector& director() { return director_; }

    [[nodiscard]] const Certificates& certificates() const { return *certificates_; }

    /// The CA that the gateway's certificate comes from.
    [[nodiscard]] std::string trusted() const { return certificates_->folder.file("ca-cert.pem"); }

    /// Ends it as a program's end would.
    void stop() { gateway_.reset(); }

    /// point(), and its answer.
    Result<Switched> point(const std::string& session, const Screen& screen);

    /// How many look at that desktop, as the gateway says.
    [[nodiscard]] unsigned watching(const DesktopId& desktop) const;

  private:
    testing::FakeDirector director_;
    std::shared_ptr<const Certificates> certificates_;
    std::unique_ptr<Gateway> gateway_;
};

/// A screen on a unix socket, without a relay.
Screen screen_at(const std::string& desktop, const std::string& path);
Grant grant_for(const std::string& session, const Screen& screen, Access access = Access::full);

/// Asks until it is so; false after 20 seconds.
bool eventually(const std::function<bool()>& so);

} // namespace baton::gateway
