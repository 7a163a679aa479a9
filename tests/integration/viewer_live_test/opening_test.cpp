/// Opening asks a controller of the test's own, over TLS.
#include "net/http.h"
#include "viewer/opening.h"
#include "viewer_live_test/shown.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>

namespace baton::viewer {
namespace {

namespace json = boost::json;
using Stage = OpeningState::Stage;

/// kim's password is s3cret-7.
class FakeController {
  public:
    FakeController() {
        net::ServerSettings settings;
        settings.tls = certificates_.server();
        settings.tls.authority.clear();
        auto served =
            net::serve(settings, [this](const net::Request& request, const net::Respond& respond) {
                respond(answer(request));
            });
        if (!served)
            throw std::runtime_error(served.error().message());
        server_ = std::move(*served);
    }

    [[nodiscard]] std::string url() const {
        return "https://127.0.0.1:" + std::to_string(server_->port());
    }

    [[nodiscard]] std::string authority() const { return certificates_.folder.file("ca-cert.pem"); }

    std::atomic<int> images{2};
    std::atomic<bool> at_work{false};
    std::atomic<int> without_room{0}; ///< so many times there is none

    [[nodiscard]] std::string opened() const {
        const std::lock_guard lock(mutex_);
        return opened_;
    }

  private:
    net::Response answer(const net::Request& request) {
        if (request.path == "/v1/login") {
            const auto words = json::parse(request.body).as_object();
            if (words.at("password") != "s3cret-7")
                return net::error_response({Errc::unauthenticated, "no such person", "", 0});
            return {200, "application/json", R"({"token":"t-1"})", {}, {}};
        }
        if (request.headers.at("authorization") != "Bearer t-1")
            return net::error_response({Errc::unauthenticated, "no token", "", 0});
        if (request.path == "/v1/os-images") {
            json::array list;
            for (int i = 1; i <= images; ++i)
                for (const char* version : {"-1", "-2"}) {
                    const std::string name = "image" + std::to_string(i);
                    list.push_back(json::object{{"id", name + version}, {"name", name}});
                }
            return {200,
                    "application/json",
                    json::serialize(json::object{{"os_images", list}, {"default", "image2-1"}}),
                    {},
                    {}};
        }
        if (request.method == "GET") {
            json::array list;
            list.push_back(json::object{{"user", "lee"}});
            if (at_work)
                list.push_back(json::object{{"user", "kim"}});
            return {
                200, "application/json", json::serialize(json::object{{"sessions", list}}), {}, {}};
        }
        if (without_room-- > 0)
            return net::error_response({Errc::refused, "all places are taken", "wait", 0});
        const std::lock_guard lock(mutex_);
        opened_ = json::parse(request.body).as_object().at("image").as_string().c_str();
        return {201, "application/json", "{}", {}, {}};
    }

    gateway::Certificates certificates_;
    mutable std::mutex mutex_;
    std::string opened_;
    std::unique_ptr<net::Server> server_;
};

bool comes_to(const Opening& opening, Stage stage) {
    return eventually([&] { return opening.state().stage == stage; });
}

TEST(ViewerOpening, LetsThePersonChoose) {
    FakeController controller;
    std::atomic<int> wakes{0};
    Opening opening(controller.url(), controller.authority(), [&] { ++wakes; });
    opening.begin({"kim", "s3cret-7"});
    ASSERT_TRUE(comes_to(opening, Stage::choosing));
    EXPECT_EQ(opening.state().images, (std::vector<std::string>{"image1", "image2"}));
    EXPECT_EQ(opening.state().preferred, 1U);
    EXPECT_GE(wakes, 1);
    opening.choose("image1");
    ASSERT_TRUE(comes_to(opening, Stage::opened));
    EXPECT_EQ(controller.opened(), "image1");
}

TEST(ViewerOpening, AsksNobodyWhereThereIsNothingToChoose) {
    FakeController controller;
    controller.images = 1;
    Opening one(controller.url(), controller.authority(), [] {});
    one.begin({"kim", "s3cret-7"});
    EXPECT_TRUE(comes_to(one, Stage::opened));
    controller.images = 2;
    controller.at_work = true;
    Opening again(controller.url(), controller.authority(), [] {});
    again.begin({"kim", "s3cret-7"});
    EXPECT_TRUE(comes_to(again, Stage::opened));
    EXPECT_EQ(controller.opened(), "");
}

TEST(ViewerOpening, TriesAgainWhereThereIsNoRoomAndNotWhereItIsRefused) {
    FakeController controller;
    Opening opening(controller.url(), controller.authority(), [] {});
    opening.begin({"kim", "wrong"});
    ASSERT_TRUE(eventually([&] { return opening.state().why.has_value(); }));
    EXPECT_EQ(opening.state().stage, Stage::idle);
    EXPECT_EQ(opening.state().why->code, Errc::unauthenticated);
    controller.without_room = 1;
    opening.begin({"kim", "s3cret-7"});
    ASSERT_TRUE(comes_to(opening, Stage::choosing));
    opening.choose("image-2");
    EXPECT_TRUE(eventually([&] { return opening.state().why.has_value(); }));
    EXPECT_EQ(opening.state().stage, Stage::working);
    EXPECT_TRUE(comes_to(opening, Stage::opened));
    EXPECT_EQ(controller.opened(), "image-2");
}

TEST(ViewerOpening, TellsNothingToAControllerOfAnotherCa) {
    const FakeController controller;
    const gateway::Certificates others;
    Opening opening(controller.url(), others.folder.file("ca-cert.pem"), [] {});
    opening.begin({"kim", "s3cret-7"});
    ASSERT_TRUE(eventually([&] { return opening.state().why.has_value(); }));
    EXPECT_EQ(opening.state().stage, Stage::idle);
    EXPECT_EQ(opening.state().why->code, Errc::unauthenticated);
}

} // namespace
} // namespace baton::viewer
