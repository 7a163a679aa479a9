// Desk image files with the real e2fsprogs, the real sandbox and QEMU's real locks.
#include "desk/check.h"
#include "desk/create.h"
#include "desk/image.h"
#include "desk/sandbox.h"
#include "process/child.h"
#include "process/run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

namespace baton::desk {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::Contains;
using testing::Field;
using testing::HasSubstr;

class DeskImage : public testing::Test {
  protected:
    DeskImage() {
        std::string name = (fs::temp_directory_path() / "baton-desk-test-XXXXXX").string();
        folder_ = ::mkdtemp(name.data());
    }

    ~DeskImage() override { fs::remove_all(folder_); }

    [[nodiscard]] std::string path(const std::string& name) const { return folder_ + "/" + name; }

    std::string make(const std::string& name = "kim.desk", Mebibytes size = default_size) {
        CreateOrder order;
        order.path = path(name);
        order.owner = "kim";
        order.size_bytes = size.bytes();
        const auto header = create(order);
        EXPECT_TRUE(header) << header.error().message();
        return order.path;
    }

    static void overwrite(const std::string& file, std::int64_t offset, std::size_t count,
                          char with = '\xa5') {
        const int fd = ::open(file.c_str(), O_WRONLY | O_CLOEXEC);
        const std::string bytes(count, with);
        EXPECT_EQ(::pwrite(fd, bytes.data(), count, offset), static_cast<ssize_t>(count));
        ::close(fd);
    }

    std::string folder_;
};

TEST_F(DeskImage, ANewDeskIsSparseCleanAndHasItsFolders) {
    const auto file = make();
    const auto image = Image::open(file, Access::look).value();
    EXPECT_EQ(image.header().owner, "kim");
    EXPECT_EQ(image.header().size_bytes, (32_GiB).bytes());
    EXPECT_EQ(fs::file_size(file), static_cast<std::uintmax_t>((32_GiB).bytes() + data_offset));
    EXPECT_LT(image.allocated_bytes().value(), (8_MiB).bytes());
    const auto superblock = image.superblock().value();
    EXPECT_EQ(superblock.size_bytes, (32_GiB).bytes());
    EXPECT_FALSE(superblock.needs_recovery);

    const auto report = check(file, {});
    ASSERT_TRUE(report) << report.error().message();
    EXPECT_EQ(report->verdict, Verdict::clean) << testing::PrintToString(report->findings);
    EXPECT_TRUE(report->findings.empty());

    const auto homes = list_files(file, "/fwd/home");
    ASSERT_TRUE(homes) << homes.error().message();
    EXPECT_THAT(*homes, Contains(ListedFile{"kim", "folder", 0700, 1000, 1000, 0}));
    const auto forwarded = list_files(file, "/fwd").value();
    EXPECT_THAT(forwarded, Contains(ListedFile{"home", "folder", 0755, 0, 0, 0}));
    EXPECT_THAT(forwarded, Contains(ListedFile{"usrlocal", "folder", 0755, 1000, 1000, 0}));
    EXPECT_THAT(list_files(file, "/").value(),
                Contains(ListedFile{"cow", "folder", 0755, 0, 0, 0}));
    EXPECT_EQ(list_files(file, "/fwd/nix").error().code, Errc::not_found);
    EXPECT_EQ(list_files(file, "fwd\"; quit").error().code, Errc::invalid_argument);
    // nothing half-made beside it
    EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 1);
}

TEST_F(DeskImage, TheSkeletonBecomesTheHome) {
    const auto skeleton = path("skel");
    fs::create_directories(skeleton + "/Documents");
    std::ofstream(skeleton + "/.profile") << "umask 022\n";
    fs::create_symlink("Documents", skeleton + "/docs");
    CreateOrder order{path("kim.desk"), "kim", (256_MiB).bytes(), 1234, 1235, skeleton};
    const auto made = create(order);
    ASSERT_TRUE(made) << made.error().message();
    const auto files = list_files(order.path, "/fwd/home/kim").value();
    EXPECT_THAT(
        files, Contains(AllOf(Field(&ListedFile::name, ".profile"), Field(&ListedFile::uid, 1234U),
                              Field(&ListedFile::gid, 1235U), Field(&ListedFile::size_bytes, 10))));
    EXPECT_THAT(files,
                Contains(AllOf(Field(&ListedFile::name, "docs"), Field(&ListedFile::kind, "link"),
                               Field(&ListedFile::uid, 1234U))));
    EXPECT_EQ(check(order.path, {}).value().verdict, Verdict::clean);

    std::ofstream(skeleton + "/bad\"name") << "x";
    order.path = path("two.desk");
    EXPECT_EQ(create(order).error().code, Errc::invalid_argument);
    EXPECT_FALSE(fs::exists(order.path));
}

