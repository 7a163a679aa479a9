#include "osimage/build.h"
#include "osimage/hash.h"
#include "osimage/library.h"
#include "support/temporary_directory.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

namespace baton::osimage {
namespace {

namespace fs = std::filesystem;
using baton::testing::TemporaryDirectory;

void write(const std::string& path, const std::string& text) {
    std::ofstream(path, std::ios::binary) << text;
}

Manifest example() {
    Manifest manifest;
    manifest.id = OsImageId("tiny-3");
    manifest.name = "tiny";
    manifest.version = "3";
    manifest.description = "한 줄 \"quoted\"";
    manifest.created = "2026-01-02T03:04:05Z";
    manifest.kernel_arguments = "console=ttyS0 quiet";
    manifest.minimum_memory = Mebibytes(96);
    manifest.files = {{"disk.qcow2", 5, sha256_text("hello")}, {"kernel", 0, sha256_text("")}};
    return manifest;
}

TEST(Sha256, IsThatOfTheStandard) {
    EXPECT_EQ(sha256_text("abc"),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Manifest, ComesBackAsItWas) {
    EXPECT_EQ(manifest_from_json(to_json(example())).value(), example());
}

TEST(Manifest, AnyChangeIsFound) {
    const auto text = to_json(example());
    for (std::size_t at = 0; at + 1 < text.size(); ++at) { // the last byte is the newline
        auto damaged = text;
        damaged[at] = static_cast<char>(damaged[at] ^ 0x01);
        const auto result = manifest_from_json(damaged);
        // JSON allows some other bytes between tokens; everything else is noticed
        if (result)
            EXPECT_EQ(*result, example()) << at;
        else
            EXPECT_TRUE(result.error().code == Errc::corrupt ||
                        result.error().code == Errc::unsupported)
                << at;
    }
}

TEST(Manifest, NamesTheFieldThatIsWrong) {
    const auto message = [](const std::string& text) {
        const auto result = manifest_from_json(text);
        return result ? std::string("accepted") : result.error().message();
    };
    EXPECT_NE(message("").find("JSON"), std::string::npos);
    EXPECT_NE(message("[]").find("JSON"), std::string::npos);
    EXPECT_NE(message("{\"format\":1}").find("'id'"), std::string::npos);
    EXPECT_NE(message("{\"format\":2}").find("newer"), std::string::npos);
    EXPECT_NE(message("{\"format\":\"1\"}").find("'format'"), std::string::npos);
    EXPECT_NE(message(std::string(300 * 1024, ' ')).find("size"), std::string::npos);
    EXPECT_NE(message(std::string(100, '[')).find("JSON"), std::string::npos);
}

TEST(Manifest, RefusesFilesOutsideOfItsFolder) {
    auto manifest = example();
    manifest.files[1].name = "../../etc/passwd";
    const auto result = manifest_from_json(to_json(manifest));
    ASSERT_FALSE(result);
    EXPECT_NE(result.error().what.find("files.name"), std::string::npos);
    manifest = example();
    manifest.files[0].name = "kernel";
    EXPECT_FALSE(manifest_from_json(to_json(manifest)));
    manifest.id = OsImageId("other-3");
    EXPECT_FALSE(manifest_from_json(to_json(manifest)));
}

class LibraryTest : public ::testing::Test {
  protected:
    LibraryTest() : library(Library::open_folder(scratch.file("images")).value()) {}

    /// Publishes an image with a disk of 3 MB.
    Manifest publish(const std::string& name, const std::string& version = "",
                     const std::string& inputs = "") {
        auto workshop = library.workshop().value();
        write(workshop.folder() + "/disk.qcow2", std::string(3'000'000, 'd'));
        write(workshop.folder() + "/kernel", "kernel");
        write(workshop.folder() + "/recipe.json", "{}");
        Draft draft;
        draft.name = name;
        draft.version = version;
        draft.inputs_sha256 = inputs;
        draft.kernel_arguments = "quiet";
        return library.publish(std::move(workshop), draft).value();
    }

    [[nodiscard]] std::string path(const Manifest& image, const std::string& file) const {
        return library.folder() + "/" + image.id.value + "/" + file;
    }

    /// Writes one byte into a file of an image, leaving its mode, size and mtime as they were.
    void flip_byte(const std::string& file) const {
        struct stat before{};
        ASSERT_EQ(::stat(file.c_str(), &before), 0);
        ASSERT_EQ(::chmod(file.c_str(), 0644), 0);
        {
            std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
            stream.seekp(1'234'567);
            stream.put('X');
        }
        ASSERT_EQ(::chmod(file.c_str(), 0444), 0);
        const timespec times[] = {before.st_atim, before.st_mtim};
        ASSERT_EQ(::utimensat(AT_FDCWD, file.c_str(), times, 0), 0);
    }

    TemporaryDirectory scratch;
    Library library;
};

TEST_F(LibraryTest, PublishesReadOnlyHashedAndOpensWithoutHashingAgain) {
    const auto image = publish("tiny");
    EXPECT_EQ(image.id.value, "tiny-1");
    EXPECT_EQ(image.files.size(), 2U);
    EXPECT_EQ(library.show(image.id).value(), image);
    struct stat is{};
    ASSERT_EQ(::stat(path(image, "disk.qcow2").c_str(), &is), 0);
    EXPECT_EQ(is.st_mode & 07777U, 0444U);
    EXPECT_FALSE(fs::exists(path(image, "recipe.json")));

    bool hashed = false;
    const auto local = library.open(image.id, [&](auto, auto) { hashed = true; }).value();
    EXPECT_FALSE(hashed);
    EXPECT_EQ(local.disk, path(image, "disk.qcow2"));
    EXPECT_EQ(local.kernel, path(image, "kernel"));
    EXPECT_EQ(local.initrd, "");
    EXPECT_EQ(local.kernel_arguments, "quiet");
}

TEST_F(LibraryTest, HashesOnceAfterABoot) {
    const auto image = publish("tiny");
    // what another boot leaves behind: a record that begins with another boot's id
    write(library.folder() + "/.verified/" + image.id.value, "another boot\n");
    int hashed = 0;
    const auto count = [&](std::int64_t done, std::int64_t total) { hashed += done == total; };
    EXPECT_TRUE(library.open(image.id, count));
    EXPECT_EQ(hashed, 1);
    EXPECT_TRUE(library.open(image.id, count));
    EXPECT_EQ(hashed, 1);
}

TEST_F(LibraryTest, AFlippedByteIsFoundAlsoWithItsTimeSetBack) {
    const auto image = publish("tiny");
    flip_byte(path(image, "disk.qcow2"));
    for (const auto& result :
         {library.verify(image.id), library.open(image.id).map([](auto&&) {})}) {
        ASSERT_FALSE(result);
        EXPECT_EQ(result.error().code, Errc::corrupt);
        EXPECT_NE(result.error().what.find("disk.qcow2"), std::string::npos);
        EXPECT_NE(result.error().what.find("tiny-1"), std::string::npos);
    }
}

TEST_F(LibraryTest, ATruncatedFileIsNamed) {
    const auto image = publish("tiny");
    fs::resize_file(path(image, "kernel"), 3);
    const auto result = library.open(image.id);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::corrupt);
    EXPECT_NE(result.error().what.find("kernel of the OS image tiny-1 is 3 bytes"),
              std::string::npos);
}

TEST_F(LibraryTest, AMissingFileIsNamed) {
    const auto image = publish("tiny");
    fs::remove(path(image, "kernel"));
    const auto result = library.verify(image.id);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::corrupt);
    EXPECT_NE(result.error().what.find("kernel"), std::string::npos);
}

TEST_F(LibraryTest, AFileThatMayBeWrittenDoesNotServe) {
    const auto image = publish("tiny");
    ASSERT_EQ(::chmod(path(image, "disk.qcow2").c_str(), 0644), 0);
    const auto result = library.open(image.id);
    ASSERT_FALSE(result);
    EXPECT_NE(result.error().what.find("mode is not 0444"), std::string::npos);
}

TEST_F(LibraryTest, ALinkInPlaceOfAFileDoesNotServe) {
    const auto image = publish("tiny");
    fs::rename(path(image, "disk.qcow2"), scratch.file("elsewhere"));
    fs::create_symlink(scratch.file("elsewhere"), path(image, "disk.qcow2"));
    EXPECT_FALSE(library.open(image.id));
}

TEST_F(LibraryTest, ADamagedManifestIsARowOfTheListing) {
    const auto good = publish("alpha");
    const auto bad = publish("beta");
    const auto file = path(bad, "manifest.json");
    std::error_code ignored;
    fs::remove(file, ignored);
    write(file, "{\"format\": 1}");
    const auto rows = library.list().value();
    ASSERT_EQ(rows.size(), 2U);
    EXPECT_EQ(rows[0].manifest, good);
    EXPECT_FALSE(rows[1].manifest);
    ASSERT_TRUE(rows[1].fault);
    EXPECT_EQ(rows[1].fault->code, Errc::corrupt);
    EXPECT_TRUE(library.remove(bad.id)) << "a damaged image must not stay for ever";
    EXPECT_EQ(library.list().value().size(), 1U);
}

TEST_F(LibraryTest, VersionsAreNeverUsedTwice) {
    const auto first = publish("tiny");
    const auto second = publish("tiny");
    EXPECT_EQ(second.id.value, "tiny-2");
    EXPECT_EQ(library.resolve("tiny").value().id, second.id);
    EXPECT_EQ(library.resolve("tiny-1").value().id, first.id);
    ASSERT_TRUE(library.remove(second.id));
    EXPECT_EQ(library.resolve("tiny").value().id, first.id);
    EXPECT_EQ(publish("tiny").id.value, "tiny-3");
    publish("tiny", "20.x");
    EXPECT_EQ(publish("tiny").id.value, "tiny-4");
}

TEST_F(LibraryTest, SameVersionTwiceIsRefusedAndLeavesNothing) {
    publish("tiny", "7");
    auto workshop = library.workshop().value();
    const auto folder = workshop.folder();
    write(folder + "/disk.qcow2", "x");
    Draft draft;
    draft.name = "tiny";
    draft.version = "7";
    const auto result = library.publish(std::move(workshop), draft);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::already_exists);
    EXPECT_FALSE(fs::exists(folder));
}

