#pragma once

#include "frames.h"
#include "process/run.h"
#include "routing/nft_router.h"
#include "routing/probe.h"

namespace baton::switching {

/// A viewer that connects to QEMU's own screens, which speak TLS and want a password; their route
/// is re-pointed by nftables, and the viewer connects again as soon as it notices.
class NatWay {
  public:
    explicit NatWay(const Certificates& certificates)
        : certificates_(certificates),
          graphics_(screen(certificates, false, "host1", "10.99.0.11")),
          text_(screen(certificates, true, "host2", "10.99.0.12")),
          prober_(routing::Prober::make().value()),
          router_(layout(), process::run, [this](const std::vector<routing::Flow>& flows) {
              for (const auto& flow : flows)
                  prober_.send(flow);
          }) {
        must(router_.ensure());
        point();
        viewer_ = std::thread([this] { look(); });
        frames_.wait_for(graphics_width);
    }

    ~NatWay() {
        ending_ = true;
        (void)router_.remove(SessionId("s-nat00001"));
        viewer_.join();
    }

    NatWay(const NatWay&) = delete;
    NatWay& operator=(const NatWay&) = delete;

    double change() {
        shows_text_ = !shows_text_;
        point();
        return frames_.wait_for(shows_text_ ? text_width : graphics_width);
    }

    /// Its screens draw, or stand still while the other way is measured.
    void draw(bool on) {
        for (testing::DrawingScreen* screen : {&graphics_, &text_})
            on ? screen->go_on() : screen->stop();
    }

  private:
    static constexpr std::uint16_t route_port = 6001;

    static void must(const Result<void>& done) {
        if (!done)
            throw std::runtime_error(done.error().message());
    }

    static routing::Layout layout() {
        return routing::layout_from_json(
                   R"({"clients":[{"interface":"clients","network":"10.98.0.0/24"}],)"
                   R"("hosts":{"interface":"hosts","network":"10.99.0.0/24"},)"
                   R"("desktops":["10.101.1.0/24"],"outside":"outside"})")
            .value();
    }

    static testing::DrawingScreen screen(const Certificates& certificates, bool text,
                                         const std::string& netns, const std::string& address) {
        return testing::DrawingScreen(
            {text,
             {"/usr/sbin/ip", "netns", "exec", netns},
             {"-object",
              "tls-creds-x509,id=tls,endpoint=server,verify-peer=no,dir=" +
                  certificates.folder.path().string(),
              "-object", "secret,id=password,data=s3cret-7", "-vnc",
              address + ":1,tls-creds=tls,password-secret=password"}});
    }

    void point() {
        must(router_.point({SessionId("s-nat00001"),
                            "10.98.0.51",
                            route_port,
                            {shows_text_ ? "10.99.0.12" : "10.99.0.11", 5901}}));
    }

    void look() {
        while (!ending_) {
            try {
                look_once();
            } catch (const std::exception&) { // cut off: again at once
            }
        }
    }

    void look_once() {
        auto socket = connect_from_client(route_port);
        if (!socket) {
            std::this_thread::sleep_for(std::chrono::milliseconds(2));
            return;
        }
        testing::Onlooker viewer(std::move(*socket), certificates_.authority(),
                                 rfb::Login::x509_vnc, {{}, "s3cret-7"});
        std::uint64_t seen = 0;
        viewer.look_until([&] {
            if (viewer.updates() != seen && viewer.complete())
                frames_.note(viewer.picture().width);
            seen = viewer.updates();
            return ending_.load();
        });
    }

    const Certificates& certificates_;
    testing::DrawingScreen graphics_;
    testing::DrawingScreen text_;
    routing::Prober prober_;
    routing::NftRouter router_;
    std::atomic<bool> ending_ = false;
    bool shows_text_ = false;
    Frames frames_;
    std::thread viewer_;
};

} // namespace baton::switching
