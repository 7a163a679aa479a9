/// Desks that are files here: on a stick, on their way.
#include "desk/check.h"
#include "desk/copies.h"
#include "desk/create.h"
#include "desk/encrypt.h"
#include "desk/image.h"
#include "desk/pack.h"
#include "deskserver/codec.h"
#include "programs/baton/desk_transfer.h"
#include "programs/baton/output.h"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <filesystem>
#include <unistd.h>

namespace json = boost::json;

namespace baton::cli {

namespace {

std::string owner_for(const DeskOptions& options) {
    if (!options.owner.empty())
        return options.owner;
    const auto stem = std::filesystem::path(options.target).stem().string();
    if (!check_name("owner", stem))
        throw CommandFailed{Error{Errc::invalid_argument,
                                  fmt::format("whose desk is {} to be?", options.target),
                                  "say it with --owner", 0}};
    return stem;
}

void list_files(const DeskOptions& options) {
    const auto files = value_or_fail(desk::list_files(options.target, *options.files));
    if (options.as_json) {
        json::array array;
        for (const auto& file : files)
            array.emplace_back(deskserver::to_json(file));
        fmt::print("{}", pretty(array));
        return;
    }
    Table table({"MODE", ">UID", ">GID", ">SIZE", "KIND", "NAME"});
    for (const auto& file : files)
        table.add({fmt::format("{:04o}", file.mode), std::to_string(file.uid),
                   std::to_string(file.gid), std::to_string(file.size_bytes), file.kind,
                   file.name});
    fmt::print("{}", table.empty() ? "the folder is empty\n" : table.text());
}

std::string lease_text(const desk::Lease& lease) {
    if (lease.kind == desk::HolderKind::none)
        return "nobody";
    return fmt::format("{} {}, number {}", desk::to_string(lease.kind), lease.holder,
                       lease.fence.value);
}

using Snapshots = std::vector<desk::Snapshot>;

json::object described(const desk::Snapshot& snapshot) {
    return {{"name", snapshot.name},
            {"file", snapshot.path},
            {"made", deskserver::to_json(snapshot.made)},
            {"generation", snapshot.generation},
            {"allocated_bytes", snapshot.allocated_bytes}};
}

json::object described(const desk::Image& image) {
    auto object = deskserver::to_json(image.header());
    object["file"] = image.path();
    object["allocated_bytes"] = image.allocated_bytes().value_or(0);
    const auto superblock = image.superblock();
    object["free_bytes"] = superblock ? json::value(superblock->free_bytes) : json::value(nullptr);
    const auto readable = desk::Image::open(image.path(), desk::Access::read);
    object["in_use"] = !readable && readable.error().code == Errc::busy;
    json::array warnings;
    for (const auto& warning : image.warnings())
        warnings.emplace_back(warning);
    if (!superblock)
        warnings.emplace_back(superblock.error().what);
    object["warnings"] = std::move(warnings);
    json::array snapshots;
    for (const auto& one : desk::list_snapshots(image.path()).value_or(Snapshots{}))
        snapshots.emplace_back(described(one));
    object["snapshots"] = std::move(snapshots);
    return object;
}

void say_copied(const DeskOptions& options, const desk::Copied& copied, const std::string& from,
                const std::string& to) {
    if (options.as_json) {
        auto object = deskserver::to_json(copied.header);
        object["file"] = to;
        object["copied_bytes"] = copied.copied_bytes;
        object["content_sha256"] = copied.content_sha256;
        fmt::print("{}", pretty(object));
        return;
    }
    fmt::print("{} is copied to {}: {} of content, SHA-256 {}\n", from, to,
               human_bytes(copied.copied_bytes), copied.content_sha256);
}

void say_header(const DeskOptions& options, const desk::Header& header,
                const std::string& sentence) {
    auto object = deskserver::to_json(header);
    object["file"] = options.target;
    say(options, object, sentence);
}

void say_made(const DeskOptions& options, const std::string& file, const std::string& sentence) {
    say(options, json::object{{"file", file}, {"encrypted", !options.decrypt}}, sentence);
}

void create_encrypted(const DeskOptions& options, desk::CreateOrder order) {
    const auto passphrase = passphrase_for(options, true);
    // empty, and nobody's yet: this one may lie about for a moment
    const Passing plain(passing_path("create"));
    order.path = plain.path;
    value_or_fail(desk::create(order));
    value_or_fail(desk::encrypt_image(plain.path, options.target, passphrase));
    say_made(options, options.target,
             fmt::format("the desk {} of {} is made, {}, encrypted", options.target, order.owner,
                         human_bytes(order.size_bytes)));
}

void export_converted(const DeskOptions& options) {
    if (options.encrypt)
        value_or_fail(
            desk::encrypt_image(options.target, options.file, passphrase_for(options, true)));
    else
        value_or_fail(
            desk::decrypt_image(options.target, options.file, passphrase_for(options, false)));
    say_made(options, options.file,
             fmt::format("{} is copied to {}, {}", options.target, options.file,
                         options.encrypt ? "encrypted" : "not encrypted"));
}

class DetachedDesks : public Desks {
  public:
    void create(const DeskOptions& options) override {
        desk::CreateOrder order;
        order.path = options.target;
        order.owner = owner_for(options);
        order.size_bytes = options.size_bytes.value_or(desk::default_size.bytes());
        if (options.encrypt)
            return create_encrypted(options, order);
        value_or_fail(desk::create(order));
        const auto image = value_or_fail(desk::Image::open(options.target, desk::Access::look));
        if (options.as_json)
            fmt::print("{}", pretty(described(image)));
        else
            fmt::print("the desk {} of {} is made, {} ({} on the disk)\n", options.target,
                       order.owner, human_bytes(order.size_bytes),
                       human_bytes(image.allocated_bytes().value_or(0)));
    }

