// `baton desk` on files, as a person and as a program would use it.
#include "desk/image.h"
#include "process/run.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace baton::desk {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class DeskCli : public testing::Test {
  protected:
    DeskCli() {
        std::string name = (fs::temp_directory_path() / "baton-desk-cli-XXXXXX").string();
        folder_ = ::mkdtemp(name.data());
    }

    ~DeskCli() override { fs::remove_all(folder_); }

    [[nodiscard]] std::string path(const std::string& name) const { return folder_ + "/" + name; }

    static process::Finished baton(std::vector<std::string> words) {
        process::Command command;
        command.words = {BATON_CLI, "desk"};
        command.words.insert(command.words.end(), words.begin(), words.end());
        auto finished = process::run(command);
        EXPECT_TRUE(finished) << finished.error().message();
        return finished.value_or(process::Finished{-1, "", ""});
    }

    static boost::json::value json(const process::Finished& finished) {
        EXPECT_EQ(finished.status, 0) << finished.error;
        return boost::json::parse(finished.out);
    }

    /// Ends with that status and one sentence on standard error, nothing on standard output.
    static std::string refused(std::vector<std::string> words, int status) {
        const auto finished = baton(std::move(words));
        EXPECT_EQ(finished.status, status) << finished.out << finished.error;
        EXPECT_EQ(finished.error.rfind("baton: ", 0), 0U) << finished.error;
        return finished.error;
    }

    std::string folder_;
};

TEST_F(DeskCli, AFilesLife) {
    const auto file = path("kim.desk");
    const auto made = json(baton({"create", file, "--size", "256MiB", "--json"})).as_object();
    EXPECT_EQ(made.at("owner").as_string(), "kim") << "by the file's name";
    EXPECT_EQ(made.at("size_bytes").to_number<std::int64_t>(), (256_MiB).bytes());
    EXPECT_EQ(made.at("in_use").as_bool(), false);
    EXPECT_THAT(baton({"show", file}).out, HasSubstr("256 MiB"));
    const auto files = json(baton({"show", file, "--files", "/fwd/home", "--json"})).as_array();
    EXPECT_THAT(boost::json::serialize(files), HasSubstr("\"kim\""));
    EXPECT_EQ(json(baton({"check", file, "--json"})).at("verdict").as_string(), "clean");

    const auto packed = json(baton({"export", file, path("kim.zst"), "--json"})).as_object();
    const auto copied = json(baton({"export", file, path("copy.desk"), "--json"})).as_object();
    const auto back =
        json(baton({"import", path("kim.zst"), path("back.desk"), "--json"})).as_object();
    EXPECT_EQ(packed.at("content_sha256"), copied.at("content_sha256"));
    EXPECT_EQ(packed.at("content_sha256"), back.at("content_sha256"));
    EXPECT_EQ(back.at("id"), made.at("id"));
    EXPECT_EQ(baton({"remove", file}).status, 0);
    EXPECT_FALSE(fs::exists(file));
}

TEST_F(DeskCli, WhatIsDamagedIsNamedAndMended) {
    const auto file = path("kim.desk");
    ASSERT_EQ(baton({"create", file, "--size", "256MiB"}).status, 0);
    const auto poke = [&](std::int64_t offset) {
        std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
        stream.seekp(offset);
        stream << std::string(4096, 'x');
    };
    poke(data_offset + 4096);
    const auto found = baton({"check", file});
    EXPECT_EQ(found.status, 8);
    EXPECT_THAT(found.error, HasSubstr(file));
    EXPECT_EQ(json(baton({"check", file, "--repair", "--json"})).at("verdict").as_string(),
              "repaired");
    EXPECT_EQ(baton({"check", file}).status, 0);
    poke(0);
    EXPECT_THAT(baton({"show", file}).out, HasSubstr("warning"));
    EXPECT_EQ(baton({"check", file, "--repair"}).status, 0);
    EXPECT_EQ(baton({"show", file}).out.find("warning"), std::string::npos) << "healed";
    poke(0);
    poke(512 * 1024);
    EXPECT_THAT(refused({"check", file}, 8), HasSubstr(file));
    EXPECT_EQ(baton({"remove", file}).status, 0) << "even so it can be removed";
}

TEST_F(DeskCli, BadWordsAreRefused) {
    const auto file = path("kim.desk");
    ASSERT_EQ(baton({"create", file, "--size", "256MiB"}).status, 0);
    refused({"create", file}, 5);
    refused({"create", path("no/such/kim.desk")}, 3);
    refused({"create", path("x.desk"), "--size", "1MiB"}, 2);
    refused({"create", path("x.desk"), "--size", "many"}, 2);
    refused({"create", path("x.desk"), "--owner", "../kim"}, 2);
    EXPECT_THAT(refused({"create", path("Not A Name.desk")}, 2), HasSubstr("--owner"));
    refused({"show", path("nothing.desk")}, 3);
    refused({"show", folder_ + "/"}, 2);
    refused({"show", file, "--files", "/fwd/nothing"}, 3);
    refused({"show", file, "--files", "relative"}, 2);
    refused({"export", file, file}, 5);
    refused({"import", path("nothing"), path("x.desk")}, 3);
    refused({"import", file, path("x.desk"), "--owner", "lee"}, 2);
    std::ofstream(path("text")) << "no desk";
    refused({"import", path("text"), path("x.desk")}, 8);
    EXPECT_FALSE(fs::exists(path("x.desk")));

    const auto held = Image::open(file, Access::write).value();
    refused({"check", file}, 5);
    refused({"remove", file}, 5);
    refused({"export", file, path("x.desk")}, 5);
    EXPECT_EQ(json(baton({"show", file, "--json"})).at("in_use").as_bool(), true);
}

TEST_F(DeskCli, AFullDiskLeavesNothing) {
    // a file system with 8 MiB: too small for a new desk
    process::Command command;
    command.words = {"unshare", "--mount", "sh", "-c",
                     "mount -t tmpfs -o size=8m none '" + folder_ +
                         "' && '" BATON_CLI "' desk create '" + folder_ +
                         "/kim.desk'; status=$?; ls -A '" + folder_ + "'; exit $status"};
    const auto finished = process::run(command).value();
    EXPECT_EQ(finished.status, 4) << finished.error;
    EXPECT_EQ(finished.out, "");
    EXPECT_THAT(finished.error, HasSubstr("no space is left"));
}

} // namespace
} // namespace baton::desk
