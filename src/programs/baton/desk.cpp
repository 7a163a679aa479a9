/// `baton desk`: the commands; what they do is in managed_desk.cpp and detached_desk.cpp.
#include "programs/baton/desk.h"

#include "model/size.h"

#include <fmt/format.h>

namespace baton::cli {

namespace {

Desks& desks_of(const DeskOptions& options) {
    static const std::unique_ptr<Desks> managed = managed_desks();
    static const std::unique_ptr<Desks> detached = detached_desks();
    return is_desk_file(options.target) ? *detached : *managed;
}

CLI::App* add_command(CLI::App* group, const std::shared_ptr<DeskOptions>& options,
                      const std::string& name, const std::string& about,
                      const std::string& example) {
    CLI::App* command = group->add_subcommand(name, about);
    command->footer("Example: " + example);
    auto connection = add_connection(command);
    command->preparse_callback(
        [options, connection](std::size_t) { options->connection = connection; });
    return command;
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

} // namespace

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
    add_json(exported, options);
    exported->callback([options] { desks_of(*options).export_to(*options); });

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
