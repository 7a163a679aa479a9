/// `baton desk diff`: what a desk changed over its bases, and how much it holds.
#include "desk/image.h"
#include "desk/tree.h"
#include "player/base.h"
#include "player/changes.h"
#include "programs/baton/desk.h"
#include "programs/baton/output.h"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <fcntl.h>
#include <sys/stat.h>

namespace json = boost::json;

namespace baton::cli {

namespace {

json::object described(const player::Changes& changes, const std::vector<std::string>& warnings) {
    const auto sums = [](const std::vector<desk::FolderSum>& folders) {
        json::array array;
        for (const auto& sum : folders)
            array.push_back(json::object{
                {"folder", sum.folder}, {"files", sum.files}, {"size_bytes", sum.size_bytes}});
        return array;
    };
    json::array bases;
    for (const auto& base : changes.bases) {
        json::array list;
        for (const auto& one : base.changes)
            list.push_back(json::object{{"how", player::to_string(one.how)},
                                        {"path", one.path},
                                        {"kind", one.kind},
                                        {"size_bytes", one.size_bytes}});
        bases.push_back(json::object{{"base", base.base},
                                     {"compared", base.compared},
                                     {"own", sums(base.own)},
                                     {"changes", std::move(list)}});
    }
    return {{"forwarded", sums(changes.forwarded)},
            {"bases", std::move(bases)},
            {"warnings", json::value_from(warnings)}};
}

std::string amount(const desk::FolderSum& sum) {
    return fmt::format("{} file{}, {}", sum.files, sum.files == 1 ? "" : "s",
                       human_bytes(sum.size_bytes));
}

void print(const player::Changes& changes, bool summary) {
    fmt::print("the desk's own, on every base:\n");
    for (const auto& sum : changes.forwarded)
        fmt::print("  {:<12} {}\n", printable(sum.folder), amount(sum));
    for (const auto& base : changes.bases) {
        fmt::print("\nover {}{}:\n", printable(base.base),
                   base.compared ? ""
                                 : " (not at hand: what replaced a file whole counts as added)");
        for (const auto& one : base.changes) {
            if (summary)
                break;
            const char* sign = one.how == player::How::added     ? "+"
                               : one.how == player::How::changed ? "~"
                                                                 : "-";
            fmt::print("  {} {}{}{}\n", sign, printable(one.path), one.kind == "folder" ? "/" : "",
                       one.kind == "file" ? "  " + human_bytes(one.size_bytes) : "");
        }
        fmt::print("  {} added, {} changed, {} removed, {}\n", base.count(player::How::added),
                   base.count(player::How::changed), base.count(player::How::removed),
                   human_bytes(base.size_bytes()));
        for (const auto& sum : base.own)
            fmt::print("  its own {}: {}\n", printable(sum.folder), amount(sum));
    }
}

} // namespace

void diff_desk_file(const DeskOptions& options) {
    const auto policy = value_or_fail(player::read_policy(options.policy));
    const auto image = value_or_fail(desk::Image::open(options.target, desk::Access::read));
    const auto tree = value_or_fail(desk::read_tree(image, value_or_fail(desk::find_reader())));
    const process::Descriptor root(
        ::open(options.over.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!root.open())
        throw CommandFailed{fail_errno(errno, "cannot open the system " + options.over).value()};
    const auto base = player::base_of(root.get());
    const auto changes =
        player::changes_of(tree, policy, base.value_or(""), [&](const std::string& path) {
            struct stat status{};
            return ::fstatat(root.get(), path.c_str() + 1, &status, AT_SYMLINK_NOFOLLOW) == 0;
        });
    std::vector<std::string> warnings;
    if (const auto superblock = image.superblock(); superblock && superblock->needs_recovery)
        warnings.push_back("the desk was not closed in order; what its journal holds is not "
                           "counted until it has been opened, or checked with --repair");
    if (options.as_json) {
        fmt::print("{}", pretty(described(changes, warnings)));
        return;
    }
    print(changes, options.summary);
    for (const auto& warning : warnings)
        fmt::print("\nwarning: {}\n", warning);
}

} // namespace baton::cli
