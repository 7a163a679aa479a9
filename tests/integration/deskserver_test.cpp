// The desk server with the real qemu-storage-daemon, NBD over TLS on loopback.
#include "desk/image.h"
#include "deskserver/server.h"
#include "integration/deskserver_fixture.h"

#include <fcntl.h>
#include <fstream>
#include <sched.h>
#include <sys/mount.h>

namespace baton::deskserver {
namespace {

using testing::HasSubstr;

class DeskServerTest : public ServerTest {
  protected:
    DeskServerTest() { open(); }
};

TEST_F(DeskServerTest, WhatWasFlushedBeforeTheMoveIsThereAfterIt) {
    create("kim");
    const auto first = lease("kim", 1, "host1");
    EXPECT_EQ(first.export_name, "desk." + first.id.value + ".1");
    EXPECT_EQ(first.size_bytes, (256_MiB).bytes());
    EXPECT_NE(first.server.port, 0);
    Holder old_holder(first, host1_);
    ASSERT_TRUE(old_holder.connected());
    // the superblock is where a guest looks for it: the header is not part of what it sees
    EXPECT_TRUE(old_holder.reads("0", "0", "1k"));
    EXPECT_TRUE(old_holder.reads("0x53", "1080", "1"));
    old_holder.write("0x41", "100M", "1M");
    old_holder.tell("flush");

    const auto second = lease("kim", 2, "host2");
    EXPECT_THAT(old_holder.tell("write -P 0x42 100M 4k"), HasSubstr("error"))
        << "the old holder wrote after the lease had moved";
    Holder new_holder(second, host2_);
    ASSERT_TRUE(new_holder.connected());
    EXPECT_TRUE(new_holder.reads("0x41", "100M", "1M"));
    new_holder.write("0x43", "100M", "4k");

    const auto view = server_->show(DeskName("kim")).value();
    EXPECT_EQ(view.header.largest_fence, FencingNumber{2});
    EXPECT_EQ(view.header.lease.holder, "host2");
    EXPECT_EQ(view.header.generation, 2U);
    ASSERT_TRUE(view.exported);
    EXPECT_EQ(view.exported->holder, HostId("host2"));
}

TEST_F(DeskServerTest, OnlyTheHoldersCertificateIsLetIn) {
    create("kim");
    const auto exported = lease("kim", 1, "host1");
    EXPECT_FALSE(Holder(exported, host2_).connected());
    EXPECT_TRUE(Holder(exported, host1_).connected());

    // of another CA, with the right name
    const auto stranger = net::Authority::create("another CA", test_now()).value();
    const auto path = folder_ / "tls-stranger";
    ASSERT_TRUE(
        net::keep_certificate(stranger, path, "client", {"host1", {}, false, true}, test_now()));
    fs::copy_file(host1_ + "/ca-cert.pem", path + "/ca-cert.pem",
                  fs::copy_options::overwrite_existing);
    EXPECT_FALSE(Holder(exported, path).connected());

    // without TLS
    process::Command plain;
    plain.words = {"nbdinfo", "--size",
                   "nbd://127.0.0.1:" + std::to_string(exported.server.port) + "/" +
                       exported.export_name};
    EXPECT_NE(process::run(plain).value().status, 0);
    // and another client than QEMU's agrees on what is exported
    process::Command other;
    other.words = {"nbdinfo", "--size",
                   "nbds://127.0.0.1:" + std::to_string(exported.server.port) + "/" +
                       exported.export_name + "?tls-certificates=" + host1_};
    EXPECT_EQ(process::run(other).value().out, std::to_string((256_MiB).bytes()) + "\n");
}

TEST_F(DeskServerTest, NumbersOnlyGrow) {
    create("kim");
    const auto five = lease("kim", 5, "host1");
    const auto process = process_of("kim");
    EXPECT_EQ(lease("kim", 5, "host1"), five) << "the same call again changes nothing";
    EXPECT_EQ(process_of("kim"), process);
    EXPECT_EQ(lease_error("kim", 5, "host2"), Errc::conflict);
    EXPECT_EQ(lease_error("kim", 4, "host2"), Errc::conflict);
    EXPECT_EQ(lease_error("kim", 0, "host1"), Errc::invalid_argument);
    EXPECT_EQ(process_of("kim"), process) << "a refused lease disturbs nobody";

    ASSERT_TRUE(server_->close(DeskName("kim"), FencingNumber{4})) << "an older one: nothing to do";
    EXPECT_EQ(process_of("kim"), process);
    ASSERT_TRUE(server_->close(DeskName("kim"), FencingNumber{5}));
    EXPECT_FALSE(server_->show(DeskName("kim")).value().exported);
    ASSERT_TRUE(server_->close(DeskName("kim"), FencingNumber{5})) << "again";
    ASSERT_TRUE(server_->close(DeskName("nobody"), FencingNumber{5}));
    EXPECT_EQ(lease_error("kim", 5, "host1"), Errc::conflict) << "a closed number is spent";

    // also over a restart
    server_.reset();
    open();
    EXPECT_EQ(lease_error("kim", 5, "host2"), Errc::conflict);
    EXPECT_EQ(lease_error("kim", 3, "host1"), Errc::conflict);
    EXPECT_EQ(lease("kim", 6, "host2").fence, FencingNumber{6});
    EXPECT_EQ(lease_error("nobody", 1, "host1"), Errc::not_found);
    EXPECT_EQ(lease_error("../etc", 1, "host1"), Errc::invalid_argument);
    EXPECT_EQ(lease_error("kim", 7, "host1,CN=host2"), Errc::invalid_argument);
}

TEST_F(DeskServerTest, AKilledStorageDaemonServesAgainAtItsPort) {
    create("kim");
    const auto exported = lease("kim", 1, "host1");
    {
        Holder holder(exported, host1_);
        holder.write("0x41", "10M", "1M");
        holder.tell("flush");
        ::kill(process_of("kim"), SIGKILL);
        EXPECT_THAT(seen_.wait(Incident::Kind::restarted), HasSubstr("killed by signal 9"));
    }
    EXPECT_EQ(lease("kim", 1, "host1"), exported);
    EXPECT_EQ(server_->show(DeskName("kim")).value().exported->restarts, 1U);
    Holder again(exported, host1_);
    ASSERT_TRUE(again.connected());
    EXPECT_TRUE(again.reads("0x41", "10M", "1M"));
    EXPECT_FALSE(Holder(exported, host2_).connected());
}

TEST_F(DeskServerTest, AnExportThatDiesAgainAndAgainIsGivenUpAndSaid) {
    create("kim");
    const auto exported = lease("kim", 1, "host1");
    for (unsigned i = 0; i < settings_.most_restarts; ++i) {
        ::kill(process_of("kim"), SIGKILL);
        seen_.wait(Incident::Kind::restarted);
    }
    ::kill(process_of("kim"), SIGKILL);
    EXPECT_THAT(seen_.wait(Incident::Kind::given_up), HasSubstr("not started again"));
    EXPECT_FALSE(server_->show(DeskName("kim")).value().exported->failure.empty());
    EXPECT_FALSE(Holder(exported, host1_).connected());
    // who asks again gets it again
    EXPECT_EQ(lease("kim", 1, "host1").export_name, exported.export_name);
    EXPECT_TRUE(Holder(lease("kim", 1, "host1"), host1_).connected());
}

TEST_F(DeskServerTest, AHungStorageDaemonIsKilledBeforeTheLeaseMoves) {
    server_.reset();
    settings_.deadlines.drain = std::chrono::milliseconds(200);
    settings_.deadlines.quit = std::chrono::milliseconds(200);
    open();
    create("kim");
    lease("kim", 1, "host1");
    const auto hung = process_of("kim");
    ::kill(hung, SIGSTOP);
    const auto second = lease("kim", 2, "host2");
    EXPECT_EQ(::kill(hung, 0), -1) << "the old storage daemon is still there";
    EXPECT_TRUE(Holder(second, host2_).connected());
}

TEST_F(DeskServerTest, ADamagedImageIsNamedAndNeverExported) {
    create("kim");
    lease("kim", 1, "host1");
    ASSERT_TRUE(server_->close(DeskName("kim"), FencingNumber{1}));
    const auto path = settings_.desks + "/kim.desk";
    const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    ASSERT_EQ(::pwrite(fd, "rubbish", 7, desk::data_offset + 1024), 7);
    auto refused = server_->lease(DeskName("kim"), FencingNumber{2}, HostId("host1"));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::corrupt);
    EXPECT_THAT(refused.error().message(), HasSubstr("kim.desk"));
    EXPECT_FALSE(server_->show(DeskName("kim")).value().exported);
    EXPECT_TRUE(server_->show(DeskName("kim")).value().problem);

