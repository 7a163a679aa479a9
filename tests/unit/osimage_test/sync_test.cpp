#include "osimage/hash.h"
#include "osimage/sync.h"
#include "support/temporary_directory.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sys/stat.h>

namespace baton::osimage {
namespace {

namespace fs = std::filesystem;

/// A boot server that can be told to misbehave; counts the bytes that it sent.
struct Source {
    std::map<std::string, std::string> files{{"disk.qcow2", std::string(2'000'000, 'd')},
                                             {"kernel", "kernel"}};
    std::size_t cut_after = std::string::npos; ///< the connection drops, once
    int damaged_answers = 0;                   ///< this many files come with a flipped byte
    std::size_t sent = 0;

    [[nodiscard]] Manifest manifest() const {
        Manifest manifest;
        manifest.id = OsImageId("tiny-1");
        manifest.name = "tiny";
        manifest.version = "1";
        manifest.created = "2026-01-01T00:00:00Z";
        for (const auto& [name, text] : files)
            manifest.files.push_back(
                {name, static_cast<std::int64_t>(text.size()), sha256_text(text)});
        return manifest;
    }

    Result<void> fetch(const std::string& name, const std::string& path) {
        std::error_code missing;
        const auto size = fs::file_size(path, missing);
        auto rest = files.at(name).substr(missing ? 0 : size);
        if (damaged_answers > 0) {
            --damaged_answers;
            rest.back() = static_cast<char>(rest.back() ^ 1);
        }
        const bool cut = rest.size() > cut_after;
        if (cut)
            rest.resize(std::exchange(cut_after, std::string::npos));
        std::ofstream(path, std::ios::binary | std::ios::app) << rest;
        sent += rest.size();
        if (cut)
            return fail(Errc::unavailable, "the connection was cut");
        return {};
    }

    Fetch as_fetch() {
        return
            [this](const std::string& name, const std::string& path) { return fetch(name, path); };
    }
};

class SyncTest : public ::testing::Test {
  protected:
    SyncTest() : library(Library::open_folder(scratch.file("images")).value()) {}

    testing::TemporaryDirectory scratch;
    Library library;
    Source source;
};

TEST_F(SyncTest, BringsAnImageOnceAndVerified) {
    const auto image = sync(library, source.manifest(), source.as_fetch());
    ASSERT_TRUE(image) << image.error().message();
    EXPECT_TRUE(library.verify(image->id));
    EXPECT_EQ(library.show(image->id).value(), source.manifest());
    EXPECT_EQ(source.sent, 2'000'006U);
    EXPECT_TRUE(sync(library, source.manifest(), source.as_fetch()));
    EXPECT_EQ(source.sent, 2'000'006U);
    for (const auto& entry : fs::directory_iterator(library.folder()))
        EXPECT_FALSE(entry.path().filename().string().starts_with(".partial")) << entry.path();
}

TEST_F(SyncTest, GoesOnWhereItWasCutOff) {
    source.cut_after = 1'500'000;
    const auto cut = sync(library, source.manifest(), source.as_fetch());
    ASSERT_FALSE(cut);
    EXPECT_EQ(cut.error().code, Errc::unavailable);
    EXPECT_NE(cut.error().what.find("disk.qcow2"), std::string::npos);
    EXPECT_TRUE(library.list().value().empty()) << "shown before it is whole";
    EXPECT_TRUE(sync(library, source.manifest(), source.as_fetch()));
    EXPECT_EQ(source.sent, 2'000'006U);
}

TEST_F(SyncTest, FetchesADamagedFileOnceMore) {
    source.damaged_answers = 1;
    EXPECT_TRUE(sync(library, source.manifest(), source.as_fetch()));
    EXPECT_EQ(source.sent, 4'000'006U);
}

TEST_F(SyncTest, NamesAFileThatStaysDamaged) {
    source.damaged_answers = 2;
    const auto result = sync(library, source.manifest(), source.as_fetch());
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::corrupt);
    EXPECT_NE(result.error().what.find("disk.qcow2"), std::string::npos);
    EXPECT_TRUE(library.list().value().empty());
    EXPECT_TRUE(sync(library, source.manifest(), source.as_fetch())) << "it must be able to heal";
}

TEST_F(SyncTest, AnAnswerThatEndsEarlyWithoutAnErrorIsNotBelieved) {
    const auto stingy = [](const std::string&, const std::string& path) -> Result<void> {
        std::ofstream(path, std::ios::binary) << "x";
        return {};
    };
    EXPECT_EQ(sync(library, source.manifest(), stingy).error().code, Errc::corrupt);
}

TEST_F(SyncTest, ReplacesADamagedImageAndAnotherContent) {
    ASSERT_TRUE(sync(library, source.manifest(), source.as_fetch()));
    fs::remove(library.folder() + "/tiny-1/kernel");
    EXPECT_TRUE(sync(library, source.manifest(), source.as_fetch()));
    EXPECT_TRUE(library.verify(OsImageId("tiny-1")));
    source.files["kernel"] = "another kernel";
    EXPECT_TRUE(sync(library, source.manifest(), source.as_fetch()));
    EXPECT_EQ(library.show(OsImageId("tiny-1")).value(), source.manifest());
}

TEST_F(SyncTest, LeavesAnotherContentAloneWhileItIsInUse) {
    ASSERT_TRUE(sync(library, source.manifest(), source.as_fetch()));
    const auto hold = library.hold(OsImageId("tiny-1")).value();
    source.files["kernel"] = "another kernel";
    EXPECT_EQ(sync(library, source.manifest(), source.as_fetch()).error().code, Errc::conflict);
    EXPECT_TRUE(library.verify(OsImageId("tiny-1")));
}

TEST_F(SyncTest, RefusesWhatTheDiskCannotHold) {
    auto manifest = source.manifest();
    manifest.files[0].size_bytes = std::int64_t{1} << 60;
    const auto result = sync(library, manifest, source.as_fetch());
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::full);
    EXPECT_EQ(source.sent, 0U);
}

TEST_F(SyncTest, RefusesAManifestThatWouldWriteElsewhere) {
    auto manifest = source.manifest();
    manifest.id = OsImageId("../../outside-1");
    EXPECT_EQ(sync(library, manifest, source.as_fetch()).error().code, Errc::corrupt);
    manifest = source.manifest();
    manifest.files[1].name = "../kernel";
    EXPECT_EQ(sync(library, manifest, source.as_fetch()).error().code, Errc::corrupt);
    EXPECT_EQ(source.sent, 0U);
}

} // namespace
} // namespace baton::osimage
