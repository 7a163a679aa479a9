#include "osimage/build.h"

#include "osimage/hash.h"

#include <boost/json.hpp>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <unistd.h>

namespace baton::osimage {

namespace fs = std::filesystem;

namespace {

/// A recipe is an executable file directly in the recipes' folder whose name is a plain one;
/// everything else there (lib.sh, common/, tiny.d/) belongs to recipes.
bool is_recipe(const fs::path& path) {
    return fs::is_regular_file(path) && ::access(path.c_str(), X_OK) == 0 &&
           check_name("recipe", path.filename().string()) && !path.has_extension();
}

/// Whether a change of this file (relative to the recipes' folder) changes what `recipe` makes.
bool matters_to(const std::string& recipe, const fs::path& folder, const fs::path& relative) {
    const auto first = relative.begin()->string();
    if (first == recipe || first == recipe + ".d")
        return true;
    const bool of_another = first.ends_with(".d") || is_recipe(folder / first);
    return !of_another;
}

Result<void> check_settings(const BuildSettings& settings) {
    const auto names = recipes_in(settings.recipes_folder);
    if (!names)
        return tl::unexpected(names.error());
    if (std::find(names->begin(), names->end(), settings.recipe) == names->end()) {
        std::string there;
        for (const auto& name : *names)
            there += (there.empty() ? "" : ", ") + name;
        return fail(Errc::not_found, "there is no recipe '" + settings.recipe + "'",
                    "there are: " + (there.empty() ? "none in " + settings.recipes_folder : there));
    }
    if (::access(settings.guest_binary.c_str(), R_OK) != 0)
        return fail(Errc::not_found, "the guest program " + settings.guest_binary + " is not there",
                    "build it, or say where it is with --guest-binary");
    return {};
}

/// Where the recipe's last words stay for whoever looks for the fault.
std::string keep_log(const BuildSettings& settings, const std::string& text) {
    const auto path = settings.cache_folder + "/build-" + settings.recipe + ".log";
    return write_file(path, text, 0644) ? path : std::string();
}

Result<Draft> run_recipe(const BuildSettings& settings, const std::string& output,
                         const std::string& version) {
    auto command = recipe_command(settings, output, version);
    command.on_line = [&](std::string_view line) {
        int percent = 0;
        std::string text;
        if (settings.progress && parse_progress(line, percent, text))
            settings.progress(percent, text);
    };
    const auto finished = process::run(command);
    const auto doing = "building the OS image '" + settings.recipe + "'";
    if (!finished)
        return tl::unexpected(finished.error().in(doing));
    if (finished->status != 0) {
        const auto log = keep_log(settings, finished->error);
        const auto said = process::last_line(finished->error);
        return fail(process::failure_code(*finished),
                    doing + ": its recipe failed with status " + std::to_string(finished->status) +
                        (said.empty() ? ", without a word" : ": " + said),
                    log.empty() ? "" : "what it said is in " + log);
    }
    const auto text = read_file(output + "/recipe.json", 65'536);
    if (!text)
        return tl::unexpected(text.error().in(doing + ": its recipe left no description"));
    auto draft = draft_from_recipe_json(*text);
    if (!draft)
        return tl::unexpected(draft.error().in(doing));
    draft->name = settings.recipe;
    draft->version = version;
    return draft;
}

} // namespace

Result<std::vector<std::string>> recipes_in(const std::string& folder) {
    std::vector<std::string> names;
    std::error_code wrong;
    for (fs::directory_iterator entry(folder, wrong), end; !wrong && entry != end;
         entry.increment(wrong))
        if (is_recipe(entry->path()))
            names.push_back(entry->path().filename().string());
    if (wrong)
        return fail_errno(wrong.value(), "cannot read the recipes in " + folder,
                          "say where they are with --recipes or BATON_RECIPES");
    std::sort(names.begin(), names.end());
    return names;
}

Result<std::string> inputs_of(const BuildSettings& settings) {
    const fs::path folder = settings.recipes_folder;
    std::vector<fs::path> files;
    std::error_code wrong;
    for (fs::recursive_directory_iterator entry(folder, wrong), end; !wrong && entry != end;
         entry.increment(wrong)) {
        const auto relative = entry->path().lexically_relative(folder);
        if (entry->is_regular_file() && matters_to(settings.recipe, folder, relative))
            files.push_back(relative);
    }
    if (wrong)
        return fail_errno(wrong.value(), "cannot read the recipes in " + settings.recipes_folder);
    std::sort(files.begin(), files.end());
    std::string all;
    for (const auto& file : files) {
        const auto hash = sha256_file((folder / file).string());
        if (!hash)
            return tl::unexpected(hash.error());
        all += file.string() + " " + *hash + "\n";
    }
    // the guest program may be a link of an installation: what it points to counts
    const auto real = fs::canonical(settings.guest_binary, wrong);
    const auto guest = sha256_file(wrong ? settings.guest_binary : real.string());
    if (!guest)
        return tl::unexpected(guest.error());
    return sha256_text(settings.recipe + "\n" + all + "guest " + *guest + "\n");
}

process::Command contained_recipe(const std::string& recipe) {
    process::Command command;
    command.words = {"unshare", "--mount", "--propagation",        "private",
                     "--pid",   "--fork",  "--kill-child=SIGKILL", "--mount-proc",
                     recipe};
    command.environment = {"LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive"};
    return command;
}

process::Command recipe_command(const BuildSettings& settings, const std::string& output,
                                const std::string& version) {
    auto command = contained_recipe(settings.recipes_folder + "/" + settings.recipe);
    command.words.insert(command.words.end(),
                         {"--output", output, "--guest-binary", settings.guest_binary, "--cache",
                          settings.cache_folder, "--version", version});
    command.deadline = settings.deadline;
    command.cancel_fd = settings.cancel_fd;
    return command;
}

bool parse_progress(std::string_view line, int& percent, std::string& text) {
    constexpr std::string_view prefix = "progress: ";
    if (!line.starts_with(prefix))
        return false;
    line.remove_prefix(prefix.size());
    const auto [end, wrong] = std::from_chars(line.data(), line.data() + line.size(), percent);
    if (wrong != std::errc() || percent < 0 || percent > 100)
        return false;
    line.remove_prefix(static_cast<std::size_t>(end - line.data()));
    if (!line.empty() && line.front() != ' ')
        return false;
    line.remove_prefix(std::min<std::size_t>(1, line.size()));
    text.clear();
    for (const char c : line.substr(0, 200))
        if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f)
            text += c;
    return true;
}

Result<Draft> draft_from_recipe_json(std::string_view text) {
    const auto wrong_field = [](const std::string& field, const std::string& wanted) {
        return fail(Errc::corrupt,
                    "the recipe's recipe.json is wrong: '" + field + "' is not " + wanted);
    };
    boost::system::error_code wrong;
    const auto value = boost::json::parse(text, wrong);
    if (wrong || !value.is_object())
        return wrong_field("(all of it)", "a JSON object");
    const auto& object = value.get_object();
    Draft draft;
    for (const auto& [name, place] : {std::pair{"description", &draft.description},
                                      std::pair{"kernel_arguments", &draft.kernel_arguments},
                                      std::pair{"firmware", &draft.firmware}}) {
        const auto* field = object.if_contains(name);
        if (field == nullptr || !field->is_string())
            return wrong_field(name, "a text");
        *place = std::string(field->get_string());
    }
    const auto* memory = object.if_contains("minimum_memory_mib");
    if (memory == nullptr || !memory->is_int64() || memory->get_int64() <= 0)
        return wrong_field("minimum_memory_mib", "a whole number over zero");
    draft.minimum_memory = Mebibytes(memory->get_int64());
    const auto* agent = object.if_contains("has_guest_agent");
    if (agent == nullptr || !agent->is_bool())
        return wrong_field("has_guest_agent", "true or false");
    draft.has_guest_agent = agent->get_bool();
    return draft;
}

Result<Built> build(Library& library, const BuildSettings& settings) {
    BATON_TRY(check_settings(settings));
    if (::geteuid() != 0)
        return fail(Errc::forbidden,
                    "an OS image is built as root (it is put together with mounts)",
                    "run it through sudo");
    BATON_TRY(make_folder(settings.cache_folder));
    auto workshop = library.workshop(settings.waiting);
    if (!workshop)
        return tl::unexpected(workshop.error());
    // asked only now: the build that we may have waited for may have been of the same
    const auto inputs = inputs_of(settings);
    if (!inputs)
        return tl::unexpected(inputs.error());
    if (!settings.again) {
        const auto same = library.made_from(settings.recipe, *inputs);
        if (!same)
            return tl::unexpected(same.error());
        if (*same && library.open((*same)->id)) // a damaged one is made anew
            return Built{**same, true};
    }
    const auto version = library.next_version(settings.recipe);
    if (!version)
        return tl::unexpected(version.error());
    auto draft = run_recipe(settings, workshop->folder(), *version);
    if (!draft)
        return tl::unexpected(draft.error());
    draft->inputs_sha256 = *inputs;
    if (settings.progress)
        settings.progress(99, "recording and publishing");
    auto manifest = library.publish(std::move(*workshop), *draft);
    if (!manifest)
        return tl::unexpected(manifest.error());
    return Built{std::move(*manifest), false};
}

} // namespace baton::osimage
