/// `baton os`: immutable OS images.
#include "osimage/build.h"
#include "osimage/import.h"
#include "osimage/library.h"
#include "programs/baton/building.h"
#include "programs/baton/commands.h"
#include "programs/baton/output.h"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <filesystem>
#include <memory>

namespace baton::cli {

namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

struct OsOptions {
    std::string library = osimage::Library::default_folder();
    bool as_json = false;
    std::string id;
    // build
    std::string recipe;
    std::string recipes;
    std::string guest_binary;
    std::string cache;
    bool again = false;
    // import
    osimage::ImportSettings import;
    std::string minimum_memory = "256MiB";
    bool no_agent = false;
};

std::string recipes_folder(const OsOptions& options) {
    return options.recipes.empty() ? shared_folder("BATON_RECIPES", "recipes") : options.recipes;
}

osimage::Library open_library(const OsOptions& options) {
    return value_or_fail(osimage::Library::open_folder(options.library));
}

json::value to_value(const osimage::Manifest& manifest) {
    auto value = json::parse(osimage::to_json(manifest));
    value.as_object().erase("digest");
    value.as_object().erase("format");
    return value;
}

void print_json(const json::value& value) {
    fmt::print("{}\n", json::serialize(value));
}

std::int64_t size_of(const osimage::Manifest& manifest) {
    std::int64_t bytes = 0;
    for (const auto& file : manifest.files)
        bytes += file.size_bytes;
    return bytes;
}

void print_manifest(const osimage::Manifest& image) {
    fmt::print("{:<16}{}\n", "id", image.id.value);
    fmt::print("{:<16}{}\n", "description", image.description);
    fmt::print("{:<16}{}\n", "created", moment(image.created));
    fmt::print("{:<16}{}\n", "boots by",
               image.kernel_arguments.empty() && image.files.size() == 1
                   ? "its firmware (" + image.firmware + ")"
                   : "its kernel: " + image.kernel_arguments);
    fmt::print("{:<16}{}\n", "least memory", to_string(image.minimum_memory));
    fmt::print("{:<16}{}\n", "guest agent", image.has_guest_agent ? "yes" : "no");
    for (const auto& file : image.files)
        fmt::print("{:<16}{}  {}\n", file.name, file.sha256, human_bytes(file.size_bytes));
}

void build(const OsOptions& options) {
    ProgressLine line;
    auto library = open_library(options);
    osimage::BuildSettings settings;
    settings.recipe = options.recipe;
    settings.recipes_folder = recipes_folder(options);
    settings.guest_binary = options.guest_binary.empty() ? (own_folder() / "baton-guest").string()
                                                         : options.guest_binary;
    settings.cache_folder = fs::absolute(options.cache).string();
    settings.again = options.again;
    settings.cancel_fd = interruption();
    settings.progress = [&](int percent, const std::string& text) { line.show(percent, text); };
    settings.waiting = [&] { line.show(0, "another image is being made; waiting for it"); };
    const auto built = value_or_fail(osimage::build(library, settings));
    line.show(100, "done");
    if (options.as_json) {
        auto value = to_value(built.manifest);
        value.as_object()["unchanged"] = built.unchanged;
        print_json(value);
    } else if (built.unchanged) {
        fmt::print("{}: nothing has changed since it was built ({})\n", built.manifest.id.value,
                   moment(built.manifest.created));
    } else {
        fmt::print("{}: built, {}\n", built.manifest.id.value,
                   human_bytes(size_of(built.manifest)));
    }
}

void import(OsOptions& options) {
    ProgressLine line;
    auto library = open_library(options);
    auto settings = options.import;
    settings.draft.minimum_memory = value_or_fail(parse_mebibytes(options.minimum_memory));
    settings.draft.has_guest_agent = !options.no_agent;
    settings.cancel_fd = interruption();
    settings.progress = [&](int percent, const std::string& text) { line.show(percent, text); };
    settings.waiting = [&] { line.show(0, "another image is being made; waiting for it"); };
    const auto image = value_or_fail(osimage::import_image(library, settings));
    if (options.as_json)
        print_json(to_value(image));
    else
        fmt::print("{}: imported, {}\n", image.id.value, human_bytes(size_of(image)));
}

void list(const OsOptions& options) {
    const auto rows = value_or_fail(open_library(options).list());
    if (options.as_json) {
        json::array array;
        for (const auto& row : rows) {
            json::value value =
                row.manifest ? to_value(*row.manifest) : json::object{{"id", row.id.value}};
            if (row.fault)
                value.as_object()["fault"] = row.fault->message();
            array.push_back(std::move(value));
        }
        print_json(array);
        return;
    }
    if (rows.empty()) {
        fmt::print("There are no OS images in {}. Make one with: baton os build tiny\n",
                   options.library);
        return;
    }
    fmt::print("{:<24}{:>10}  {:>8}  {:<21} {}\n", "ID", "SIZE", "MEMORY", "CREATED",
               "DESCRIPTION");
    for (const auto& row : rows) {
        if (row.manifest)
            fmt::print("{:<24}{:>10}  {:>8}  {:<21} {}\n", row.id.value,
                       human_bytes(size_of(*row.manifest)), to_string(row.manifest->minimum_memory),
                       row.manifest->created, row.manifest->description);
        else
            fmt::print("{:<24}DAMAGED: {}\n", row.id.value, row.fault->message());
    }
}

void show(const OsOptions& options) {
    const auto image = value_or_fail(open_library(options).resolve(options.id));
    if (options.as_json)
        print_json(to_value(image));
    else
        print_manifest(image);
}

void verify(const OsOptions& options) {
    auto library = open_library(options);
    const auto image = value_or_fail(library.resolve(options.id));
    {
        ProgressLine line;
        value_or_fail(library.verify(image.id, line.of_bytes("reading " + image.id.value)));
    }
    if (options.as_json)
        print_json({{"id", image.id.value}, {"verified", true}, {"bytes", size_of(image)}});
    else
        fmt::print("{}: whole, {} read\n", image.id.value, human_bytes(size_of(image)));
}

void remove(const OsOptions& options) {
    auto library = open_library(options);
    value_or_fail(library.remove(OsImageId(options.id)));
    if (options.as_json)
        print_json({{"id", options.id}, {"removed", true}});
    else
        fmt::print("{}: removed\n", options.id);
}

/// A subcommand with the options that all of them have.
CLI::App* add(CLI::App& os, const std::shared_ptr<OsOptions>& options, const std::string& name,
              const std::string& about, void (*action)(OsOptions&)) {
    auto* command = os.add_subcommand(name, about);
    command->add_option("--library", options->library, "The folder of OS images")
        ->envname("BATON_IMAGES")
        ->capture_default_str();
    command->add_flag("--json", options->as_json, "Print the result as JSON");
    command->callback([options, action] { action(*options); });
    return command;
}

} // namespace

