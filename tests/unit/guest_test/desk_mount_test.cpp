#include "guest/desk_mount.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <set>
#include <string>
#include <vector>

namespace {

using namespace baton;
using namespace baton::guest;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// Keeps a table of mounts; places can be busy, calls can fail.
class FakeMounts : public MountCalls {
  public:
    Result<void> make_folder(const std::string& path) override {
        if (missing.contains(path))
            return fail(Errc::conflict, path + " cannot be made");
        return step("folder " + path);
    }

    Result<void> give_to_person(const std::string& path) override { return step("give " + path); }

    Result<void> mount_ext4(const std::string& device, const std::string& at,
                            bool read_only) override {
        const auto done = step("mount " + device + " " + at + (read_only ? " ro" : ""));
        if (done)
            table.push_back(at);
        return done;
    }

    Result<void> bind(const std::string& from, const std::string& to) override {
        const auto done = step("bind " + from + " " + to);
        if (done)
            table.push_back(to);
        return done;
    }

    Result<void> unmount(const std::string& at) override {
        if (busy.contains(at)) {
            calls.push_back("busy " + at);
            return fail(Errc::busy, at + " is busy");
        }
        const auto done = step("unmount " + at);
        if (done)
            std::erase(table, at);
        return done;
    }

    Result<void> detach(const std::string& at) override {
        std::erase(table, at);
        return step("detach " + at);
    }

    Result<void> flush(const std::string& at) override { return step("flush " + at); }

    void kill_holders(const std::string& at) override {
        calls.push_back("kill " + at);
        if (!immortal)
            busy.clear();
    }

    Result<void> cut_off(const std::string& at) override { return step("cut off " + at); }

    Result<void> make_home(const std::string& path) override { return step("home " + path); }

    std::vector<std::string> calls;
    std::vector<std::string> table;
    std::set<std::string> busy;
    std::set<std::string> missing;
    std::string fails;     ///< the beginning of the call that fails
    bool immortal = false; ///< who holds a file cannot be killed
    int fails_at = -1;     ///< or its number

  private:
    Result<void> step(const std::string& call) {
        calls.push_back(call);
        if ((!fails.empty() && call.starts_with(fails)) || fails_at-- == 0)
            return fail(Errc::io, call + " failed");
        return {};
    }
};

TEST(DeskMount, MountsForwardsAndMakesTheHomeInThisOrder) {
    FakeMounts mounts;
    DeskMount desk(mounts);
    ASSERT_TRUE(desk.mount("/dev/vdb", false, "kim"));
    EXPECT_THAT(mounts.table,
                ElementsAre("/run/baton/desk", "/home", "/opt", "/usr/local", "/srv"));
    EXPECT_THAT(mounts.calls, Contains("bind /run/baton/desk/fwd/usrlocal /usr/local"));
    EXPECT_THAT(mounts.calls, Contains("give /run/baton/desk/fwd/opt"));
    EXPECT_THAT(mounts.calls, ::testing::Not(Contains("give /run/baton/desk/fwd/home")));
    EXPECT_EQ(mounts.calls.back(), "home /home/kim");
    for (const std::string& call : mounts.calls)
        EXPECT_THAT(call, ::testing::Not(HasSubstr("cow"))) << "only fwd/ is used on a desktop";

    mounts.calls.clear();
    ASSERT_TRUE(desk.unmount());
    EXPECT_THAT(mounts.calls,
                ElementsAre("flush /run/baton/desk", "unmount /srv", "unmount /usr/local",
                            "unmount /opt", "unmount /home", "unmount /run/baton/desk"));
    EXPECT_THAT(mounts.table, IsEmpty());
    EXPECT_FALSE(desk.mounted());
    ASSERT_TRUE(desk.unmount()) << "again is nothing";
}

TEST(DeskMount, AReadOnlyDeskIsNotWrittenTo) {
    FakeMounts mounts;
    mounts.missing.insert("/run/baton/desk/fwd/srv");
    DeskMount desk(mounts);
    ASSERT_TRUE(desk.mount("/dev/vdb", true, "kim"));
    EXPECT_THAT(mounts.calls, Contains("mount /dev/vdb /run/baton/desk ro"));
    EXPECT_THAT(mounts.table, ElementsAre("/run/baton/desk", "/home", "/opt", "/usr/local"));
    for (const std::string& call : mounts.calls) {
        EXPECT_FALSE(call.starts_with("home")) << call;
        EXPECT_FALSE(call.starts_with("give")) << call;
    }
}

TEST(DeskMount, AFailureAnywhereLeavesNothingMounted) {
    EXPECT_TRUE(rc::check([] {
        FakeMounts mounts;
        mounts.fails_at = *rc::gen::inRange(0, 18);
        DeskMount desk(mounts);
        const auto done = desk.mount("/dev/vdb", false, "kim");
        RC_ASSERT(!done.has_value());
        RC_ASSERT(mounts.table.empty());
        RC_ASSERT(!desk.mounted());
    }));
}

TEST(DeskMount, AFolderThatIsNoFolderIsAnErrorUnlessReadOnly) {
    FakeMounts mounts;
    mounts.missing.insert("/run/baton/desk/fwd/opt");
    DeskMount desk(mounts);
    const auto done = desk.mount("/dev/vdb", false, "kim");
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, Errc::conflict);
    EXPECT_THAT(mounts.table, IsEmpty());
}

