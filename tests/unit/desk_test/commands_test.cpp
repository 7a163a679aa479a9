#include "desk/check.h"
#include "desk/create.h"
#include "desk/sandbox.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace baton::desk {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsSupersetOf;
using testing::Not;

TEST(DeskCommands, TheFileSystemIsMadeBehindTheHeaderWithNamedFeatures) {
    const auto command =
        make_file_system_command("/d/.kim.desk.tmp", DeskId("0c5d1b42-d2f3-4f0c-ba83-83cf4eb5251e"),
                                 (32_GiB).bytes(), "/t/tree");
    EXPECT_EQ(command.words.front(), "mke2fs");
    EXPECT_THAT(command.words, Contains("offset=1048576,root_owner=0:0,nodiscard,"
                                        "assume_storage_prezeroed=1"));
    EXPECT_THAT(command.words, Contains(HasSubstr("none,has_journal")));
    EXPECT_EQ(command.words.back(), "33554432k");
    EXPECT_THAT(command.environment, ElementsAre("MKE2FS_CONFIG=/dev/null"));
}

TEST(DeskCommands, ParentsComeBeforeTheirFolders) {
    std::vector<std::string> seen;
    for (const auto& folder : layout("kim")) {
        const auto slash = folder.path.rfind('/');
        if (slash != std::string::npos) {
            EXPECT_THAT(seen, Contains(folder.path.substr(0, slash)));
        }
        seen.push_back(folder.path);
    }
    EXPECT_THAT(seen, Contains("fwd/home/kim"));
    EXPECT_THAT(seen, Contains("cow"));
}

TEST(DeskCommands, TheSandboxShowsTheImageAndNothingElse) {
    SandboxOrder order;
    order.words = check_words(0);
    order.image = "/d/kim.desk";
    auto words = sandbox_command(order, "filter").words;
    EXPECT_EQ(words.front(), "prlimit");
    const std::vector<std::string> walls{"--unshare-ipc", "--unshare-pid", "--unshare-net",
                                         "--unshare-uts", "--cap-drop",    "--die-with-parent",
                                         "--clearenv",    "--seccomp"};
    EXPECT_THAT(words, IsSupersetOf(walls));
    EXPECT_THAT(words, Contains("--unshare-user"));
    const auto image = std::find(words.begin(), words.end(), "/d/kim.desk");
    ASSERT_NE(image, words.end());
    EXPECT_EQ(*(image - 1), "--ro-bind");
    EXPECT_EQ(*(image + 1), "/desk");
    EXPECT_THAT(std::vector<std::string>(words.end() - 5, words.end()),
                ElementsAre("--", "e2fsck", "-f", "-n", "/desk?offset=1048576"));
    EXPECT_EQ(sandbox_command(order, "filter").input, "filter");

    order.writable = true;
    words = sandbox_command(order, "filter").words;
    EXPECT_EQ(*(std::find(words.begin(), words.end(), "/d/kim.desk") - 1), "--bind");

    order.own_user = false;
    words = sandbox_command(order, "filter").words;
    EXPECT_THAT(words, IsSupersetOf(walls)) << "all walls but the user namespace";
    EXPECT_THAT(words, Not(Contains("--unshare-user")));
}

TEST(DeskCommands, TheFilterIsACompiledProgram) {
    const auto filter = sandbox_filter();
    ASSERT_TRUE(filter);
    EXPECT_EQ(filter->size() % 8, 0U) << "a BPF instruction has 8 bytes";
    EXPECT_GT(filter->size(), 8U * 20);
}

TEST(DeskCommands, ReadsTheListingOfDebugfs) {
    const auto files = parse_listing("/15/040755/1000/1000/.//\n"
                                     "/14/040755/0/0/..//\n"
                                     "/16/100644/1000/1000/.profile/3/\n"
                                     "/17/120777/1000/1000/a\tlink/9/\n"
                                     "/18/040700/1000/1001/Documents//\n"
                                     "nonsense\n/19/rubbish/x/y/z/1/\n\n");
    EXPECT_THAT(files, ElementsAre(ListedFile{".profile", "file", 0644, 1000, 1000, 3},
                                   ListedFile{"a?link", "link", 0777, 1000, 1000, 9},
                                   ListedFile{"Documents", "folder", 0700, 1000, 1001, 0}));
}

} // namespace
} // namespace baton::desk