TEST_F(DeskImage, CreateRefusesWhatCannotBe) {
    const auto file = make();
    CreateOrder order{file, "kim", (256_MiB).bytes(), 1000, 1000, ""};
    EXPECT_EQ(create(order).error().code, Errc::already_exists);
    order.path = path("no/such/folder.desk");
    EXPECT_EQ(create(order).error().code, Errc::not_found);
    order.path = path("b.desk");
    order.size_bytes = 1000;
    EXPECT_EQ(create(order).error().code, Errc::invalid_argument);
    order.size_bytes = (256_MiB).bytes();
    order.owner = "../kim";
    EXPECT_EQ(create(order).error().code, Errc::invalid_argument);
    EXPECT_FALSE(fs::exists(order.path));
}

TEST_F(DeskImage, ADamagedImageIsNamed) {
    const auto file = make("kim.desk", 256_MiB);
    overwrite(file, 100, 1);
    auto image = Image::open(file, Access::look);
    ASSERT_TRUE(image);
    ASSERT_EQ(image->warnings().size(), 1U);
    EXPECT_THAT(image->warnings().front(), HasSubstr("the first copy of its header is damaged"));

    overwrite(file, 512 * 1024 + 2000, 4);
    image = Image::open(file, Access::look);
    ASSERT_FALSE(image);
    EXPECT_EQ(image.error().code, Errc::corrupt);
    EXPECT_THAT(image.error().what, HasSubstr(file));

    const auto cut = make("cut.desk", 256_MiB);
    fs::resize_file(cut, 100'000'000);
    const auto report = check(cut, {});
    ASSERT_FALSE(report);
    EXPECT_EQ(report.error().code, Errc::corrupt);
    EXPECT_THAT(report.error().what, HasSubstr("cut short"));

    const auto other = path("text");
    std::ofstream(other) << "not a desk";
    EXPECT_EQ(Image::open(other, Access::look).error().code, Errc::corrupt);
    EXPECT_EQ(Image::open(folder_, Access::look).error().code, Errc::invalid_argument);
    EXPECT_EQ(Image::open(path("none"), Access::look).error().code, Errc::not_found);
}

TEST_F(DeskImage, ADamagedFileSystemIsFoundMarkedAndMended) {
    const auto file = make("kim.desk", 256_MiB);
    overwrite(file, data_offset + 4096, 4096); // the group descriptors
    CheckOrder order;
    order.mark = true;
    auto report = check(file, order);
    ASSERT_TRUE(report) << report.error().message();
    EXPECT_EQ(report->verdict, Verdict::damaged);
    EXPECT_FALSE(report->findings.empty());
    EXPECT_EQ(Image::open(file, Access::look).value().header().state, State::damaged);

    order.repair = true;
    report = check(file, order);
    ASSERT_TRUE(report) << report.error().message();
    EXPECT_EQ(report->verdict, Verdict::repaired) << testing::PrintToString(report->findings);
    EXPECT_EQ(Image::open(file, Access::look).value().header().state, State::ready);
    report = check(file, {});
    ASSERT_TRUE(report) << report.error().message();
    EXPECT_EQ(report->verdict, Verdict::clean);
    const auto homes = list_files(file, "/fwd/home");
    ASSERT_TRUE(homes) << homes.error().message();
    EXPECT_THAT(*homes, Contains(Field(&ListedFile::name, "kim")));
}

TEST_F(DeskImage, ADestroyedSuperblockIsFoundAndMendedFromItsCopies) {
    const auto file = make("kim.desk", 256_MiB);
    overwrite(file, data_offset + 1024, 1024);
    const auto image = Image::open(file, Access::look).value();
    EXPECT_EQ(image.superblock().error().code, Errc::corrupt);
    EXPECT_EQ(check(file, {}).value().verdict, Verdict::damaged);
    CheckOrder repair;
    repair.repair = true;
    const auto report = check(file, repair);
    ASSERT_TRUE(report) << report.error().message();
    EXPECT_EQ(report->verdict, Verdict::repaired) << testing::PrintToString(report->findings);
    EXPECT_TRUE(image.superblock());
}

TEST_F(DeskImage, TheHeaderIsRewrittenInPlace) {
    const auto file = make("kim.desk", 256_MiB);
    auto image = Image::open(file, Access::write).value();
    for (std::uint64_t i = 1; i <= 5; ++i) {
        auto header = image.header();
        header.largest_fence = FencingNumber{i};
        header.lease = {HolderKind::host, "host1", FencingNumber{i}, wall_now()};
        ASSERT_TRUE(image.change(header));
        const auto again = Image::open(file, Access::look).value();
        EXPECT_EQ(again.header(), header);
        EXPECT_TRUE(again.warnings().empty());
    }
}

