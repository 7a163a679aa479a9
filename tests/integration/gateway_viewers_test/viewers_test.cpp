/// The viewers that people have, through the real gateway, over switches between two desktops that
/// draw all the time: no disconnect, QEMU's own picture, and what is typed arrives.
#include "two_desktops.h"

#include <fmt/format.h>

namespace baton::gateway {
namespace {

constexpr int switches = 6;

TEST(GatewayViewers, TigerVnc) {
    TwoDesktops two;
    WindowViewer viewer("TigerVNC");
    viewer.start({"/usr/bin/xtigervncviewer", "-SecurityTypes=X509Plain",
                  "-X509CA=" + two.site.trusted(), "-ReconnectOnError=0", "-AlertOnFatalError=0",
                  "-RemoteResize=0", "-MenuKey=", "-AutoSelect=0", "-NoJPEG=1",
                  "-PreferredEncoding=Tight",
                  fmt::format("127.0.0.1::{}", two.site.gateway().vnc_port())},
                 {"VNC_USERNAME=kim", "VNC_PASSWORD=s3cret-7"});
    two.put_through(viewer, "tigervnc", switches);
}

/// libvncclient, as vncclient_viewer.cpp uses it.
TEST(GatewayViewers, LibVncClient) {
    TwoDesktops two;
    SpokenViewer viewer({BATON_TEST_PROGRAMS "/vncclient_viewer",
                         std::to_string(two.site.gateway().vnc_port()), two.site.trusted(), "kim",
                         "s3cret-7"});
    two.put_through(viewer, "libvncclient", switches);
}

std::string spki_of(const std::string& certificate) {
    process::Command command{{"sh", "-c",
                              "openssl x509 -pubkey -noout -in \"$1\" | openssl pkey -pubin "
                              "-outform der | openssl dgst -sha256 -binary | "
                              "openssl base64 -A",
                              "sh", certificate}};
    return process::run_checked(command, "reading the certificate").value().out;
}

class GatewayBrowsers : public ::testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(GatewayBrowsers, NoVncInChromium) {
    const auto& [name, folder] = GetParam();
    TwoDesktops two;
    const testing::TemporaryDirectory profile;
    SpokenViewer viewer(
        {BATON_SOURCE "/tests/support/browser_viewer", folder,
         fmt::format("wss://127.0.0.1:{}/v1/screen?ticket=t-1", two.site.gateway().web_port()),
         spki_of(two.site.certificates().server().certificate), profile.path().string()});
    two.put_through(viewer, name, switches);
    EXPECT_EQ(viewer.ask("state"), "1 0") << "connected once, never disconnected";
}

INSTANTIATE_TEST_SUITE_P(Versions, GatewayBrowsers,
                         ::testing::Values(std::pair{"novnc-current", BATON_NOVNC},
                                           std::pair{"novnc-debian", "/usr/share/novnc"}),
                         [](const auto& one) {
                             return std::string(one.param.first) == "novnc-current" ? "Current"
                                                                                    : "Debian";
                         });

} // namespace
} // namespace baton::gateway
