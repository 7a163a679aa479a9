#include "netboot/build.h"
#include "netboot/folder.h"
#include "support/temporary_directory.h"
#include "unit/netboot_test/settings.h"

#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

#include <filesystem>
#include <fstream>

namespace baton::netboot::testing {
namespace {

namespace fs = std::filesystem;
using baton::testing::TemporaryDirectory;

std::string text_of(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

struct FolderTest : ::testing::Test {
    TemporaryDirectory directory;
    Folder folder = Folder::open(directory.file("netboot")).value();

    Manifest publish(const std::string& content, const std::string& created) {
        auto workshop = folder.workshop().value();
        for (const auto name : image_files)
            std::ofstream(workshop.folder() + "/" + std::string(name)) << content << name;
        std::ofstream(workshop.folder() + "/client.json") << "not for publishing";
        Manifest draft;
        draft.created = created;
        draft.kernel_arguments = "quiet";
        return folder.publish(std::move(workshop), draft).value();
    }

    std::string current() { return folder.current().value()->id; }
};

TEST_F(FolderTest, AnImageIsNamedByItsContentAndIsCurrent) {
    EXPECT_FALSE(folder.current().value());
    const auto first = publish("one", "2026-11-01T00:00:00Z");
    EXPECT_TRUE(is_image_id(first.id));
    EXPECT_EQ(current(), first.id);
    const auto again = publish("one", "2026-11-02T00:00:00Z");
    EXPECT_EQ(again, first) << "the same content is the same image";
    const auto second = publish("two", "2026-11-03T00:00:00Z");
    EXPECT_NE(second.id, first.id);
    EXPECT_EQ(current(), second.id);
    EXPECT_EQ(folder.list().value().size(), 2);
    EXPECT_FALSE(fs::exists(folder.path() + "/images/" + first.id + "/client.json"));
    EXPECT_TRUE(folder.verify(first));
}

TEST_F(FolderTest, OneCommandGoesBackAndForth) {
    const auto first = publish("one", "2026-11-01T00:00:00Z");
    EXPECT_EQ(folder.roll_back("").error().code, Errc::not_found);
    const auto second = publish("two", "2026-11-02T00:00:00Z");
    ASSERT_TRUE(folder.write(own_range()));
    EXPECT_THAT(text_of(folder.path() + "/boot.ipxe"), ::testing::HasSubstr(second.id));
    EXPECT_EQ(folder.roll_back("").value(), first);
    EXPECT_EQ(current(), first.id);
    EXPECT_THAT(text_of(folder.path() + "/boot.ipxe"), ::testing::HasSubstr(first.id));
    EXPECT_EQ(folder.roll_back(second.id).value(), second);
    EXPECT_EQ(current(), second.id);
    EXPECT_EQ(folder.remove(second.id).error().code, Errc::busy);
    EXPECT_TRUE(folder.remove(first.id));
    EXPECT_EQ(folder.roll_back(first.id).error().code, Errc::not_found);
}

TEST_F(FolderTest, ADamagedImageIsNotGoneBackTo) {
    const auto first = publish("one", "2026-11-01T00:00:00Z");
    const auto second = publish("two", "2026-11-02T00:00:00Z");
    const auto root = folder.path() + "/images/" + first.id + "/root.squashfs";
    fs::permissions(root, fs::perms::owner_write, fs::perm_options::add);
    std::ofstream(root) << "else";
    EXPECT_EQ(folder.roll_back("").error().code, Errc::corrupt);
    EXPECT_EQ(current(), second.id);
}

TEST_F(FolderTest, AWorkshopThatIsNotPublishedIsGone) {
    std::string path;
    {
        const auto workshop = folder.workshop().value();
        path = workshop.folder();
        EXPECT_TRUE(fs::exists(path));
    }
    EXPECT_FALSE(fs::exists(path));
}

TEST_F(FolderTest, SettingsThatAreWrongChangeNothing) {
    publish("one", "2026-11-01T00:00:00Z");
    EXPECT_EQ(folder.settings().value(), Settings{});
    ASSERT_TRUE(folder.write(own_range()));
    auto wrong = own_range();
    wrong.interfaces = {"*"};
    EXPECT_FALSE(folder.write(wrong));
    EXPECT_EQ(folder.settings().value(), own_range());
}

TEST_F(FolderTest, NothingButBootFilesIsGivenOut) {
    const auto image = publish("one", "2026-11-01T00:00:00Z");
    EXPECT_EQ(folder.served("images/" + image.id + "/kernel").value(),
              folder.path() + "/images/" + image.id + "/kernel");
    EXPECT_TRUE(folder.served("boot.ipxe"));
    EXPECT_TRUE(folder.served("loaders/undionly.kpxe"));
    for (const std::string path :
         {"", "/", "settings.json", ".lock", "images", "images/", "images/../settings.json",
          "../../etc/passwd", "images/client-0123456789ab/../../settings.json", "current/kernel",
          "boot.ipxe/", "/etc/passwd", "loaders/ipxe.efi"})
        EXPECT_FALSE(folder.served(path)) << path;
    EXPECT_FALSE(folder.served("images/" + image.id + "/manifest.json"));
    EXPECT_FALSE(folder.served("images/" + image.id + "/"));
}

RC_GTEST_PROP(ServedFiles, AreInTheFolder, (const std::string& path)) {
    const TemporaryDirectory directory;
    const auto folder = Folder::open(directory.file("n")).value();
    const auto file = folder.served(path);
    if (file)
        RC_ASSERT(fs::path(*file).lexically_normal() == fs::path(*file) &&
                  file->starts_with(folder.path() + "/"));
}

TEST(ClientManifest, IsReadAsItWasWritten) {
    const auto image = an_image();
    EXPECT_EQ(manifest_from_json(to_json(image)).value(), image);
}

TEST(ClientManifest, WhatItSaysIsWhatItIsNamedBy) {
    auto text = to_json(an_image());
    const auto at = text.find("quiet");
    text.replace(at, 5, "noisy");
    EXPECT_THAT(manifest_from_json(text).error().message(), ::testing::HasSubstr("'id'"));
    EXPECT_NE(an_image('a').id, an_image('b').id);
}

RC_GTEST_PROP(ClientManifest, ForeignTextIsRefused, (const std::string& text)) {
    RC_ASSERT(!manifest_from_json(text));
}

TEST(ClientBuild, ItsCommandIsAValue) {
    BuildSettings settings;
    settings.client_folder = "/r/client";
    settings.recipes_folder = "/r/recipes";
    settings.cache_folder = "/c";
    settings.authority = "/ca.pem";
    settings.program = "baton-view --kiosk";
    settings.packages = {"firmware-realtek"};
    const auto words = build_command(settings, "/out").words;
    EXPECT_THAT(words, ::testing::IsSupersetOf({"--kill-child=SIGKILL", "/r/client/build",
                                                "--authority", "/ca.pem", "baton-view --kiosk",
                                                "--package", "firmware-realtek"}));
    EXPECT_THAT(words, ::testing::Not(::testing::Contains("--viewer")));
}

} // namespace
} // namespace baton::netboot::testing