    void show(const DeskOptions& options) override {
        if (options.files)
            return list_files(options);
        const auto image = value_or_fail(desk::Image::open(options.target, desk::Access::look));
        const auto object = described(image);
        if (options.as_json) {
            fmt::print("{}", pretty(object));
            return;
        }
        const auto& header = image.header();
        fmt::print("file       {}\nid         {}\nowner      {}\nsize       {}\non disk    {}\n"
                   "free       {}\nstate      {}\nopen now   {}\nlease      {}\n"
                   "largest    {}\ngeneration {}\naway       {}\nmade       {}\n",
                   options.target, header.id.value, header.owner, human_bytes(header.size_bytes),
                   bytes_field(object, "allocated_bytes"), bytes_field(object, "free_bytes"),
                   desk::to_string(header.state), yes_no(object, "in_use"),
                   lease_text(header.lease), header.largest_fence.value, header.generation,
                   header.checked_out ? "at " + header.checked_out->to : "no",
                   time_field(object, "created"));
        for (const auto& warning : object.at("warnings").as_array())
            fmt::print("warning    {}\n", printable(warning.as_string()));
        for (const auto& value : object.at("snapshots").as_array()) {
            const auto& one = value.as_object();
            fmt::print("snapshot   {}, {}, generation {}\n", field(one, "name"),
                       time_field(one, "made"), field(one, "generation"));
        }
    }

    void check(const DeskOptions& options) override {
        const auto report = value_or_fail(desk::check(
            options.target, desk::CheckOrder{.repair = options.repair, .mark = options.repair}));
        if (options.as_json) {
            auto object = deskserver::to_json(report);
            object["file"] = options.target;
            fmt::print("{}", pretty(object));
        } else {
            fmt::print("{}: {}\n", options.target, desk::to_string(report.verdict));
            for (const auto& finding : report.findings)
                fmt::print("  {}\n", printable(finding));
            if (report.verdict == desk::Verdict::unsettled)
                fmt::print("  its journal is replayed at its next use, or now with --repair\n");
        }
        if (report.verdict == desk::Verdict::damaged)
            throw CommandFailed{Error{
                Errc::corrupt, fmt::format("the desk {} is damaged", options.target),
                options.repair ? "take it from a backup" : "try to mend it with --repair", 0}};
    }

    void remove(const DeskOptions& options) override {
        // one whose header is destroyed may go, one that somebody has open may not
        auto image = desk::Image::open(options.target, desk::Access::write);
        if (!image && image.error().code != Errc::corrupt)
            throw CommandFailed{image.error()};
        value_or_fail(desk::remove_snapshots(options.target));
        if (::unlink(options.target.c_str()) != 0)
            throw CommandFailed{fail_errno(errno, "cannot remove " + options.target).value()};
        if (options.as_json)
            fmt::print("{}", pretty(json::object{{"removed", options.target}}));
        else
            fmt::print("the desk {} is removed\n", options.target);
    }

    void export_to(const DeskOptions& options) override {
        if (options.encrypt || options.decrypt)
            return export_converted(options);
        const auto copied = wants_packed(options) ? desk::pack(options.target, options.file)
                                                  : desk::copy_image(options.target, options.file);
        say_copied(options, value_or_fail(copied), options.target, options.file);
    }

    void import_from(const DeskOptions& options) override {
        if (!options.owner.empty())
            throw CommandFailed{Error{Errc::invalid_argument,
                                      "a desk that comes from a file keeps its owner",
                                      "leave out --owner", 0}};
        const auto copied = desk::looks_packed(options.file)
                                ? desk::unpack(options.file, options.target)
                                : desk::copy_image(options.file, options.target);
        say_copied(options, value_or_fail(copied), options.file, options.target);
    }

    void snapshot(const DeskOptions& options) override {
        if (options.forget) {
            value_or_fail(desk::remove_snapshot(options.target, options.snapshot));
            return say(
                options, json::object{{"removed", options.snapshot}},
                fmt::format("the snapshot {} of {} is removed", options.snapshot, options.target));
        }
        const auto made = value_or_fail(desk::take_snapshot(options.target, options.snapshot));
        say(options, described(made),
            fmt::format("{} is kept as it is now, as {}{}", options.target, made.name,
                        made.shared ? ", and takes no space until it changes" : ""));
    }

    void restore(const DeskOptions& options) override {
        const auto header = value_or_fail(desk::restore_snapshot(options.target, options.snapshot));
        say_header(options, header,
                   fmt::format("{} is what it was at {}", options.target, options.snapshot));
    }

    void diff(const DeskOptions& options) override { diff_desk_file(options); }

    void check_out(const DeskOptions& options) override {
        const auto place = place_of(options);
        const auto copied = value_or_fail(desk::check_out(options.target, options.file, place));
        if (options.as_json)
            return say_copied(options, copied, options.target, options.file);
        fmt::print("{} is the desk now, at {}; {} stays and is not opened until it comes back\n",
                   options.file, place, options.target);
    }

    void check_in(const DeskOptions& options) override {
        const auto header = value_or_fail(
            options.forget ? desk::call_off(options.target)
                           : desk::check_in(options.file, options.target, place_of(options)));
        say_header(options, header,
                   options.forget
                       ? fmt::format("{} is used again as it was; a copy that turns up later is "
                                     "not taken in",
                                     options.target)
                       : fmt::format("{} is back in {}", options.file, options.target));
    }
};

} // namespace

std::unique_ptr<Desks> detached_desks() {
    return std::make_unique<DetachedDesks>();
}

} // namespace baton::cli
