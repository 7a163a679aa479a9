/// `baton desk checkout` and `checkin` of managed desks: a copy travels, the desk server keeps the
/// mark that it does.
#include "desk/copies.h"
#include "desk/pack.h"
#include "programs/baton/desk_transfer.h"
#include "programs/baton/output.h"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <unistd.h>

namespace json = boost::json;
namespace fs = std::filesystem;

namespace baton::cli {

namespace {

std::uint64_t number_in(const json::object& object, std::string_view key) {
    const auto* value = object.if_contains(key);
    return value != nullptr && value->is_number() ? value->to_number<std::uint64_t>() : 0;
}

/// The desk's header, as far as the controller tells it.
desk::Header header_at_home(Remote& remote, const DeskOptions& options) {
    const auto shown = remote.get(desk_path(options));
    const auto where = remote.get(desk_path(options) + "/checkout");
    desk::Header home;
    home.id = DeskId(field(shown, "id"));
    home.generation = number_in(where, "generation");
    if (where.at("journey").is_string())
        home.journey = where.at("journey").as_string();
    if (where.at("away").is_object())
        home.checked_out = desk::CheckOut{field(where, "away.to"), WallTime{},
                                          number_in(where.at("away").as_object(), "generation")};
    return home;
}

/// The mark at the desk server, of a copy that is whole and durable. A copy that the controller
/// refuses is not the desk: it goes.
json::object mark(Remote& remote, const DeskOptions& options, const desk::Header& copy) {
    const json::object body{
        {"journey", copy.journey}, {"generation", copy.generation}, {"to", place_of(options)}};
    try {
        return remote.put(desk_path(options) + "/checkout", json::serialize(body));
    } catch (const CommandFailed& failed) {
        if (failed.answered) {
            ::unlink(options.file.c_str());
            throw;
        }
        auto error = failed.error;
        error.hint = fmt::format("whether {} is the desk now is not known: give the command again "
                                 "when the controller is back",
                                 options.file);
        throw CommandFailed{error};
    }
}

void say_away(const DeskOptions& options, const json::object& desk) {
    auto object = desk;
    object["file"] = options.file;
    say(options, object,
        fmt::format("{} is the desk now, at {}; {} stays and is not opened until it comes back",
                    options.file, field(desk, "away.to"), options.target));
}

/// What a command that was cut off left: the copy is whole, and the mark is there or not.
void go_on(Remote& remote, const DeskOptions& options, const desk::Header& home) {
    const auto copy = desk::Image::open(options.file, desk::Access::look);
    const bool ours = copy && copy->header().id == home.id && !copy->header().journey.empty() &&
                      !copy->header().checked_out;
    if (!ours || (home.checked_out && copy->header().journey != home.journey))
        throw CommandFailed{Error{Errc::already_exists,
                                  fmt::format("{} is there already", options.file),
                                  "name another file, or remove that one", 0}};
    say_away(options, home.checked_out ? remote.get(desk_path(options))
                                       : mark(remote, options, copy->header()));
}

} // namespace

void check_out_managed(const DeskOptions& options) {
    Remote remote(*options.connection, disk_patience);
    const auto home = header_at_home(remote, options);
    const fs::path to(options.file);
    if (fs::exists(fs::symlink_status(to)))
        return go_on(remote, options, home);
    if (home.checked_out)
        throw CommandFailed{Error{
            Errc::refused,
            fmt::format("the desk {} was taken away to {}", options.target, home.checked_out->to),
            "bring it back first: baton desk checkin; if that copy is lost: checkin --lost", 0}};
    // under another name until it can be the desk; what a killed command left of it goes first
    const auto beside = [&](const char* what) {
        return to.parent_path() / fmt::format(".{}.{}", to.filename().string(), what);
    };
    const Passing packed(beside("packed"));
    const Passing copy(beside("coming"));
    ::unlink(packed.path.c_str());
    ::unlink(copy.path.c_str());
    fetch_packed(remote, options, packed.path);
    auto header = value_or_fail(desk::unpack(packed.path, copy.path)).header;
    header.journey = value_or_fail(desk::new_desk_id()).value;
    value_or_fail(desk::begin_journey(copy.path, header.journey));
    if (::renameat2(AT_FDCWD, copy.path.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) != 0)
        throw CommandFailed{fail_errno(errno, "cannot name the file " + options.file).value()};
    value_or_fail(desk::sync_folder_of(options.file));
    say_away(options, mark(remote, options, header));
}

void check_in_managed(const DeskOptions& options) {
    Remote remote(*options.connection, disk_patience);
    if (options.forget)
        return say(options, remote.remove(desk_path(options) + "/checkout"),
                   fmt::format("{} is used again as it was; a copy that turns up later is not "
                               "taken in",
                               options.target));
    auto copy = value_or_fail(desk::hold_copy(options.file));
    const auto home = header_at_home(remote, options);
    // else it may be back, and the answer was lost: that the desk server finds out by its content
    if (home.checked_out || home.generation != copy.header().generation + 1)
        value_or_fail(desk::may_come_back(copy.header(), home));
    const Passing packed(passing_path("checkin"));
    value_or_fail(desk::pack(copy, packed.path));
    auto desk = send_file(remote, desk_path(options) + "/checkin", "", packed.path);
    value_or_fail(desk::leave_behind(copy, options.place.empty() ? "desk-server" : options.place));
    desk["file"] = options.file;
    say(options, desk, fmt::format("{} is back in {}", options.file, options.target));
}

} // namespace baton::cli
