/// `baton desk`: the commands; what they do is in managed_desk.cpp and detached_desk.cpp.
#include "programs/baton/desk.h"

#include "model/size.h"
#include "process/secret.h"
#include "programs/baton/output.h"

#include <fmt/format.h>

#include <array>
#include <unistd.h>

namespace baton::cli {

namespace {

Desks& desks_of(const DeskOptions& options) {
    static const std::unique_ptr<Desks> managed = managed_desks();
    static const std::unique_ptr<Desks> detached = detached_desks();
    return is_desk_file(options.target) ? *detached : *managed;
}

void add_target(CLI::App* command, const std::shared_ptr<DeskOptions>& options) {
    command
        ->add_option("DESK", options->target,
                     "a managed desk's name, or a file with a '/' in it: ./kim.desk")
        ->required();
}

void add_json(CLI::App* command, const std::shared_ptr<DeskOptions>& options) {
    command->add_flag("--json", options->as_json, "JSON for programs (docs/cli.md)");
}

void add_passphrase(CLI::App* command, const std::shared_ptr<DeskOptions>& options) {
    command->add_option("--passphrase-file", options->passphrase_file,
                        "a file whose first line is the passphrase, -: standard input; without it, "
                        "it is asked for");
}

void add_copies(CLI::App* group, const std::shared_ptr<DeskOptions>& options) {
    CLI::App* kept = add_command(group, options, "snapshot",
                                 "Keep how a desk that nobody uses is now, under a name",
                                 "baton desk snapshot ./kim.desk before-exam");
    add_target(kept, options);
    kept->add_option("NAME", options->snapshot, "the snapshot's name")->required();
    kept->add_flag("--remove", options->forget, "remove this snapshot");
    add_json(kept, options);
    kept->callback([options] { desks_of(*options).snapshot(*options); });

    CLI::App* restored =
        add_command(group, options, "restore", "Make a desk what it was; what came since is gone",
                    "baton desk restore ./kim.desk before-exam");
    add_target(restored, options);
    restored->add_option("NAME", options->snapshot, "a snapshot's name")->required();
    add_json(restored, options);
    restored->callback([options] { desks_of(*options).restore(*options); });

    CLI::App* compared = add_command(
        group, options, "diff", "What a desk in a file changed over its bases, and what it holds",
        "baton desk diff ./kim.desk --summary");
    add_target(compared, options);
    compared->add_flag("--summary", options->summary, "no list of files");
    compared->add_option("--over", options->over, "the system in this folder is the base")
        ->capture_default_str();
    compared->add_option("--policy", options->policy, "the player's policy, if not the usual one");
    add_json(compared, options);
    compared->callback([options] { desks_of(*options).diff(*options); });

    CLI::App* out =
        add_command(group, options, "checkout",
                    "Take a desk away in a file; nobody opens the one that stays meanwhile",
                    "baton desk checkout kim /media/stick/kim.desk");
    add_target(out, options);
    out->add_option("FILE", options->file, "where to, for example on a stick")->required();
    out->add_option("--to", options->place,
                    "what the place is called, for people; without it, this machine's name");
    add_json(out, options);
    out->callback([options] { desks_of(*options).check_out(*options); });

    CLI::App* in = add_command(group, options, "checkin", "Bring a desk back that was taken away",
                               "baton desk checkin kim /media/stick/kim.desk");
    add_target(in, options);
    CLI::Option* file = in->add_option("FILE", options->file, "the copy that was away");
    in->add_flag("--lost", options->forget,
                 "there is no copy any more: use the desk as it was when it was taken away")
        ->excludes(file);
    in->add_option("--to", options->place,
                   "what the desk's place is called in the copy that stays behind");
    add_json(in, options);
    in->callback([options] {
        if (options->file.empty() && !options->forget)
            throw CommandFailed{Error{Errc::invalid_argument, "which file comes back?",
                                      "name it, or say --lost if there is none any more", 0}};
        desks_of(*options).check_in(*options);
    });
}

} // namespace

std::string passphrase_for(const DeskOptions& options, bool is_new) {
    if (!options.passphrase_file.empty())
        return value_or_fail(process::read_secret(options.passphrase_file));
    const auto ask = [](const std::string& prompt) {
        auto line = process::ask_secret(prompt);
        if (!line && line.error().code == Errc::not_found)
            throw CommandFailed{Error{Errc::invalid_argument,
                                      "there is no terminal to ask for a passphrase on",
                                      "name a file that holds it: --passphrase-file FILE", 0}};
        return value_or_fail(std::move(line));
    };
    const auto first = ask(is_new ? "new passphrase" : "passphrase of " + options.target);
    if (is_new && ask("the same once more") != first)
        throw CommandFailed{
            Error{Errc::invalid_argument, "the two passphrases are not the same", "try again", 0}};
    return first;
}

std::string place_of(const DeskOptions& options) {
    if (!options.place.empty())
        return options.place;
    std::array<char, 256> host{};
    ::gethostname(host.data(), host.size() - 1);
    std::string name;
    for (const char* c = host.data(); *c != '\0' && *c != '.' && name.size() < 63; ++c) {
        const char low = *c >= 'A' && *c <= 'Z' ? static_cast<char>(*c - 'A' + 'a') : *c;
        if ((low >= 'a' && low <= 'z') || (low >= '0' && low <= '9') ||
            (low == '-' && !name.empty()))
            name += low;
    }
    return name.empty() ? "elsewhere" : name;
}

void say(const DeskOptions& options, const boost::json::object& object,
         const std::string& sentence) {
    if (options.as_json)
        fmt::print("{}", pretty(object));
    else
        fmt::print("{}\n", sentence);
}

bool wants_packed(const DeskOptions& options) {
    return options.packed || options.file.ends_with(".zst");
}

bool is_desk_file(const std::string& target) {
    return target.find('/') != std::string::npos;
}

void add_desk(CLI::App& app) {
    auto options = std::make_shared<DeskOptions>();
    CLI::App* group =
        app.add_subcommand("desk", "People's own data: create, list, check, export, import");
    group->require_subcommand(1);

    CLI::App* created = add_command(group, options, "create", "Make a desk for a person",
                                    "baton desk create kim --size 8GiB");
    add_target(created, options);
    created->add_option("--owner", options->owner,
                        "whose it is; without it, the person of the desk's name");
    created->add_option_function<std::string>(
        "--size",
        [options](const std::string& text) {
            options->size_bytes = value_or_fail(parse_mebibytes(text)).bytes();
        },
        "size of its file system; it takes no more space than it holds");
    created->add_flag("--encrypt", options->encrypt,
                      "of a file: nobody reads it without a passphrase");
    add_passphrase(created, options);
    add_json(created, options);
    created->callback([options] { desks_of(*options).create(*options); });

    CLI::App* listed = add_command(group, options, "list", "Managed desks", "baton desk list");
    add_json(listed, options);
    listed->callback([options] { list_desks(*options); });

    CLI::App* shown = add_command(group, options, "show", "One desk", "baton desk show kim");
    add_target(shown, options);
    shown->add_option_function<std::string>(
        "--files", [options](const std::string& folder) { options->files = folder; },
        "list this folder of it instead, for example /fwd/home (files only)");
    add_json(shown, options);
    shown->callback([options] { desks_of(*options).show(*options); });

    CLI::App* checked = add_command(group, options, "check",
                                    "Check a desk that nobody uses; exit status 8 if it is damaged",
                                    "baton desk check kim");
    add_target(checked, options);
    checked->add_flag("--repair", options->repair, "mend what can be mended");
    add_json(checked, options);
    checked->callback([options] { desks_of(*options).check(*options); });

    CLI::App* removed =
        add_command(group, options, "remove", "Remove a desk for good, with everything in it",
                    "baton desk remove kim");
    add_target(removed, options);
    add_json(removed, options);
    removed->callback([options] { desks_of(*options).remove(*options); });

    CLI::App* exported =
        add_command(group, options, "export", "A desk that nobody uses, copied into a file",
                    "baton desk export kim ./kim.desk");
    add_target(exported, options);
    exported->add_option("FILE", options->file, "where to")->required();
    exported->add_flag("--packed", options->packed,
                       "compressed, with a hash; so is a FILE that ends with .zst");
    exported->add_flag("--encrypt", options->encrypt, "from a file: under a passphrase");
    exported->add_flag("--decrypt", options->decrypt, "from an encrypted file: not encrypted")
        ->excludes("--encrypt");
    add_passphrase(exported, options);
    add_json(exported, options);
    exported->callback([options] { desks_of(*options).export_to(*options); });

    add_copies(group, options);

    CLI::App* imported = add_command(group, options, "import", "A desk from a file, packed or not",
                                     "baton desk import ./kim.desk kim --owner kim");
    imported->add_option("FILE", options->file, "where from")->required();
    imported->add_option("DESK", options->target, "the new desk's name, or its file")->required();
    imported->add_option("--owner", options->owner,
                         "whose it is; without it, the person of the desk's name");
    add_json(imported, options);
    imported->callback([options] { desks_of(*options).import_from(*options); });
}

} // namespace baton::cli