TEST_F(DeskImage, TheSandboxKeepsTheProgramIn) {
    const auto file = make("kim.desk", 256_MiB);
    const auto run = [&](std::vector<std::string> words) {
        SandboxOrder order;
        order.words = std::move(words);
        order.image = file;
        auto finished = run_in_sandbox(order);
        EXPECT_TRUE(finished) << finished.error().message();
        return finished.value_or(process::Finished{-1, "", ""});
    };
    // sees /usr, the image and nothing of the machine
    EXPECT_EQ(run({"stat", "-c", "%s", "/desk"}).out,
              std::to_string((256_MiB).bytes() + data_offset) + "\n");
    EXPECT_NE(run({"stat", "/etc/passwd"}).status, 0);
    EXPECT_NE(run({"stat", folder_}).status, 0);
    // the image is read-only, and so is everything else
    EXPECT_NE(run({"truncate", "-s", "1", "/desk"}).status, 0);
    EXPECT_NE(run({"touch", "/x"}).status, 0);
    // no sockets, no processes, no mounts
    EXPECT_THAT(
        run({"perl", "-e", "use Socket; socket(my $s, AF_UNIX, SOCK_STREAM, 0) or die $!;"}).error,
        HasSubstr("Operation not permitted"));
    EXPECT_THAT(run({"perl", "-e", "defined(fork) or die $!;"}).error,
                HasSubstr("Operation not permitted"));
}

/// Holds the image as a storage daemon with a writable export does, for the time of its life.
class QemuHolder {
  public:
    QemuHolder(const std::string& file, const std::string& socket)
        : child_(process::Child::start(process::find_program("qemu-storage-daemon").value(),
                                       {"qemu-storage-daemon", "--blockdev",
                                        "driver=file,node-name=desk,locking=on,filename=" + file,
                                        "--nbd-server", "addr.type=unix,addr.path=" + socket,
                                        "--export", "type=nbd,id=e,node-name=desk,writable=on",
                                        "--chardev", "stdio,id=m", "--monitor", "m"},
                                       {})
                     .value()) {
        pollfd wait{child_.output.get(), POLLIN, 0};
        EXPECT_EQ(::poll(&wait, 1, 20'000), 1) << "no greeting from qemu-storage-daemon";
    }

  private:
    process::Child child_;
};

Result<process::Finished> qemu_write(const std::string& file) {
    process::Command command;
    command.words = {"qemu-io", "-f", "raw", "-c", "write 2M 4k", file};
    return process::run(command);
}

Result<process::Finished> qemu_read(const std::string& file) {
    process::Command command;
    command.words = {"qemu-io", "-r", "-f", "raw", "-c", "read 2M 4k", file};
    return process::run(command);
}

TEST_F(DeskImage, OurLocksKeepQemuOff) {
    const auto file = make("kim.desk", 256_MiB);
    {
        const auto image = Image::open(file, Access::write).value();
        EXPECT_THAT(qemu_write(file).value().error, HasSubstr("lock"));
        EXPECT_THAT(qemu_read(file).value().error, HasSubstr("lock"));
        EXPECT_EQ(Image::open(file, Access::read).error().code, Errc::busy);
        EXPECT_EQ(Image::open(file, Access::write).error().code, Errc::busy);
        EXPECT_TRUE(Image::open(file, Access::look)) << "the header may be read at any time";
    }
    {
        const auto image = Image::open(file, Access::read).value();
        EXPECT_THAT(qemu_write(file).value().error, HasSubstr("lock"));
        EXPECT_EQ(qemu_read(file).value().status, 0);
        EXPECT_TRUE(Image::open(file, Access::read)) << "readers share";
        EXPECT_EQ(Image::open(file, Access::write).error().code, Errc::busy);
    }
    EXPECT_EQ(qemu_write(file).value().status, 0);
}

TEST_F(DeskImage, QemusLocksKeepUsOff) {
    const auto file = make("kim.desk", 256_MiB);
    {
        const QemuHolder holder(file, path("nbd.sock"));
        EXPECT_EQ(Image::open(file, Access::write).error().code, Errc::busy);
        EXPECT_EQ(Image::open(file, Access::read).error().code, Errc::busy);
        EXPECT_EQ(check(file, {}).error().code, Errc::busy);
        EXPECT_TRUE(Image::open(file, Access::look));
    }
    EXPECT_TRUE(Image::open(file, Access::write));
}

} // namespace
} // namespace baton::desk