    const auto report = server_->check(DeskName("kim"), true);
    ASSERT_TRUE(report) << report.error().message();
    EXPECT_EQ(lease("kim", 2, "host1").fence, FencingNumber{2});
    ASSERT_TRUE(server_->close(DeskName("kim"), FencingNumber{2}));

    ASSERT_EQ(::pwrite(fd, "rubbish", 7, 3), 7);
    ASSERT_EQ(::pwrite(fd, "rubbish", 7, 512 * 1024 + 3), 7);
    ::close(fd);
    EXPECT_EQ(lease_error("kim", 3, "host1"), Errc::corrupt);
    const auto listed = server_->list().value();
    ASSERT_EQ(listed.size(), 1U) << "it is still shown";
    EXPECT_TRUE(listed[0].problem);
}

TEST_F(DeskServerTest, AFileThatSomebodyHasOpenIsNotExported) {
    create("kim");
    const auto path = settings_.desks + "/kim.desk";
    {
        const auto image = desk::Image::open(path, desk::Access::read).value();
        EXPECT_EQ(lease_error("kim", 1, "host1"), Errc::busy);
    }
    EXPECT_EQ(server_->show(DeskName("kim")).value().header.largest_fence, FencingNumber{});
    lease("kim", 1, "host1");
    EXPECT_EQ(desk::Image::open(path, desk::Access::write).error().code, Errc::busy);
    EXPECT_EQ(server_->check(DeskName("kim"), false).error().code, Errc::busy);
    EXPECT_EQ(server_->remove(DeskName("kim")).error().code, Errc::busy);
    EXPECT_EQ(server_->with_idle_file(DeskName("kim"), [](const auto&) { return Result<void>(); })
                  .error()
                  .code,
              Errc::busy);
    ASSERT_TRUE(server_->close(DeskName("kim"), FencingNumber{1}));
    ASSERT_TRUE(server_->remove(DeskName("kim")));
    EXPECT_EQ(server_->remove(DeskName("kim")).error().code, Errc::not_found);
    EXPECT_TRUE(server_->list().value().empty());
}

TEST_F(DeskServerTest, ADeskIsWhatItWasAtASnapshot) {
    const DeskName kim("kim");
    create("kim");
    const auto write = [&](std::uint64_t fence, const std::string& pattern) {
        Holder holder(lease("kim", fence, "host1"), host1_);
        holder.write(pattern, "100M", "64k");
        holder.tell("flush");
        EXPECT_EQ(server_->take_snapshot(kim, "in-use").error().code, Errc::busy);
        EXPECT_EQ(server_->restore(kim, "before").error().code, Errc::busy);
        ASSERT_TRUE(server_->close(kim, FencingNumber{fence}));
    };
    write(1, "0x41");
    const auto made = server_->take_snapshot(kim, "before");
    ASSERT_TRUE(made) << made.error().message();
    EXPECT_EQ(server_->take_snapshot(kim, "before").error().code, Errc::already_exists);
    write(2, "0x42");
    const auto before = server_->show(kim).value().header.generation;

    const auto back = server_->restore(kim, "before");
    ASSERT_TRUE(back) << back.error().message();
    EXPECT_GT(back->header.generation, before) << "its generation goes on";
    EXPECT_EQ(lease_error("kim", 2, "host1"), Errc::conflict) << "spent numbers stay spent";
    {
        Holder holder(lease("kim", 3, "host2"), host2_);
        EXPECT_TRUE(holder.reads("0x41", "100M", "64k"));
        EXPECT_EQ(server_->snapshots(kim).value().size(), 1U) << "told of a desk in use, too";
        ASSERT_TRUE(server_->close(kim, FencingNumber{3}));
    }
    EXPECT_THAT(server_->restore(kim, "other").error().message(), HasSubstr("it has: before"));
    ASSERT_TRUE(server_->remove_snapshot(kim, "before"));
    EXPECT_TRUE(server_->snapshots(kim).value().empty());
    EXPECT_EQ(server_->snapshots(DeskName("lee")).error().code, Errc::not_found);
    for (const auto* name : {"../kim", "", "a/b"})
        EXPECT_EQ(server_->take_snapshot(kim, name).error().code, Errc::invalid_argument) << name;
}

TEST_F(DeskServerTest, SnapshotsOfADeskAreCountedAndGoWithIt) {
    const DeskName kim("kim");
    create("kim");
    for (std::size_t i = 0; i < settings_.most_snapshots; ++i)
        ASSERT_TRUE(server_->take_snapshot(kim, "s" + std::to_string(i)));
    const auto refused = server_->take_snapshot(kim, "one-more");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::full);
    EXPECT_THAT(refused.error().message(), HasSubstr("--remove"));
    ASSERT_TRUE(server_->remove_snapshot(kim, "s0"));
    EXPECT_TRUE(server_->take_snapshot(kim, "one-more"));
    ASSERT_EQ(server_->list().value().size(), 1U) << "a snapshot is no desk";
    ASSERT_TRUE(server_->remove(kim));
    EXPECT_FALSE(fs::exists(settings_.desks + "/kim.desk.snapshots"));
}