TEST_F(LibraryTest, UnknownImageSaysWhatThereIs) {
    publish("tiny");
    const auto result = library.resolve("windows");
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::not_found);
    EXPECT_NE(result.error().hint.find("tiny-1"), std::string::npos);
    EXPECT_EQ(library.remove(OsImageId("windows-1")).error().code, Errc::not_found);
    EXPECT_EQ(library.show(OsImageId("../etc")).error().code, Errc::invalid_argument);
}

TEST_F(LibraryTest, IsNotRemovedWhileHeld) {
    const auto image = publish("tiny");
    {
        const auto hold = library.hold(image.id).value();
        const auto another = library.hold(image.id).value();
        EXPECT_EQ(library.remove(image.id).error().code, Errc::busy);
    }
    const auto used = [](const OsImageId&) { return std::optional<std::string>("session s-1"); };
    const auto result = library.remove(image.id, used);
    ASSERT_FALSE(result);
    EXPECT_NE(result.error().what.find("session s-1"), std::string::npos);
    EXPECT_TRUE(library.remove(image.id));
    EXPECT_EQ(library.hold(image.id).error().code, Errc::not_found);
    EXPECT_TRUE(fs::is_empty(library.folder() + "/.verified"));
}

TEST_F(LibraryTest, WhatAKilledBuildLeftIsSweptAway) {
    fs::create_directories(library.folder() + "/.new-abcdef/sub");
    fs::create_directories(library.folder() + "/.removed-tiny-1");
    const auto workshop = library.workshop().value();
    EXPECT_FALSE(fs::exists(library.folder() + "/.new-abcdef"));
    EXPECT_FALSE(fs::exists(library.folder() + "/.removed-tiny-1"));
}

