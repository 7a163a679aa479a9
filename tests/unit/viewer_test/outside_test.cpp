#include "viewer/outside.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

namespace baton::viewer {
namespace {

namespace fs = std::filesystem;

struct Outside : ::testing::Test {
    fs::path folder = fs::temp_directory_path() / ("baton-outside." + std::to_string(::getpid()));

    void SetUp() override { fs::create_directory(folder); }

    void TearDown() override { fs::remove_all(folder); }

    /// As busybox's mv does, with a time of its own: a file system's clock is coarse.
    void put(const std::string& text, int second) {
        std::ofstream(folder / "new") << text;
        fs::last_write_time(folder / "new", fs::file_time_type(std::chrono::seconds(second)));
        fs::rename(folder / "new", folder / "message");
    }
};

TEST_F(Outside, AMessageIsToldOnceForEachTimeItIsPutThere) {
    MessageFile file((folder / "message").string());
    EXPECT_EQ(file.look(), std::nullopt);
    put("Lunch at one: 점심\nsecond line\n", 1);
    EXPECT_EQ(file.look(), "Lunch at one: 점심");
    EXPECT_EQ(file.look(), std::nullopt);
    put("\n", 2);
    EXPECT_EQ(file.look(), "");
    put("\x1b[2Jbell\a\n", 3);
    EXPECT_EQ(file.look(), "[2Jbell");
    put(std::string(100'000, 'x'), 4);
    EXPECT_EQ(file.look()->size(), MessageFile::longest);
    fs::remove(folder / "message");
    EXPECT_EQ(file.look(), std::nullopt);
    EXPECT_EQ(MessageFile("").look(), std::nullopt);
}

TEST_F(Outside, APhaseIsALineForWhoeverReads) {
    const std::string fifo = (folder / "phases").string();
    ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
    const PhaseReport report(fifo);
    report.tell("login"); // nobody reads, and nobody waits
    const int reader = ::open(fifo.c_str(), O_RDONLY | O_NONBLOCK);
    ASSERT_GE(reader, 0);
    report.tell("first_frame");
    std::string text(256, '\0');
    text.resize(static_cast<std::size_t>(std::max<ssize_t>(::read(reader, text.data(), 256), 0)));
    ::close(reader);
    ASSERT_TRUE(text.starts_with("first_frame "));
    EXPECT_GT(std::atoll(text.c_str() + 12), 0);
    EXPECT_EQ(text.find('\n'), text.size() - 1);
    PhaseReport("").tell("login");
    PhaseReport((folder / "none").string()).tell("login");
    EXPECT_FALSE(fs::exists(folder / "none"));
}

} // namespace
} // namespace baton::viewer