TEST_F(DeskServerTest, TwoServersOverOneFolderAreRefused) {
    const auto second = DeskServer::open(settings_, {});
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, Errc::busy);
}

/// The server dies, its storage daemons do not.
class Recovery : public ServerTest {
  protected:
    Recovery() { open_mortal(); }
};

TEST_F(Recovery, ARestartedServerAdoptsWhatRuns) {
    create("kim");
    const auto exported = lease("kim", 1, "host1");
    const auto process = process_of("kim");
    Holder holder(exported, host1_);
    holder.write("0x41", "10M", "4k");
    die();
    EXPECT_TRUE(holder.reads("0x41", "10M", "4k")) << "nobody is disturbed";
    open();
    seen_.wait(Incident::Kind::adopted);
    EXPECT_EQ(process_of("kim"), process);
    EXPECT_EQ(lease("kim", 1, "host1"), exported);
    EXPECT_TRUE(holder.reads("0x41", "10M", "4k"));
    // an adopted one is watched, ended and moved like any other
    ::kill(process, SIGKILL);
    seen_.wait(Incident::Kind::restarted);
    EXPECT_TRUE(Holder(exported, host1_).connected()) << "at the same port";
    EXPECT_TRUE(Holder(lease("kim", 2, "host2"), host2_).connected());
}

