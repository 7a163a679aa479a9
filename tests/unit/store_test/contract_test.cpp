#include "store/memory.h"
#include "store/store.h"
#include "support/temporary_directory.h"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <functional>

// What every store must do: the one on SQLite and the one in memory.
namespace baton::store {
namespace {

using testing::TemporaryDirectory;

struct Adapter {
    const char* name;
    std::function<Result<std::unique_ptr<Store>>(const std::string& path)> open;
    /// From here on no session can be taken away: what is taken away before it has to come back.
    std::function<void(std::unique_ptr<Store>& store, const std::string& path)> hinder;
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
        change.gateways = {gateway_};
        change.clients = {client_};
        ASSERT_TRUE(store_->commit(change));
    }

    Result<void> commit(Change change) { return store_->commit(change); }

    TemporaryDirectory directory_;
    std::unique_ptr<Store> store_;

    const UserRow kim_{UserName("kim"), Role::admin, "$argon2id$...", false,
                       WallTime(std::chrono::milliseconds(5))};
    const UserRow lee_{UserName("lee"), Role::operator_, "", true, {}};
    const ClientRow client_{"52:54:00:99:00:01",
                            "564d1f2c-0001-4000-8000-000000000001",
                            "10.98.0.101",
                            2_GiB,
                            "client-0123456789ab",
                            "uefi",
                            R"({"up_ms":4120})",
                            7,
                            WallTime(std::chrono::milliseconds(1)),
                            WallTime(std::chrono::milliseconds(2)),
                            UserName("kim"),
                            OsImageId("tiny-1"),
                            true,
                            SessionId("s-1")};
    const GatewayRow gateway_{GatewayId("gate1"), "10.98.0.1", true, std::string(64, 'b'),
                              WallTime(std::chrono::milliseconds(5))};
    const HostRow host_{HostId("host1"),
                        "10.0.0.1",
                        4_GiB,
                        1_GiB,
                        true,
                        true,
                        "ab12",
                        R"({"x":"한\u0000"})",
                        WallTime(std::chrono::milliseconds(77))};
    const DeskRow desk_{DeskName("kim"),
                        DeskId("uuid-1"),
                        UserName("kim"),
                        34'359'738'368,
                        DeskState::damaged,
                        FencingNumber{7},
                        SessionId("s-1"),
                        WallTime(std::chrono::milliseconds(-1)),
                        "stick",
                        UserName("kim"),
                        WallTime(std::chrono::milliseconds(5))};
    const SessionRow session_{SessionId("s-1"),
                              UserName("kim"),
                              DeskName("kim"),
                              OsImageId("tiny-1"),
                              SessionPhase::handing_off,
                              RouteKind::gateway,
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
    const DesktopRow desktop_{
        DesktopId("d-1"),    SessionId("s-1"),       HostId("host1"),    512_MiB,
        OsImageId("tiny-1"), DesktopPhase::stopping, {"10.1.0.5", 5901}, std::string(32, 'a')};
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
    EXPECT_EQ(store_->gateways().value(), std::vector{gateway_});
    EXPECT_EQ(store_->clients().value(), std::vector{client_});
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
    next.removed_gateways = {gateway_.id};
    next.removed_clients = {client_.mac};
    ASSERT_TRUE(store_->commit(next));
    EXPECT_TRUE(store_->sessions(false).value().empty());
    EXPECT_EQ(store_->sessions(true).value(), std::vector{session});
    EXPECT_TRUE(store_->moves(false).value().empty());
    EXPECT_EQ(store_->moves(true).value(), std::vector{move});
    EXPECT_TRUE(store_->desktops().value().empty());
    EXPECT_TRUE(store_->desks().value().empty());
    EXPECT_TRUE(store_->tokens().value().empty());
    EXPECT_TRUE(store_->hosts().value().empty());
    EXPECT_TRUE(store_->gateways().value().empty());
    EXPECT_TRUE(store_->clients().value().empty());
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

// ---- pruning -----------------------------------------------------------------------------------

WallTime day(int number) {
    return WallTime(std::chrono::hours(24) * number);
}

/// One event, one session and its close a day, of days 1 to 9; session and desk of `kim` are old
/// and open.
class StorePruning : public StoreContract {
  protected:
    void SetUp() override {
        StoreContract::SetUp();
        Change open;
        open.sessions = {session_};
        open.sessions[0].created = day(1);
        open.desks = {desk_};
        open.desktops = {desktop_};
        ASSERT_TRUE(store_->commit(open));
        for (int number = 1; number <= 9; ++number) {
            Change change;
            auto closed = session_;
            closed.id = SessionId("old-" + std::to_string(number));
            closed.phase = SessionPhase::closed;
            closed.created = day(number);
            change.sessions = {closed};
            auto move = move_;
            move.session = closed.id;
            move.kind = MoveKind::close;
            move.phase = number % 2 == 0 ? MovePhase::done : MovePhase::failed;
            move.started = day(number);
            change.moves = {move};
            change.events = {{0, day(number), "n", std::to_string(number), "", ""}};
            ASSERT_TRUE(store_->commit(change));
        }
    }

    std::vector<std::string> events() {
        std::vector<std::string> found;
        const auto rows = store_->events(0, 1000).value();
        for (const auto& row : rows)
            found.push_back(row.subject);
        return found;
    }

    std::vector<std::string> closed() {
        std::vector<std::string> found;
        const auto rows = store_->sessions(true).value();
        for (const auto& row : rows)
            if (row.phase == SessionPhase::closed)
                found.push_back(row.id.value);
        return found;
    }

    static Bounds all() { return {day(100), 0, day(100), 1000}; }
};

using Words = std::vector<std::string>;

TEST_P(StorePruning, TakesAwayWhatIsOlder) {
    const auto pruned = store_->prune({day(4), 0, day(8), 1000});
    ASSERT_TRUE(pruned) << pruned.error().message();
    EXPECT_EQ(*pruned, (Pruned{3, 7, 7, false}));
    EXPECT_EQ(events(), (Words{"4", "5", "6", "7", "8", "9"}));
    EXPECT_EQ(closed(), (Words{"old-8", "old-9"}));
    EXPECT_EQ(store_->moves(true).value().size(), 2U);
    EXPECT_EQ(store_->prune({day(4), 0, day(8), 1000}).value(), Pruned{}) << "a second time";
}

TEST_P(StorePruning, EpochMeansNoBound) {
    EXPECT_EQ(store_->prune({}).value(), Pruned{});
    EXPECT_EQ(events().size(), 9U);
    EXPECT_EQ(closed().size(), 9U);
}

TEST_P(StorePruning, KeepsNoMoreEventsThanTold) {
    EXPECT_EQ(store_->prune({{}, 2, {}, 1000}).value(), (Pruned{7, 0, 0, false}));
    EXPECT_EQ(events(), (Words{"8", "9"}));
    EXPECT_EQ(store_->prune({{}, 2, {}, 1000}).value(), Pruned{});
}

TEST_P(StorePruning, NeverTheNewestEventAndNoNumberTwice) {
    const auto last = store_->events(0, 1000).value().back().seq;
    EXPECT_EQ(store_->prune(all()).value().events, 8U);
    EXPECT_EQ(events(), Words{"9"});
    Change change;
    change.events = {EventRow{}};
    ASSERT_TRUE(store_->commit(change));
    EXPECT_EQ(change.events[0].seq, last + 1);
}

// The clock of day 5 was wrong: what was told after it is not taken away from behind it.
TEST_P(StorePruning, LeavesNoHoleInTheLog) {
    auto rows = store_->events(0, 1000).value();
    Change change;
    change.events = {rows[4]};
    change.events[0].at = day(99);
    ASSERT_TRUE(store_->commit(change));
    EXPECT_EQ(store_->prune({day(8), 0, {}, 1000}).value().events, 4U);
    EXPECT_EQ(events(), (Words{"5", "6", "7", "8", "9"}));
    EXPECT_EQ(store_->prune({{}, 3, {}, 1000}).value().events, 2U) << "the count goes on";
}

TEST_P(StorePruning, WhatIsOpenOrNamedStays) {
    const auto moves = store_->moves(true).value();
    Change change;
    change.moves = {moves[0], move_}; // of old-1; and one of a session that is open
    change.moves[0].phase = MovePhase::draining;
    change.moves[1].phase = MovePhase::done;
    change.moves[1].started = day(1);
    change.desktops = {desktop_}; // a stray of old-2
    change.desktops[0].id = DesktopId("d-stray");
    change.desktops[0].session = SessionId("old-2");
    change.desks = {desk_}; // held by old-3
    change.desks[0].name = DeskName("held");
    change.desks[0].holder = SessionId("old-3");
    ASSERT_TRUE(store_->commit(change));

    EXPECT_EQ(store_->prune(all()).value(), (Pruned{8, 9, 6, false}));
    EXPECT_EQ(closed(), (Words{"old-1", "old-2", "old-3"}));
    const auto open = store_->sessions(false).value();
    ASSERT_EQ(open.size(), 1U);
    EXPECT_EQ(open[0].id, session_.id);
    EXPECT_EQ(store_->moves(true).value(), std::vector{change.moves[0]});
    EXPECT_EQ(store_->desks().value().size(), 2U);
    EXPECT_EQ(store_->desktops().value().size(), 2U);

    change.moves = {change.moves[0]};
    change.moves[0].phase = MovePhase::done;
    change.desks[0].holder = {};
    change.desktops.clear();
    change.removed_desktops = {DesktopId("d-stray")};
    ASSERT_TRUE(store_->commit(change));
    EXPECT_EQ(store_->prune(all()).value(), (Pruned{0, 1, 3, false})) << "nothing names them now";
}

// Opened long ago, closed yesterday: it goes when its close is old, not before.
TEST_P(StorePruning, ASessionStaysAsLongAsTheMoveThatClosedIt) {
    Change change;
    change.moves = {store_->moves(true).value()[0]};
    change.moves[0].started = day(50);
    ASSERT_TRUE(store_->commit(change));
    EXPECT_EQ(store_->prune({{}, 0, day(50), 1000}).value(), (Pruned{0, 8, 8, false}));
    EXPECT_EQ(closed(), Words{"old-1"});
    EXPECT_EQ(store_->prune({{}, 0, day(51), 1000}).value(), (Pruned{0, 1, 1, false}));
}

TEST_P(StorePruning, InSteps) {
    Pruned total;
    std::size_t steps = 0;
    for (bool more = true; more; ++steps) {
        auto bounds = all();
        bounds.rows = 4;
        const auto pruned = store_->prune(bounds);
        ASSERT_TRUE(pruned) << pruned.error().message();
        EXPECT_LE(pruned->events + pruned->moves + pruned->sessions, 4U);
        total.events += pruned->events;
        total.moves += pruned->moves;
        total.sessions += pruned->sessions;
        more = pruned->more;
        ASSERT_LT(steps, 20U);
    }
    EXPECT_EQ(total, (Pruned{8, 9, 9, false}));
    EXPECT_EQ(steps, 7U) << "26 rows by 4";
}

TEST_P(StorePruning, AllOrNothingWhenItFailsHalfWay) {
    GetParam().hinder(store_, directory_.file("state.db"));
    const auto before = store_->moves(true).value();
    const auto failed = store_->prune(all());
    ASSERT_FALSE(failed);
    EXPECT_EQ(events().size(), 9U);
    EXPECT_EQ(closed().size(), 9U);
    EXPECT_EQ(store_->moves(true).value(), before);
    Change change;
    change.settings = {{"after", "it"}};
    EXPECT_TRUE(store_->commit(change)) << "the store goes on";
}

/// Deleting a session fails, as a broken disk would, when events and moves are deleted already.
void hinder_sqlite(std::unique_ptr<Store>& store, const std::string& path) {
    store.reset();
    sqlite3* handle = nullptr;
    ASSERT_EQ(sqlite3_open(path.c_str(), &handle), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(handle,
                           "CREATE TRIGGER hinder BEFORE DELETE ON sessions BEGIN "
                           "SELECT RAISE(ABORT, 'hindered'); END",
                           nullptr, nullptr, nullptr),
              SQLITE_OK);
    sqlite3_close(handle);
    store = open_sqlite(path).value();
}

void hinder_memory(std::unique_ptr<Store>& store, const std::string&) {
    auto& memory = dynamic_cast<MemoryStore&>(*store);
    memory.set_faults([next = memory.commits() + 1](std::uint64_t commit) {
        return commit == next ? CommitFault::io : CommitFault::none;
    });
}

const std::vector<Adapter> adapters{
    {"sqlite", [](const std::string& path) { return open_sqlite(path); }, hinder_sqlite},
    {"memory",
     [](const std::string&) -> Result<std::unique_ptr<Store>> { return make_memory_store(); },
     hinder_memory}};

std::string name_of(const ::testing::TestParamInfo<Adapter>& adapter) {
    return adapter.param.name;
}

INSTANTIATE_TEST_SUITE_P(Adapters, StoreContract, ::testing::ValuesIn(adapters), name_of);
INSTANTIATE_TEST_SUITE_P(Adapters, StorePruning, ::testing::ValuesIn(adapters), name_of);

TEST(MemoryStore, PrunesByHalfForNobodyWhenItDies) {
    for (const auto fault : {CommitFault::crash_before, CommitFault::crash_after}) {
        MemoryStore store;
        Change change;
        change.events = {EventRow{}, EventRow{}, EventRow{}};
        ASSERT_TRUE(store.commit(change));
        store.set_faults([&](std::uint64_t) { return fault; });
        EXPECT_THROW(static_cast<void>(store.prune({{}, 1, {}, 10})), SimulatedCrash);
        store.set_faults({});
        EXPECT_EQ(store.events(0, 10).value().size(), fault == CommitFault::crash_before ? 3U : 1U);
    }
}

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
