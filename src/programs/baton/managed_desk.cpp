/// Desks that the desk server keeps, through the controller.
#include "desk/pack.h"
#include "programs/baton/desk_transfer.h"
#include "programs/baton/output.h"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <fcntl.h>
#include <filesystem>
#include <optional>

namespace json = boost::json;

namespace baton::cli {

namespace {

std::string snapshot_path(const DeskOptions& options) {
    return desk_path(options) + "/snapshots/" + escape(options.snapshot);
}

/// null: the desk server is away, or the desk too damaged to tell.
json::value snapshots_of(Remote& remote, const DeskOptions& options) {
    try {
        return remote.get(desk_path(options) + "/snapshots").at("snapshots");
    } catch (const CommandFailed&) {
        return nullptr;
    }
}

std::string away_text(const json::object& desk) {
    if (field(desk, "away") == "-")
        return "no";
    return fmt::format("at {}, taken by {} on {}", field(desk, "away.to"), field(desk, "away.by"),
                       time_field(desk, "away.since"));
}

class ManagedDesks : public Desks {
  public:
    void create(const DeskOptions& options) override {
        not_encrypted(options);
        Remote remote(*options.connection, disk_patience);
        json::object body{{"name", options.target}};
        if (!options.owner.empty())
            body["owner"] = options.owner;
        if (options.size_bytes)
            body["size_bytes"] = *options.size_bytes;
        const json::object desk = remote.post("/v1/desks", body);
        say(options, desk,
            fmt::format("the desk {} of {} is made, {}", field(desk, "name"), field(desk, "owner"),
                        bytes_field(desk, "size_bytes")));
    }

    void show(const DeskOptions& options) override {
        if (options.files)
            throw CommandFailed{Error{Errc::unsupported,
                                      "the files of a managed desk are not listed from afar",
                                      "copy it into a file first: baton desk export", 0}};
        Remote remote(*options.connection);
        json::object desk = remote.get(desk_path(options));
        desk["snapshots"] = snapshots_of(remote, options);
        std::string kept;
        for (const json::value& one :
             desk.at("snapshots").is_array() ? desk.at("snapshots").get_array() : json::array{})
            kept += fmt::format("\nsnapshot  {}, {}", field(one.as_object(), "name"),
                                time_field(one.as_object(), "made"));
        say(options, desk,
            fmt::format("desk      {}\nid        {}\nowner     {}\nsize      {}\nstate     {}\n"
                        "in use by {}\naway      {}\nfence     {}\nmade      {}{}",
                        field(desk, "name"), field(desk, "id"), field(desk, "owner"),
                        bytes_field(desk, "size_bytes"), field(desk, "state"),
                        field(desk, "holder") == "-" ? "nobody" : field(desk, "holder"),
                        away_text(desk), field(desk, "fence"), time_field(desk, "created"), kept));
    }

    void check(const DeskOptions& options) override {
        Remote remote(*options.connection, disk_patience);
        json::object body;
        if (options.repair)
            body["repair"] = true;
        const json::object found = remote.post(desk_path(options) + "/check", body);
        const bool sound = field(found, "sound") == "true";
        say(options, found,
            fmt::format("the desk {} is {}\n{}", options.target, sound ? "sound" : "damaged",
                        field(found, "report")));
        if (!sound)
            throw CommandFailed{
                Error{Errc::corrupt, fmt::format("the desk {} is damaged", options.target),
                      options.repair ? "take it from a backup"
                                     : "it is not attached until it has been repaired: --repair",
                      0}};
    }

    void remove(const DeskOptions& options) override {
        Remote remote(*options.connection, disk_patience);
        const json::object answer = remote.remove(desk_path(options));
        say(options, answer, fmt::format("the desk {} is removed", options.target));
    }

    void export_to(const DeskOptions& options) override {
        not_encrypted(options);
        export_desk(options);
    }

    void import_from(const DeskOptions& options) override { import_desk(options); }