TEST_F(Recovery, WhatDiedWithTheServerServesAgain) {
    create("kim");
    const auto exported = lease("kim", 1, "host1");
    const auto process = process_of("kim");
    die();
    ::kill(process, SIGKILL);
    open();
    seen_.wait(Incident::Kind::restarted);
    Holder holder(exported, host1_);
    EXPECT_TRUE(holder.connected()) << "at the same port";
}

TEST_F(Recovery, OneThatCannotBeToldAnythingIsEndedBeforeItsDeskServesAgain) {
    create("kim");
    const auto exported = lease("kim", 1, "host1");
    const auto process = process_of("kim");
    die();
    // nobody can say a word to it, and it has the port and the image
    ASSERT_TRUE(fs::remove(settings_.runtime + "/kim.1.qmp"));
    open();
    seen_.wait(Incident::Kind::restarted);
    EXPECT_EQ(::kill(process, 0), -1) << "the old storage daemon is still there";
    Holder holder(exported, host1_);
    EXPECT_TRUE(holder.connected()) << "at the same port";
}

TEST_F(Recovery, AnOrphanOfAnOlderLeaseIsEndedBeforeAnythingIsOpened) {
    create("kim");
    lease("kim", 1, "host1");
    const auto process = process_of("kim");
    die();
    // as if the lease had moved on in the header: the record names somebody else now
    const auto record = settings_.runtime + "/kim.1.json";
    auto text = net::read_small_file(record).value();
    text.replace(text.find("host1"), 5, "host9");
    std::ofstream(record) << text;
    open();
    seen_.wait(Incident::Kind::orphan_ended);
    EXPECT_EQ(::kill(process, 0), -1);
    EXPECT_FALSE(server_->show(DeskName("kim")).value().exported);
    EXPECT_FALSE(fs::exists(record));
    EXPECT_TRUE(Holder(lease("kim", 2, "host2"), host2_).connected());
}

TEST_F(Recovery, AFullDiskIsToldToTheDesktopAndToTheOperator) {
    server_.reset();
    // a file system of its own, seen by this process alone
    ASSERT_EQ(::unshare(CLONE_NEWNS), 0);
    ASSERT_EQ(::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    const auto small = folder_ / "small";
    fs::create_directories(small);
    ASSERT_EQ(::mount("tmpfs", small.c_str(), "tmpfs", 0, "size=48m"), 0);
    settings_.desks = small + "/desks";
    settings_.low_space_bytes = (24_MiB).bytes();
    settings_.space_interval = std::chrono::milliseconds(50);
    open();
    create("kim", 1_GiB);
    const auto exported = lease("kim", 1, "host1");
    {
        Holder holder(exported, host1_);
        EXPECT_THAT(holder.tell("write -P 0x41 300M 128M"), HasSubstr("No space left"));
        EXPECT_TRUE(server_->space().value().low);
        EXPECT_THAT(seen_.wait(Incident::Kind::space_low), HasSubstr("MiB are left"));
        EXPECT_EQ(server_->create(DeskName("lee"), "lee", (1_GiB).bytes()).error().code,
                  Errc::full);
        EXPECT_EQ(server_->list().value().size(), 1U) << "nothing half-made";
        // more room, and the same desktop goes on writing
        ASSERT_EQ(::mount("tmpfs", small.c_str(), "tmpfs", MS_REMOUNT, "size=256m"), 0);
        holder.write("0x41", "300M", "128M");
        holder.tell("flush");
        seen_.wait(Incident::Kind::space_well);
    }
    server_.reset();
    EXPECT_EQ(::umount2(small.c_str(), MNT_DETACH), 0);
    settings_.desks = folder_ / "desks";
}

} // namespace
} // namespace baton::deskserver
