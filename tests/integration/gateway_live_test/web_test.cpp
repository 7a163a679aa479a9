/// Browsers' side of the gateway: a WebSocket inside TLS, opened with a ticket.
#include "peer.h"

#include <stdexcept>

namespace baton::gateway {
namespace {

std::string refusal_of(const std::function<void()>& login) {
    try {
        login();
    } catch (const std::runtime_error& error) {
        return error.what();
    }
    return {};
}

TEST(GatewayWeb, ATicketOpensTheScreenOnce) {
    const rfb::QemuScreen patterns(rfb::Show::patterns);
    const rfb::QemuScreen text(rfb::Show::text);
    Site site;
    const Screen first = screen_at("d-patterns", patterns.address());
    const Screen second = screen_at("d-text", text.address());
    site.director().add_ticket("t-1", grant_for("s-1", first));
    auto web = std::make_unique<WebCarrier>(site.trusted(), site.gateway().web_port(),
                                            "/v1/screen?ticket=t-1", "chat, binary");
    ASSERT_TRUE(web->open()) << web->answer();
    EXPECT_NE(web->answer().find("Sec-WebSocket-Protocol: binary"), std::string::npos);
    Onlooker browser(std::move(web));
    ASSERT_TRUE(browser.look_until_it_shows(patterns.screendump()));
    for (int turn = 1; turn <= 4; ++turn) {
        const auto switched = site.point("s-1", turn % 2 == 1 ? second : first);
        ASSERT_TRUE(switched) << switched.error().message();
        ASSERT_TRUE(browser.look_until_it_shows((turn % 2 == 1 ? text : patterns).screendump()))
            << turn;
    }
    const auto came = site.director().news();
    ASSERT_EQ(came.size(), 1U);
    EXPECT_TRUE(std::get<ViewerCame>(came[0]).browser);

    auto again = std::make_unique<WebCarrier>(site.trusted(), site.gateway().web_port(),
                                              "/v1/screen?ticket=t-1", "");
    ASSERT_TRUE(again->open());
    EXPECT_EQ(again->answer().find("Sec-WebSocket-Protocol"), std::string::npos);
    const std::string word = refusal_of([&] { const Onlooker other(std::move(again)); });
    EXPECT_NE(word.find("ticket is not valid any more"), std::string::npos) << word;
}

TEST(GatewayWeb, WhatIsNoScreenIsAnsweredAsHttp) {
    Site site;
    const auto answer = [&](const std::string& target) {
        return WebCarrier(site.trusted(), site.gateway().web_port(), target).answer();
    };
    EXPECT_EQ(answer("/v1/screen").rfind("HTTP/1.1 401", 0), 0U);
    EXPECT_EQ(answer("/v1/other?ticket=x").rfind("HTTP/1.1 404", 0), 0U);
    EXPECT_EQ(answer("/../v1/screen?ticket=x").rfind("HTTP/1.1 404", 0), 0U);
    Line line(site.gateway().web_port());
    line.start_tls(site.trusted());
    line.send("GET /v1/screen?ticket=x HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(line.receive_rest().rfind("HTTP/1.1 426", 0), 0U);
    EXPECT_EQ(site.director().asked(), 0U);
}

TEST(GatewayWeb, ClosingASessionIsToldInTheClosingFrame) {
    const rfb::QemuScreen text(rfb::Show::text);
    Site site;
    site.director().add_ticket("t-1", grant_for("s-1", screen_at("d-text", text.address())));
    auto owned = std::make_unique<WebCarrier>(site.trusted(), site.gateway().web_port(),
                                              "/v1/screen?ticket=t-1");
    const WebCarrier& web = *owned;
    Onlooker browser(std::move(owned));
    ASSERT_TRUE(browser.look_until_it_shows(text.screendump()));
    site.gateway().close(SessionId("s-1"), "you have logged out");
    EXPECT_FALSE(browser.look_until([] { return false; }));
    EXPECT_EQ(web.close_reason(), "you have logged out");
    EXPECT_TRUE(site.director().wait_for_news<ViewerWent>(1));
    EXPECT_TRUE(site.gateway().carried().empty());
}

TEST(GatewayWeb, TextInsteadOfBytesEndsTheConnection) {
    const rfb::QemuScreen text(rfb::Show::text);
    Site site;
    site.director().add_ticket("t-1", grant_for("s-1", screen_at("d-text", text.address())));
    auto owned = std::make_unique<WebCarrier>(site.trusted(), site.gateway().web_port(),
                                              "/v1/screen?ticket=t-1");
    WebCarrier& web = *owned;
    Onlooker browser(std::move(owned));
    ASSERT_TRUE(browser.look_until_it_shows(text.screendump()));
    web.send_frame(1, "{}");
    EXPECT_TRUE(site.director().wait_for_news<ViewerWent>(1));
}

TEST(GatewayWeb, ABrowserThatAsksForItGetsATokenToComeBackWith) {
    const rfb::QemuScreen text(rfb::Show::text);
    Grant grant = grant_for("s-1", screen_at("d-text", text.address()));
    grant.resume = "r-1";
    const auto come = [&](Site& site, const std::string& ticket, const std::string& protocol) {
        site.director().add_ticket(ticket, grant);
        return std::make_unique<WebCarrier>(site.trusted(), site.gateway().web_port(),
                                            "/v1/screen?ticket=" + ticket, protocol);
    };
    auto site = std::make_unique<Site>();
    auto owned = come(*site, "t-1", "baton.screen, binary");
    const WebCarrier& web = *owned;
    EXPECT_NE(web.answer().find("Sec-WebSocket-Protocol: baton.screen"), std::string::npos);
    Onlooker browser(std::move(owned));
    ASSERT_TRUE(browser.look_until_it_shows(text.screendump()));
    EXPECT_EQ(web.texts(), R"({"resume":"r-1"})");
    auto unaware = come(*site, "t-2", "binary");
    const WebCarrier& other = *unaware;
    Onlooker novnc(std::move(unaware));
    ASSERT_TRUE(novnc.look_until_it_shows(text.screendump()));
    EXPECT_EQ(other.texts(), "");

    site.reset(); // the same page at another gateway
    Site second;
    Onlooker back(come(second, "r-1", "baton.screen"));
    EXPECT_TRUE(back.look_until_it_shows(text.screendump()));
}

} // namespace
} // namespace baton::gateway
