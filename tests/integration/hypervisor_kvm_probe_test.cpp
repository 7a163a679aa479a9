#include "hypervisor/kvm_probe.h"
#include "support/temporary_directory.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace baton::hypervisor {

using namespace std::chrono_literals;

namespace {

int status_of(const std::string& boot_sector, std::chrono::milliseconds deadline) {
    const testing::TemporaryDirectory folder;
    const std::string file = folder.file("boot");
    std::string image = boot_sector;
    image.resize(1024UL * 1024);
    std::ofstream(file, std::ios::binary) << image;
    const auto done = process::run(probe_command("tcg", file, deadline));
    return done ? done->status : -static_cast<int>(done.error().code);
}

} // namespace

TEST(KvmProbe, TheGuestIsABootSectorThatReachesItsEndUnderEmulation) {
    const std::string sector = probe_boot_sector();
    ASSERT_EQ(sector.size(), 512U);
    EXPECT_EQ(static_cast<unsigned char>(sector[510]), 0x55);
    EXPECT_EQ(static_cast<unsigned char>(sector[511]), 0xaa);
    EXPECT_EQ(status_of(sector, 60s), probe_reached_end);
}

TEST(KvmProbe, AGuestThatHangsIsNotTakenForOneThatWorks) {
    std::string sector = probe_boot_sector();
    sector[0] = '\xeb'; // jmp to itself
    sector[1] = '\xfe';
    EXPECT_EQ(status_of(sector, 2s), -static_cast<int>(Errc::timeout));
}

TEST(KvmProbe, TheAnswerHasAReasonAndIsRememberedForThisBoot) {
    const testing::TemporaryDirectory folder;
    const std::string cache = folder.file("acceleration.json");
    const Acceleration answer = probe_kvm_once(cache, folder.path(), 5s);
    EXPECT_TRUE(answer.reason.starts_with(answer.kvm ? "KVM: " : "emulation: ")) << answer.reason;
    EXPECT_FALSE(std::filesystem::exists(folder.file("kvm-probe")));
    EXPECT_EQ(answer.kvm, probe_kvm(folder.path(), 5s).kvm);

    // what is remembered is what is answered, and only for its key
    std::string text;
    std::getline(std::ifstream(cache), text);
    const std::size_t at = text.find(answer.reason);
    ASSERT_NE(at, std::string::npos) << text;
    std::ofstream(cache) << text.replace(at, answer.reason.size(), "remembered");
    EXPECT_EQ(probe_kvm_once(cache, folder.path(), 5s).reason, "remembered");
    const std::size_t key = text.find("\"key\":\"");
    std::ofstream(cache) << text.insert(key + 7, "another kernel ");
    EXPECT_NE(probe_kvm_once(cache, folder.path(), 5s).reason, "remembered");
    std::ofstream(cache) << "{";
    EXPECT_NE(probe_kvm_once(cache, folder.path(), 5s).reason, "remembered");
}

} // namespace baton::hypervisor
