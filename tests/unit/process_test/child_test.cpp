#include "process/run.h"

#include <gtest/gtest.h>

#include <array>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace baton::process {
namespace {

Command shell(std::string script) {
    return Command{{"sh", "-c", std::move(script)}};
}

TEST(Run, GivesOutputErrorAndStatus) {
    auto command = shell("cat; echo oops >&2; exit 3");
    command.input = "fed";
    const auto finished = run(command).value();
    EXPECT_EQ(finished.out, "fed");
    EXPECT_EQ(finished.error, "oops\n");
    EXPECT_EQ(finished.status, 3);
}

TEST(Run, FeedsAndReadsMoreThanAPipeHolds) {
    auto command = shell("cat");
    command.input.assign(1'000'000, 'x');
    EXPECT_EQ(run(command).value().out, command.input);
}

TEST(Run, ProgramThatDoesNotReadItsInputIsNoFault) {
    auto command = shell("exec <&-; echo done");
    command.input.assign(1'000'000, 'x');
    EXPECT_EQ(run(command).value().out, "done\n");
}

TEST(Run, EndsTheWholeGroupAtItsDeadline) {
    auto command = shell("sleep 60 & echo $!; wait");
    command.deadline = std::chrono::milliseconds(200);
    int grandchild = -1;
    command.on_line = [&](std::string_view line) {
        grandchild = static_cast<int>(::syscall(SYS_pidfd_open, std::stoi(std::string(line)), 0));
    };
    const auto result = run(command);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::timeout);
    ASSERT_GE(grandchild, 0);
    pollfd ended{grandchild, POLLIN, 0};
    EXPECT_EQ(::poll(&ended, 1, 10'000), 1) << "the grandchild lives on";
    ::close(grandchild);
}

TEST(Run, IsCancelledByADescriptor) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe(ends.data()), 0);
    auto command = shell("echo started; sleep 60");
    command.cancel_fd = ends[0];
    command.on_line = [&](std::string_view) { ASSERT_EQ(::write(ends[1], "x", 1), 1); };
    const auto result = run(command);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::cancelled);
    ::close(ends[0]);
    ::close(ends[1]);
}

TEST(Run, CutsItsOutputIntoLines) {
    auto command = shell("printf '1%%\\r2%%\\r\\nlast\\n\\nopen'");
    std::vector<std::string> lines;
    command.on_line = [&](std::string_view line) { lines.emplace_back(line); };
    EXPECT_EQ(run(command).value().out, "");
    EXPECT_EQ(lines, (std::vector<std::string>{"1%", "2%", "last", "", "open"}));
}

TEST(Run, RefusesMoreOutputThanItsLimit) {
    auto command = shell("yes");
    command.output_limit = 100'000;
    const auto result = run(command);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::refused);
}

TEST(Run, MissingProgramIsNamedWithWhatToDo) {
    const auto result = run(Command{{"baton-no-such-program"}});
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::not_found);
    EXPECT_NE(result.error().message().find("baton-no-such-program"), std::string::npos);
    EXPECT_FALSE(result.error().hint.empty());
}

TEST(Run, DoesNotWaitForWhatTheProgramLeftBehind) {
    auto command = shell("sleep 60 & echo $!");
    const auto finished = run(command);
    ASSERT_TRUE(finished) << finished.error().message();
    EXPECT_EQ(finished->status, 0);
    ASSERT_FALSE(last_line(finished->out).empty());
    EXPECT_EQ(run(shell("kill " + last_line(finished->out))).value().status, 0);
}

TEST(Run, AddsToTheEnvironmentAndReplaces) {
    auto command = shell("echo $HOME-$BATON_TEST");
    command.environment = {"HOME=/h", "BATON_TEST=t"};
    EXPECT_EQ(run(command).value().out, "/h-t\n");
}

TEST(RunChecked, SaysWhatFailedAndTheProgramsLastWords) {
    const auto result =
        run_checked(shell("echo first >&2; echo 'no luck' >&2; exit 4"), "trying x");
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().message(), "trying x: 'sh' failed with status 4: no luck");
}

TEST(RunChecked, TellsAFullDiskFromOtherFailures) {
    const auto full = run_checked(shell("echo 'cp: No space left on device' >&2; exit 1"), "x");
    EXPECT_EQ(full.error().code, Errc::full);
    EXPECT_EQ(run_checked(shell("exit 1"), "x").error().code, Errc::io);
}

TEST(Shown, QuotesWhatAShellWouldTakeApart) {
    EXPECT_EQ(shown(Command{{"nft", "-j", "a b", "it's", ""}}), "nft -j 'a b' 'it'\\''s' ''");
}

TEST(LastLine, DropsControlCharacters) {
    EXPECT_EQ(last_line("a\n\x1b[31mred\x1b[0m\n\n"), "[31mred[0m");
    EXPECT_EQ(last_line(" \n"), "");
}

} // namespace
} // namespace baton::process