TEST_F(LibraryTest, FolderThatIsAFileIsRefused) {
    write(scratch.file("file"), "");
    const auto result = Library::open_folder(scratch.file("file"));
    ASSERT_FALSE(result);
    EXPECT_NE(result.error().what.find("file"), std::string::npos);
}

TEST(Recipe, ProgressLinesAreRead) {
    int percent = -1;
    std::string text;
    EXPECT_TRUE(parse_progress("progress: 40 installing \x1b[1mpackages", percent, text));
    EXPECT_EQ(percent, 40);
    EXPECT_EQ(text, "installing [1mpackages");
    EXPECT_TRUE(parse_progress("progress: 100", percent, text));
    for (const auto* line : {"progress: 101 x", "progress: -1 x", "progress: x", "progress:40 x",
                             "", "progress: 4x", "progress: 99999999999 x"})
        EXPECT_FALSE(parse_progress(line, percent, text)) << line;
}

TEST(Recipe, ItsCommandHasNamespacesOfItsOwn) {
    BuildSettings settings;
    settings.recipe = "tiny";
    settings.recipes_folder = "/r";
    settings.guest_binary = "/g";
    settings.cache_folder = "/c";
    EXPECT_EQ(process::shown(recipe_command(settings, "/o", "4")),
              "unshare --mount --propagation private --pid --fork --kill-child=SIGKILL "
              "--mount-proc /r/tiny --output /o --guest-binary /g --cache /c --version 4");
}

TEST(Recipe, ItsDescriptionIsRead) {
    const auto draft = draft_from_recipe_json(
        R"({"description":"d","kernel_arguments":"k","firmware":"bios","minimum_memory_mib":96,)"
        R"("has_guest_agent":true})");
    ASSERT_TRUE(draft) << draft.error().message();
    EXPECT_EQ(draft->minimum_memory, 96_MiB);
    const auto wrong = draft_from_recipe_json(
        R"({"description":"d","kernel_arguments":"k","firmware":"bios","minimum_memory_mib":"96"})");
    ASSERT_FALSE(wrong);
    EXPECT_NE(wrong.error().what.find("minimum_memory_mib"), std::string::npos);
}