TEST(DeskMount, WhoHoldsAFileOpenIsKilled) {
    FakeMounts mounts;
    DeskMount desk(mounts);
    ASSERT_TRUE(desk.mount("/dev/vdb", false, "kim"));
    mounts.busy = {"/home", "/run/baton/desk"};
    mounts.calls.clear();
    ASSERT_TRUE(desk.unmount());
    EXPECT_THAT(mounts.calls,
                ElementsAre("flush /run/baton/desk", "unmount /srv", "unmount /usr/local",
                            "unmount /opt", "busy /home", "busy /run/baton/desk",
                            "kill /run/baton/desk", "unmount /home", "unmount /run/baton/desk"));
    EXPECT_THAT(mounts.table, IsEmpty());
}

TEST(DeskMount, WhoCannotEvenBeKilledIsCutOff) {
    FakeMounts mounts;
    DeskMount desk(mounts);
    ASSERT_TRUE(desk.mount("/dev/vdb", false, "kim"));
    mounts.busy = {"/home", "/run/baton/desk"};
    mounts.immortal = true;
    ASSERT_TRUE(desk.unmount());
    EXPECT_THAT(mounts.calls, Contains("cut off /run/baton/desk"));
    EXPECT_THAT(mounts.table, IsEmpty());
}

TEST(DeskMount, ADeskThatCannotBeCutOffIsStillMountedAndMayBeTriedAgain) {
    FakeMounts mounts;
    DeskMount desk(mounts);
    ASSERT_TRUE(desk.mount("/dev/vdb", false, "kim"));
    mounts.busy = {"/home", "/run/baton/desk"};
    mounts.immortal = true;
    mounts.fails = "cut off";
    ASSERT_FALSE(desk.unmount());
    EXPECT_TRUE(desk.mounted());
    EXPECT_THAT(mounts.table, ElementsAre("/run/baton/desk", "/home"));
    mounts.fails.clear();
    mounts.immortal = false;
    ASSERT_TRUE(desk.unmount());
    EXPECT_THAT(mounts.table, IsEmpty());
}

TEST(DeskMount, WhatCouldNotBeWrittenIsToldAlthoughTheDeskIsLetGo) {
    FakeMounts mounts;
    DeskMount desk(mounts);
    ASSERT_TRUE(desk.mount("/dev/vdb", false, "kim"));
    mounts.fails = "flush";
    const auto done = desk.unmount();
    ASSERT_FALSE(done);
    EXPECT_THAT(done.error().what, HasSubstr("flush"));
    EXPECT_FALSE(desk.mounted());
    EXPECT_THAT(mounts.table, IsEmpty());
}

} // namespace