void add_os(CLI::App& app) {
    auto options = std::make_shared<OsOptions>();
    auto* os = app.add_subcommand("os", "OS images: read-only, versioned, shared by all desktops");
    os->require_subcommand(1);

    auto* build_command = add(*os, options, "build", "Make an image from Debian's packages",
                              [](OsOptions& o) { build(o); });
    build_command->add_option("RECIPE", options->recipe, "tiny or desktop")->required();
    build_command->add_option("--recipes", options->recipes, "The folder of recipes");
    build_command->add_option("--guest-binary", options->guest_binary,
                              "The baton-guest to put into it (default: the one beside baton)");
    options->cache = "/var/cache/baton";
    build_command->add_option("--cache", options->cache, "Where Debian's packages are kept")
        ->envname("BATON_CACHE")
        ->capture_default_str();
    build_command->add_flag("--again", options->again,
                            "Build a new version although nothing of ours has changed (to take "
                            "what is new in Debian)");

    auto& wanted = options->import;
    auto* import_command = add(*os, options, "import", "Take an image of your own (a qcow2 file)",
                               [](OsOptions& o) { import(o); });
    import_command->add_option("FILE", wanted.disk, "The qcow2 file")->required();
    import_command->add_option("--name", wanted.draft.name, "What it is to be called")->required();
    import_command->add_option("--version", wanted.draft.version,
                               "Its version (default: the next number)");
    import_command->add_option("--description", wanted.draft.description, "One line for people");
    import_command->add_flag("--no-agent", options->no_agent,
                             "There is no baton-guest in it: ready as soon as it runs");
    import_command->add_option("--firmware", wanted.draft.firmware, "bios or uefi")
        ->capture_default_str();
    import_command->add_option("--kernel", wanted.kernel, "Boot this kernel directly");
    import_command->add_option("--initrd", wanted.initrd, "The kernel's initial RAM disk");
    import_command->add_option("--append", wanted.draft.kernel_arguments, "The kernel's arguments");
    import_command
        ->add_option("--minimum-memory", options->minimum_memory,
                     "The least memory that a desktop of it needs")
        ->capture_default_str();

    add(*os, options, "list", "All images, damaged ones too", [](OsOptions& o) { list(o); });
    auto* show_command = add(*os, options, "show", "One image", [](OsOptions& o) { show(o); });
    auto* verify_command = add(*os, options, "verify", "Read an image again and compare",
                               [](OsOptions& o) { verify(o); });
    auto* remove_command = add(*os, options, "remove", "Remove an image that nothing runs on",
                               [](OsOptions& o) { remove(o); });
    for (auto* command : {show_command, verify_command})
        command->add_option("IMAGE", options->id, "Its id (tiny-1), or its name for the newest")
            ->required();
    remove_command->add_option("IMAGE", options->id, "Its id (tiny-1)")->required();
}

} // namespace baton::cli
