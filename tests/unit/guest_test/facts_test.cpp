#include "guest/facts.h"
#include "guest/utf8.h"
#include "support/temporary_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <fstream>
#include <vector>

namespace {

using namespace baton;
using namespace baton::guest;
namespace fs = std::filesystem;

/// A /sys with a few devices in it.
class FakeSys {
  public:
    void put(const std::string& path, const std::string& text) {
        fs::create_directories((folder_.path() / path).parent_path());
        std::ofstream(folder_.path() / path) << text;
    }

    [[nodiscard]] const fs::path& path() const { return folder_.path(); }

  private:
    baton::testing::TemporaryDirectory folder_;
};

TEST(GuestFacts, FindsTheDiskByItsWholeSerial) {
    FakeSys sys;
    sys.put("block/vda/size", "2048\n"); // a disk without a serial
    sys.put("block/vdb/serial", "desk-71\n");
    sys.put("block/vdc/serial", "desk-7\n");
    sys.put("block/loop0/size", "0\n");
    EXPECT_EQ(find_disk(sys.path(), "desk-7"), "/dev/vdc");
    EXPECT_EQ(find_disk(sys.path(), "desk-71"), "/dev/vdb");
    EXPECT_EQ(find_disk(sys.path(), "desk"), std::nullopt);
    EXPECT_EQ(find_disk(sys.path(), ""), std::nullopt) << "disks without a serial are not meant";
    EXPECT_EQ(find_disk(sys.path() / "nowhere", "desk-7"), std::nullopt);
}

TEST(GuestFacts, FindsThePortByItsName) {
    FakeSys sys;
    sys.put("class/virtio-ports/vport0p1/name", "org.qemu.guest_agent.0\n");
    sys.put("class/virtio-ports/vport0p2/name", "org.baton.guest.0\n");
    EXPECT_EQ(find_port(sys.path(), "org.baton.guest.0"), "/dev/vport0p2");
    EXPECT_EQ(find_port(sys.path(), "org.baton.guest.1"), std::nullopt);
}

TEST(GuestFacts, AddsUpTheMemory) {
    // q35 with 512 MiB, as its kernel shows it
    EXPECT_EQ(memory_from_iomem("00000000-00000fff : Reserved\n"
                                "00001000-0009fbff : System RAM\n"
                                "000f0000-000fffff : System ROM\n"
                                "00100000-1ffdffff : System RAM\n"
                                "  01000000-01e02e9f : Kernel code\n"
                                "1ffe0000-1fffffff : Reserved\n"),
              512_MiB);
    // 4 GiB: 2 GiB below the hole for devices, 2 above; and memory that was plugged in
    EXPECT_EQ(memory_from_iomem("00001000-0009fbff : System RAM\n"
                                "00100000-7ffdffff : System RAM\n"
                                "100000000-17fffffff : System RAM\n"),
              4_GiB);
    EXPECT_EQ(memory_from_iomem("00100000-1ffdffff : System RAM\n"
                                "240000000-27fffffff : virtio0\n"
                                "  240000000-25fffffff : System RAM (virtio_mem)\n"),
              1_GiB);
    // who is not root sees zeros
    EXPECT_EQ(memory_from_iomem("00000000-00000000 : System RAM\n"), Mebibytes(0));
    EXPECT_EQ(memory_from_iomem(""), Mebibytes(0));
    EXPECT_EQ(memory_from_iomem("x-y : System RAM\n : System RAM\n1 : System RAM"), Mebibytes(0));
}

TEST(GuestFacts, AnyTextIsReadAsSomeMemory) {
    EXPECT_TRUE(rc::check([](const std::string& text) {
        RC_ASSERT(memory_from_iomem(text).count >= 0);
        RC_ASSERT(memory_from_iomem("0-fff : System RAM\n" + text).count >= 8);
    }));
}

class Superblock {
  public:
    Superblock() {
        set(0x38, 0x53);
        set(0x39, 0xEF);
        set(0x3A, 1);    // state: clean
        set(0x60, 0x42); // incompatible features: extents, file types
    }

