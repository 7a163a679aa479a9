/// batond's side and root's side of the routes, with the real socket and the real kernel between.
#include "process/run.h"
#include "routing/helper_protocol.h"
#include "routing/helper_router.h"
#include "routing/helper_server.h"
#include "support/namespaced_tcp.h"
#include "support/router_contract.h"
#include "support/temporary_directory.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

namespace baton::routing {
namespace {

using namespace std::chrono_literals;

void empty_table() {
    (void)process::run(nft_text_command("add table ip baton\ndelete table ip baton\n"));
}

/// serve_helper in a thread, until destroyed.
class RunningHelper {
  public:
    explicit RunningHelper(const std::string& socket, unsigned uid = 0) {
        settings_.socket_path = socket;
        settings_.allowed_uid = uid;
        settings_.layout = baton::testing::contract_layout();
        settings_.stop_fd = ::eventfd(0, EFD_CLOEXEC);
        settings_.log = [this](const std::string& line) {
            const std::lock_guard lock(mutex_);
            serving_ = serving_ || line.starts_with("serving");
            changed_.notify_all();
        };
        thread_ = std::thread([this] { result_ = serve_helper(settings_); });
        std::unique_lock lock(mutex_);
        if (!changed_.wait_for(lock, 10s, [this] { return serving_; }))
            ADD_FAILURE() << "the helper does not serve";
    }

    ~RunningHelper() {
        const std::uint64_t one = 1;
        EXPECT_EQ(::write(settings_.stop_fd, &one, sizeof one), 8);
        thread_.join();
        EXPECT_TRUE(result_) << result_.error().message();
        ::close(settings_.stop_fd);
    }

    RunningHelper(const RunningHelper&) = delete;
    RunningHelper& operator=(const RunningHelper&) = delete;

  private:
    HelperSettings settings_;
    std::mutex mutex_;
    std::condition_variable changed_;
    bool serving_ = false;
    Result<void> result_;
    std::thread thread_;
};

class HelperRouterTest : public baton::testing::RouterContract {
  protected:
    HelperRouterTest() { empty_table(); }

    std::unique_ptr<Router> make() override {
        helper = std::make_unique<RunningHelper>(socket);
        return make_helper_router(socket);
    }

    baton::testing::TemporaryDirectory scratch;
    const std::string socket = scratch.file("helper.sock");
    std::unique_ptr<RunningHelper> helper;
};

BATON_ROUTER_CONTRACT(HelperRouterTest)

TEST_F(HelperRouterTest, RoutesAndTheConnectionOutliveARestartOfTheHelper) {
    const auto router = make();
    ASSERT_TRUE(router->point(kim));
    helper.reset();
    EXPECT_EQ(router->list().error().code, Errc::unavailable);
    helper = std::make_unique<RunningHelper>(socket);
    EXPECT_EQ(router->list().value(), std::vector{kim});
    EXPECT_TRUE(router->point(lee));
}

TEST_F(HelperRouterTest, AnIdleViewerNoticesWithinATenthOfASecond) {
    const baton::testing::EchoServer a{"host1", "10.99.0.11", 5901, "A"};
    const baton::testing::EchoServer b{"host2", "10.99.0.12", 5902, "B"};
    const auto router = make();
    auto there = kim;
    ASSERT_TRUE(router->point(there));
    const auto idle = baton::testing::connect_in("client1", "10.98.0.1", 6001).value();
    EXPECT_EQ(idle.receive(3s), "A");
    there.target = {"10.99.0.12", 5902};
    ASSERT_TRUE(router->point(there));
    const auto noticed = idle.wait_for_end(5s);
    ASSERT_TRUE(noticed) << "never noticed";
    RecordProperty("noticed_after_ms", static_cast<int>(noticed->count()));
    EXPECT_EQ(baton::testing::who_answers("client1", "10.98.0.1", 6001).value(), "B");
}

TEST_F(HelperRouterTest, WhatASecondHelperMeansIsSaid) {
    const auto router = make();
    HelperSettings second;
    second.socket_path = socket;
    second.layout = baton::testing::contract_layout();
    const auto result = serve_helper(second);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::busy);
    EXPECT_TRUE(router->list()) << "the first serves on";
}

TEST_F(HelperRouterTest, AnotherUserIsRefused) {
    const auto router = make();
    ASSERT_EQ(::chmod(scratch.path().c_str(), 0755), 0);
    ASSERT_EQ(::chmod(socket.c_str(), 0666), 0) << "past the first lock, to the second";
    process::Command stranger;
    stranger.words = {"setpriv", "--reuid=65534",         "--clear-groups", "socat", "-t5",
                      "-",       "UNIX-CONNECT:" + socket};
    const auto said = process::run(stranger);
    ASSERT_TRUE(said);
    const auto answer = decode_helper_answer(process::last_line(said->out));
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, Errc::forbidden);
    EXPECT_NE(answer.error().what.find("65534"), std::string::npos);
}

TEST_F(HelperRouterTest, NonsenseOnTheSocketHurtsNobodyElse) {
    const auto router = make();
    for (const std::string& text :
         {std::string("\n\n\n"),
          std::string("{\"version\":1,\"verb\":\"nft\",\"text\":\"flush\"}\n"),
          std::string(5 * 1024 * 1024, 'x'), std::string("\0\xff\n", 3)}) {
        const auto raw = connect_unix(socket).value();
        (void)send_all(raw, text, std::chrono::steady_clock::now() + 5s);
    }
    EXPECT_TRUE(router->point(kim));
    EXPECT_EQ(router->list().value(), std::vector{kim});
}

TEST(HelperRouterAlone, SaysWhatToDoWhenNobodyServes) {
    const baton::testing::TemporaryDirectory scratch;
    const auto result = make_helper_router(scratch.file("helper.sock"))->list();
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::unavailable);
    EXPECT_NE(result.error().message().find("start baton-helper"), std::string::npos);
}

} // namespace
} // namespace baton::routing