    void snapshot(const DeskOptions& options) override {
        Remote remote(*options.connection, disk_patience);
        if (options.forget)
            return say(
                options, remote.remove(snapshot_path(options)),
                fmt::format("the snapshot {} of {} is removed", options.snapshot, options.target));
        const json::object made = remote.put(snapshot_path(options), {});
        say(options, made,
            fmt::format("{} is kept as it is now, as {}{}", options.target, field(made, "name"),
                        field(made, "shared") == "true" ? ", and takes no space until it changes"
                                                        : ""));
    }

    void restore(const DeskOptions& options) override {
        Remote remote(*options.connection, disk_patience);
        say(options, remote.post(snapshot_path(options) + "/restore"),
            fmt::format("{} is what it was at {}", options.target, options.snapshot));
    }

    void diff(const DeskOptions& options) override { files_alone(options, "diff"); }

    void check_out(const DeskOptions& options) override { check_out_managed(options); }

    void check_in(const DeskOptions& options) override { check_in_managed(options); }

  private:
    static void not_encrypted(const DeskOptions& options) {
        if (options.encrypt || options.decrypt)
            throw CommandFailed{
                Error{Errc::unsupported, "desks that the desk server keeps are not encrypted by it",
                      "take it away with baton desk checkout, or encrypt a copy: baton desk export "
                      "./FILE ./OTHER --encrypt",
                      0}};
    }

    [[noreturn]] static void files_alone(const DeskOptions& options, const std::string& command) {
        throw CommandFailed{Error{
            Errc::unsupported,
            fmt::format("'{}' is a managed desk, and {} works on files", options.target, command),
            "copy it into a file first: baton desk export", 0}};
    }
};

} // namespace

std::unique_ptr<Desks> managed_desks() {
    return std::make_unique<ManagedDesks>();
}

void list_desks(const DeskOptions& options) {
    Remote remote(*options.connection);
    const json::object answer = remote.get("/v1/desks");
    if (options.as_json) {
        fmt::print("{}", pretty(answer.at("desks")));
        return;
    }
    Table table({"DESK", "OWNER", ">SIZE", "STATE", "IN USE BY", "MADE"});
    for (const json::value& one : answer.at("desks").as_array()) {
        const json::object& desk = one.get_object();
        table.add({field(desk, "name"), field(desk, "owner"), bytes_field(desk, "size_bytes"),
                   field(desk, "state"), field(desk, "holder"), time_field(desk, "created")});
    }
    fmt::print("{}", table.empty() ? "no desk yet; make one with: baton desk create NAME\n"
                                   : table.text());
}

void export_desk(const DeskOptions& options) {
    const std::filesystem::path to(options.file);
    if (std::filesystem::exists(std::filesystem::symlink_status(to)))
        throw CommandFailed{Error{Errc::already_exists,
                                  fmt::format("{} is there already", options.file),
                                  "name another file, or remove that one", 0}};
    const Passing packed(to.parent_path() / fmt::format(".{}.packed", to.filename().string()));
    Remote remote(*options.connection, disk_patience);
    fetch_packed(remote, options, packed.path);
    if (wants_packed(options)) {
        if (::renameat2(AT_FDCWD, packed.path.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) != 0)
            throw CommandFailed{fail_errno(errno, "cannot name the file " + options.file).value()};
        say(options, json::object{{"name", options.target}, {"file", options.file}},
            fmt::format("the desk {} is in {}, packed", options.target, options.file));
        return;
    }
    const auto copied = value_or_fail(desk::unpack(packed.path, options.file));
    say(options,
        json::object{{"name", options.target},
                     {"file", options.file},
                     {"content_sha256", copied.content_sha256}},
        fmt::format("the desk {} is in {}", options.target, options.file));
}

void import_desk(const DeskOptions& options) {
    std::string source = options.file;
    std::optional<Passing> packed;
    if (!desk::looks_packed(source)) {
        packed.emplace(passing_path("import"));
        value_or_fail(desk::pack(source, packed->path));
        source = packed->path;
    }
    Remote remote(*options.connection, disk_patience);
    const auto desk =
        send_file(remote, desk_path(options) + "/image",
                  options.owner.empty() ? "" : "&owner=" + escape(options.owner), source);
    say(options, desk,
        fmt::format("the desk {} of {} is made from {}", field(desk, "name"), field(desk, "owner"),
                    options.file));
}

} // namespace baton::cli