    Superblock& set(std::size_t at, unsigned value) {
        bytes_.at(1024 + at) = static_cast<std::byte>(value);
        return *this;
    }

    [[nodiscard]] Result<bool> look() const { return ext4_is_clean(bytes_); }

  private:
    std::vector<std::byte> bytes_ = std::vector<std::byte>(ext4_probe_bytes);
};

TEST(GuestFacts, KnowsACleanExt4FromOneToCheck) {
    EXPECT_EQ(Superblock().look(), true);
    EXPECT_EQ(Superblock().set(0x3A, 0).look(), false) << "mounted when its machine went";
    EXPECT_EQ(Superblock().set(0x3A, 3).look(), false) << "errors noted";
    EXPECT_EQ(Superblock().set(0x60, 0x46).look(), false) << "the journal is to be replayed";
}

TEST(GuestFacts, RefusesWhatIsNoExt4) {
    EXPECT_EQ(Superblock().set(0x38, 0).look().error().code, Errc::corrupt);
    EXPECT_EQ(Superblock().set(0x60, 0x02).look().error().code, Errc::corrupt) << "ext3";
    EXPECT_FALSE(ext4_is_clean({}));
}

TEST(GuestFacts, HostNames) {
    for (const char* good : {"d-1", "Desk.example", "a", "9"})
        EXPECT_TRUE(is_hostname(good)) << good;
    for (const char* bad : {"", "-a", "a-", ".a", "a.", "a b", "a/b", "a\n", "책상"})
        EXPECT_FALSE(is_hostname(bad)) << bad;
    EXPECT_FALSE(is_hostname(std::string(64, 'a')));
}

TEST(GuestFacts, Seeds) {
    EXPECT_EQ(seed_bytes(std::string(64, '0')), std::string(32, '\0'));
    EXPECT_EQ(seed_bytes(std::string(62, '0') + "fF")->back(), '\xff');
    for (const std::string& bad : {std::string(), std::string(62, '0'), std::string(63, '0') + "g",
                                   std::string(62, '0') + "-1", std::string(66, '0')})
        EXPECT_EQ(seed_bytes(bad), std::nullopt) << bad;
}

TEST(Wrap, BreaksAtSpacesAndCountsWideCharactersTwice) {
    using Lines = std::vector<std::u32string>;
    EXPECT_EQ(wrap("one two three", 7), (Lines{U"one two", U"three"}));
    EXPECT_EQ(wrap("one two three", 8), (Lines{U"one two", U"three"}));
    EXPECT_EQ(wrap("abcdefghij", 4), (Lines{U"abcd", U"efgh", U"ij"}));
    EXPECT_EQ(wrap("책상이 옮겨집니다", 8), (Lines{U"책상이", U"옮겨집니", U"다"}));
    EXPECT_EQ(wrap("", 8), Lines{});
    EXPECT_EQ(wrap("a\nb", 8), (Lines{U"a b"}));
}

TEST(Wrap, NoLineIsTooLongAndNothingButSpacesIsLost) {
    EXPECT_TRUE(rc::check([] {
        const auto text = *rc::gen::container<std::string>(
            rc::gen::element('a', 'b', ' ', '\xEA', '\xB0', '\x80'));
        const int columns = *rc::gen::inRange(2, 12);
        std::u32string joined;
        for (const std::u32string& line : wrap(text, columns)) {
            int used = 0;
            for (const char32_t point : line)
                used += columns_of(point);
            RC_ASSERT(used <= columns);
            joined += line;
        }
        std::u32string wanted = code_points(text);
        std::erase(wanted, U' ');
        std::erase(joined, U' ');
        RC_ASSERT(joined == wanted);
    }));
}

} // namespace
