#include "store/memory.h"
#include "store/store.h"
#include "support/temporary_directory.h"

#include <gtest/gtest.h>

#include <functional>

// What every store must do: the one on SQLite and the one in memory.
namespace baton::store {
namespace {

using testing::TemporaryDirectory;

struct Adapter {
    const char* name;
    std::function<Result<std::unique_ptr<Store>>(const std::string& path)> open;
};

class StoreContract : public ::testing::TestWithParam<Adapter> {
  protected:
    void SetUp() override {
        auto opened = GetParam().open(directory_.file("state.db"));
        ASSERT_TRUE(opened) << opened.error().message();
        store_ = *std::move(opened);
        Change change;
        change.users = {kim_, lee_};
        change.hosts = {host_};
        ASSERT_TRUE(store_->commit(change));
    }

    Result<void> commit(Change change) { return store_->commit(change); }

    TemporaryDirectory directory_;
    std::unique_ptr<Store> store_;

    const UserRow kim_{UserName("kim"), Role::admin, "$argon2id$...", false,
                       WallTime(std::chrono::milliseconds(5))};
    const UserRow lee_{UserName("lee"), Role::operator_, "", true, {}};
    const HostRow host_{HostId("host1"),
                        "10.0.0.1",
                        4_GiB,
                        1_GiB,
                        true,
                        true,
                        "ab12",
                        R"({"x":"한\u0000"})",
                        WallTime(std::chrono::milliseconds(77))};
    const DeskRow desk_{DeskName("kim"),    DeskId("uuid-1"),
                        UserName("kim"),    34'359'738'368,
                        DeskState::damaged, FencingNumber{7},
                        SessionId("s-1"),   WallTime(std::chrono::milliseconds(-1))};
    const SessionRow session_{SessionId("s-1"),
                              UserName("kim"),
                              DeskName("kim"),
                              OsImageId("tiny-1"),
                              SessionPhase::handing_off,
                              "10.9.0.2",
                              6001,
                              DesktopId("d-1"),
                              3,
                              "secret",
                              WallTime(std::chrono::milliseconds(1'700'000'000'000)),
                              true,
                              true,
                              "",
                              WallTime(std::chrono::milliseconds(1))};
    const DesktopRow desktop_{DesktopId("d-1"),  SessionId("s-1"),    HostId("host1"),
                              512_MiB,           OsImageId("tiny-1"), DesktopPhase::stopping,
                              {"10.1.0.5", 5901}};
    const MoveRow move_{0,
                        SessionId("s-1"),
                        MoveKind::handoff,
                        MovePhase::leasing,
                        DesktopId("d-1"),
                        DesktopId("d-2"),
                        FencingNumber{8},
                        "lee joins",
                        "",
                        WallTime(std::chrono::milliseconds(2))};
};

TEST_P(StoreContract, GivesBackWhatWasWritten) {
    Change change;
    change.desks = {desk_};
    change.sessions = {session_};
    change.desktops = {desktop_};
    change.moves = {move_};
    change.events = {{0, WallTime(std::chrono::milliseconds(9)), "x.y", "s-1", "A thing.", "{}"}};
    change.tokens = {{"ffee", TokenRow::Kind::host_invite, "host2", {}}};
    change.settings = {{"levels", "4"}};
    ASSERT_TRUE(store_->commit(change));

    EXPECT_EQ(store_->users().value(), (std::vector{kim_, lee_}));
    EXPECT_EQ(store_->user(kim_.name).value(), kim_);
    EXPECT_EQ(store_->user(UserName("nobody")).value(), std::nullopt);
    EXPECT_EQ(store_->hosts().value(), std::vector{host_});
    EXPECT_EQ(store_->desks().value(), std::vector{desk_});
    EXPECT_EQ(store_->desk(desk_.name).value(), desk_);
    EXPECT_EQ(store_->desk(DeskName("none")).value(), std::nullopt);
    EXPECT_EQ(store_->sessions(false).value(), std::vector{session_});
    EXPECT_EQ(store_->desktops().value(), std::vector{desktop_});
    EXPECT_EQ(store_->moves(false).value(), change.moves);
    EXPECT_EQ(store_->events(0, 10).value(), change.events);
    EXPECT_EQ(store_->tokens().value(), change.tokens);
    EXPECT_EQ(store_->setting("levels").value(), "4");
    EXPECT_EQ(store_->setting("none").value(), std::nullopt);
}

TEST_P(StoreContract, GivesNumbersThatOnlyGrow) {
    Change first;
    first.sessions = {session_};
    first.moves = {move_, move_};
    first.events = {EventRow{}, EventRow{}};
    ASSERT_TRUE(store_->commit(first));
    EXPECT_GT(first.moves[0].id, 0U);
    EXPECT_GT(first.moves[1].id, first.moves[0].id);
    EXPECT_GT(first.events[1].seq, first.events[0].seq);

    Change removal;
    removal.removed_moves = {first.moves[1].id};
    ASSERT_TRUE(store_->commit(removal));
    Change second;
    second.moves = {move_};
    ASSERT_TRUE(store_->commit(second));
    EXPECT_GT(second.moves[0].id, first.moves[1].id) << "a number must never be given twice";
}

TEST_P(StoreContract, ReplacesByKeyAndRemoves) {
    Change change;
    change.desks = {desk_};
    change.sessions = {session_};
    change.desktops = {desktop_};
    change.moves = {move_};
    change.tokens = {{"ffee", TokenRow::Kind::api, "kim", {}}};
    ASSERT_TRUE(store_->commit(change));

    auto session = session_;
    session.phase = SessionPhase::closed;
    auto move = change.moves[0];
    move.phase = MovePhase::failed;
    move.error = "gone";
    Change next;
    next.sessions = {session};
    next.moves = {move};
    next.removed_desktops = {desktop_.id};
    next.removed_desks = {desk_.name};
    next.removed_tokens = {"ffee"};
    next.removed_hosts = {host_.id};
    ASSERT_TRUE(store_->commit(next));
    EXPECT_TRUE(store_->sessions(false).value().empty());
    EXPECT_EQ(store_->sessions(true).value(), std::vector{session});
    EXPECT_TRUE(store_->moves(false).value().empty());
    EXPECT_EQ(store_->moves(true).value(), std::vector{move});
    EXPECT_TRUE(store_->desktops().value().empty());
    EXPECT_TRUE(store_->desks().value().empty());
    EXPECT_TRUE(store_->tokens().value().empty());
    EXPECT_TRUE(store_->hosts().value().empty());
}

TEST_P(StoreContract, SessionsComeInTheOrderOfJoining) {
    auto first = session_;
    first.joined = 9;
    auto second = session_;
    second.id = SessionId("s-0");
    second.user = lee_.name;
    second.listen_port = 6002;
    second.joined = 10;
    Change change;
    change.sessions = {second, first};
    ASSERT_TRUE(store_->commit(change));
    EXPECT_EQ(store_->sessions(false).value(), (std::vector{first, second}));
}

TEST_P(StoreContract, EventsArePaged) {
    for (int i = 0; i < 5; ++i) {
        Change change;
        change.events = {{0, {}, "n", std::to_string(i), "", ""}};
        ASSERT_TRUE(store_->commit(change));
    }
    const auto page = store_->events(0, 2).value();
    ASSERT_EQ(page.size(), 2U);
    EXPECT_EQ(page[0].subject, "0");
    const auto rest = store_->events(page[1].seq, 100).value();
    ASSERT_EQ(rest.size(), 3U);
    EXPECT_EQ(rest[0].subject, "2");
}

TEST_P(StoreContract, AFenceNeverGoesBack) {
    Change change;
    change.desks = {desk_};
    ASSERT_TRUE(store_->commit(change));
    ASSERT_TRUE(store_->commit(change)) << "the same number again is no step back";
    Change stale = change;
    stale.desks[0].fence = FencingNumber{6};
    stale.settings = {{"a", "b"}};
    const auto refused = store_->commit(stale);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::conflict);
    EXPECT_EQ(store_->desk(desk_.name).value()->fence, FencingNumber{7});
    EXPECT_EQ(store_->setting("a").value(), std::nullopt) << "all or nothing";
}

TEST_P(StoreContract, RefusesWhatContradictsItselfAndChangesNothing) {
    auto twin = session_;
    twin.id = SessionId("s-2");
    twin.listen_port = 6002;
    auto neighbour = session_;
    neighbour.id = SessionId("s-3");
    neighbour.user = lee_.name;
    auto stranger = session_;
    stranger.user = UserName("nobody");
    auto homeless = desktop_;
    homeless.host = HostId("nowhere");
    auto foreign = desk_;
    foreign.owner = UserName("nobody");

    std::vector<std::pair<const char*, Change>> bad(6);
    bad[0].first = "two live sessions of one person";
    bad[0].second.sessions = {session_, twin};
    bad[1].first = "one port of one client for two sessions";
    bad[1].second.sessions = {session_, neighbour};
    bad[2].first = "a session of nobody";
    bad[2].second.sessions = {stranger};
    bad[3].first = "a desktop on no host";
    bad[3].second.desktops = {homeless};
    bad[4].first = "a desk of nobody";
    bad[4].second.desks = {foreign};
    bad[5].first = "a move of no session";
    bad[5].second.moves = {move_};
    for (auto& [what, change] : bad) {
        change.settings = {{"written", what}};
        const auto result = store_->commit(change);
        ASSERT_FALSE(result) << what;
        EXPECT_EQ(result.error().code, Errc::conflict) << what;
        EXPECT_EQ(store_->setting("written").value(), std::nullopt) << what;
        EXPECT_TRUE(store_->sessions(true).value().empty()) << what;
    }

    auto closed = twin;
    closed.phase = SessionPhase::closed;
    Change good;
    good.sessions = {session_, closed};
    EXPECT_TRUE(store_->commit(good)) << "a closed session is history and takes nobody's place";
}

INSTANTIATE_TEST_SUITE_P(
    Adapters, StoreContract,
    ::testing::Values(Adapter{"sqlite", [](const std::string& path) { return open_sqlite(path); }},
                      Adapter{"memory",
                              [](const std::string&) -> Result<std::unique_ptr<Store>> {
                                  return make_memory_store();
                              }}),
    [](const auto& adapter) { return adapter.param.name; });

TEST(MemoryStore, FailsAndDiesWhenTold) {
    MemoryStore store;
    store.set_faults([](std::uint64_t commit) {
        switch (commit) {
        case 1:
            return CommitFault::full;
        case 2:
            return CommitFault::io;
        case 3:
            return CommitFault::crash_before;
        case 4:
            return CommitFault::crash_after;
        default:
            return CommitFault::none;
        }
    });
    const auto write = [&] {
        Change change;
        change.settings = {{"n", std::to_string(store.commits() + 1)}};
        return store.commit(change);
    };
    EXPECT_EQ(write().error().code, Errc::full);
    EXPECT_EQ(write().error().code, Errc::io);
    EXPECT_THROW(static_cast<void>(write()), SimulatedCrash);
    EXPECT_EQ(store.setting("n").value(), std::nullopt);
    EXPECT_THROW(static_cast<void>(write()), SimulatedCrash);
    EXPECT_EQ(store.setting("n").value(), "4");
    EXPECT_TRUE(write());
    EXPECT_EQ(store.setting("n").value(), "5");
}

} // namespace
} // namespace baton::store
