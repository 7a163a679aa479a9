#pragma once

#include "frames.h"
#include "gateway/gateway.h"
#include "gateway/screen_dialer.h"

#include <future>

namespace baton::switching {

/// A viewer behind the gateway over TLS; the gateway on one machine with both screens.
class GatewayWay {
  public:
    struct Sample {
        double frame_to_frame_ms = 0; ///< at the viewer
        double cut_to_frame_ms = 0;   ///< as the gateway tells it
    };

    explicit GatewayWay(const Certificates& certificates) : certificates_(certificates) {
        gateway::GatewayConfig config;
        config.vnc = Endpoint{"10.98.0.1", 0};
        config.viewer_tls = certificates.server();
        director_.places = {place("d-graphics", graphics_), place("d-text", text_)};
        auto started = gateway::Gateway::start(config, director_, gateway::plain_screens());
        if (!started)
            throw std::runtime_error(started.error().message());
        gateway_ = std::move(*started);
        viewer_ = std::thread([this] { look(); });
        frames_.wait_for(graphics_width);
    }

    ~GatewayWay() {
        gateway_.reset();
        viewer_.join();
    }

    GatewayWay(const GatewayWay&) = delete;
    GatewayWay& operator=(const GatewayWay&) = delete;

    void prepare() { gateway_->prepare(session_, other()); }

    Sample change() {
        std::promise<Result<gateway::Switched>> answer;
        gateway_->point(session_, other(), [&answer](Result<gateway::Switched> outcome) {
            answer.set_value(std::move(outcome));
        });
        const auto switched = answer.get_future().get();
        if (!switched || switched->viewers != 1 || switched->lost != 0)
            throw std::runtime_error("the switch has failed");
        shows_text_ = !shows_text_;
        const double seen = frames_.wait_for(shows_text_ ? text_width : graphics_width);
        return {seen, static_cast<double>(switched->cut_to_frame.count()) / 1000};
    }

    /// Its screens draw, or stand still while the other way is measured.
    void draw(bool on) {
        for (testing::DrawingScreen* screen : {&graphics_, &text_})
            on ? screen->go_on() : screen->stop();
    }

  private:
    struct OpenDirector : gateway::Director {
        void login(const UserName& user, const std::string& /*password*/,
                   const std::string& /*client*/, gateway::Done<gateway::Grant> done) override {
            done(gateway::Grant{SessionId("s-1"), user, gateway::Access::full, places[0], {}});
        }

        void redeem(const std::string& /*ticket*/, const std::string& client,
                    gateway::Done<gateway::Grant> done) override {
            login(UserName("kim"), {}, client, std::move(done));
        }

        void tell(const gateway::News& /*news*/) override {}

        std::array<gateway::Screen, 2> places;
    };

    static gateway::Screen place(const std::string& desktop, const testing::DrawingScreen& screen) {
        return {DesktopId(desktop), {screen.address(), 0}, std::string(32, 'a')};
    }

    [[nodiscard]] const gateway::Screen& other() const {
        return director_.places[shows_text_ ? 0 : 1];
    }

    void look() {
        try {
            testing::Onlooker viewer(connect_from_client(gateway_->vnc_port()).value(),
                                     certificates_.authority(), rfb::Login::x509_plain,
                                     {"kim", "s3cret-7"});
            std::uint64_t seen = 0;
            viewer.look_until([&] {
                if (viewer.updates() != seen)
                    frames_.note(viewer.picture().width);
                seen = viewer.updates();
                return false;
            });
        } catch (const std::exception& error) {
            std::fprintf(stderr, "the gateway's viewer: %s\n", error.what());
        }
    }

    const Certificates& certificates_;
    testing::DrawingScreen graphics_{{}};
    testing::DrawingScreen text_{{true, {}, {}}};
    OpenDirector director_;
    SessionId session_{"s-1"};
    std::unique_ptr<gateway::Gateway> gateway_;
    bool shows_text_ = false;
    Frames frames_;
    std::thread viewer_;
};

} // namespace baton::switching