class BuildTest : public ::testing::Test {
  protected:
    BuildTest() : library(Library::open_folder(scratch.file("images")).value()) {
        fs::create_directories(scratch.file("recipes/common"));
        recipe("echo 'progress: 50 half'; echo disk >$out/disk.qcow2");
        write(scratch.file("guest"), "guest program");
        settings.recipe = "made-up";
        settings.recipes_folder = scratch.file("recipes");
        settings.guest_binary = scratch.file("guest");
        settings.cache_folder = scratch.file("cache");
    }

    /// A recipe that does `what` and describes itself.
    void recipe(const std::string& what) const {
        const auto file = scratch.file("recipes/made-up");
        write(file, "#!/bin/sh\nset -e\nout=$2\n" + what +
                        "\ncat >$out/recipe.json <<X\n"
                        R"({"description":"made up","kernel_arguments":"","firmware":"bios",)"
                        R"("minimum_memory_mib":64,"has_guest_agent":false})"
                        "\nX\n");
        ASSERT_EQ(::chmod(file.c_str(), 0755), 0);
    }

    /// Nothing of a build that came to nothing may stay in the library.
    void expect_empty_library() const {
        for (const auto& entry : fs::directory_iterator(library.folder()))
            EXPECT_TRUE(entry.path().filename() == ".lock") << entry.path();
    }

    TemporaryDirectory scratch;
    Library library;
    BuildSettings settings;
};

TEST_F(BuildTest, PublishesWhatTheRecipeMadeAndTellsHowFarItIs) {
    std::vector<std::string> told;
    settings.progress = [&](int percent, const std::string& text) {
        told.push_back(std::to_string(percent) + " " + text);
    };
    const auto built = build(library, settings);
    ASSERT_TRUE(built) << built.error().message();
    EXPECT_FALSE(built->unchanged);
    EXPECT_EQ(built->manifest.id.value, "made-up-1");
    EXPECT_EQ(built->manifest.minimum_memory, 64_MiB);
    ASSERT_FALSE(told.empty());
    EXPECT_EQ(told.front(), "50 half");
}

TEST_F(BuildTest, NothingChangedGivesTheSameImage) {
    ASSERT_TRUE(build(library, settings));
    const auto again = build(library, settings).value();
    EXPECT_TRUE(again.unchanged);
    EXPECT_EQ(again.manifest.id.value, "made-up-1");

    write(scratch.file("recipes/other.d"), "of another recipe");
    EXPECT_TRUE(build(library, settings).value().unchanged);
    write(scratch.file("recipes/common/lib.sh"), "shared");
    EXPECT_EQ(build(library, settings).value().manifest.id.value, "made-up-2");
    write(scratch.file("guest"), "a newer guest program");
    EXPECT_EQ(build(library, settings).value().manifest.id.value, "made-up-3");
    settings.again = true;
    EXPECT_EQ(build(library, settings).value().manifest.id.value, "made-up-4");
}

TEST_F(BuildTest, AFailingRecipeLeavesItsWordsAndNothingElse) {
    recipe("echo half >$out/disk.qcow2; echo 'no space for cats' >&2; exit 7");
    const auto result = build(library, settings);
    ASSERT_FALSE(result);
    EXPECT_NE(result.error().what.find("no space for cats"), std::string::npos);
    EXPECT_NE(result.error().hint.find("build-made-up.log"), std::string::npos);
    expect_empty_library();
}

TEST_F(BuildTest, ACancelledBuildEndsAllItStarted) {
    int ends[2] = {};
    ASSERT_EQ(::pipe(ends), 0);
    // a file lock tells whether anything of the recipe lives on
    write(scratch.file("alive"), "");
    recipe("exec 9<" + (scratch.file("alive")) +
           "; flock 9; sleep 100 & echo 'progress: 1 on'; wait");
    settings.progress = [&](int, const std::string&) { ASSERT_EQ(::write(ends[1], "x", 1), 1); };
    settings.cancel_fd = ends[0];
    const auto result = build(library, settings);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::cancelled);
    expect_empty_library();
    EXPECT_TRUE(wait_lock(scratch.file("alive")));
    ::close(ends[0]);
    ::close(ends[1]);
}

TEST_F(BuildTest, UnknownRecipeSaysWhichThereAre) {
    settings.recipe = "windows";
    const auto result = build(library, settings);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::not_found);
    EXPECT_NE(result.error().hint.find("made-up"), std::string::npos);
}

TEST_F(BuildTest, MissingGuestProgramIsNamed) {
    settings.guest_binary = scratch.file("nowhere");
    EXPECT_NE(build(library, settings).error().what.find("nowhere"), std::string::npos);
}

} // namespace
} // namespace baton::osimage
