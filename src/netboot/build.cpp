#include "netboot/build.h"

#include "osimage/hash.h"

#include <boost/json.hpp>

#include <algorithm>
#include <array>
#include <ctime>
#include <filesystem>
#include <unistd.h>

namespace fs = std::filesystem;
namespace json = boost::json;

namespace baton::netboot {

namespace {

constexpr std::size_t longest_draft = 65'536;

std::string now_utc() {
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    ::gmtime_r(&now, &parts);
    std::array<char, 32> text{};
    std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
    return text.data();
}

Result<void> check_settings(const BuildSettings& settings) {
    if (::access((settings.client_folder + "/build").c_str(), X_OK) != 0)
        return fail(Errc::not_found,
                    "the client's recipe is not at " + settings.client_folder + "/build",
                    "say where it is with --recipe");
    if (::access(settings.authority.c_str(), R_OK) != 0)
        return fail(Errc::not_found,
                    "the site's certificate authority cannot be read at " + settings.authority,
                    "start batond once, which makes it, or say where it is with --authority");
    for (const auto& name : settings.packages)
        if (name.empty() ||
            !std::ranges::all_of(name,
                                 [](char c) {
                                     return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                                            c == '+' || c == '-' || c == '.';
                                 }) ||
            name.front() == '-')
            return fail(Errc::invalid_argument, "'" + name + "' is not the name of a package");
    if (settings.program.find('\n') != std::string::npos)
        return fail(Errc::invalid_argument, "the program for the client's screen is one line");
    return {};
}

/// What the recipe said stays for whoever looks for the fault.
tl::unexpected<Error> recipe_failed(const BuildSettings& settings,
                                    const process::Finished& finished) {
    const auto log = settings.cache_folder + "/build-client.log";
    const bool kept = osimage::write_file(log, finished.error, 0644).has_value();
    const auto said = process::last_line(finished.error);
    return fail(process::failure_code(finished),
                "building the client image: its recipe failed with status " +
                    std::to_string(finished.status) +
                    (said.empty() ? ", without a word" : ": " + said),
                kept ? "what it said is in " + log : "");
}

Result<Manifest> run_recipe(const BuildSettings& settings, const std::string& output) {
    auto command = build_command(settings, output);
    command.on_line = [&](std::string_view line) {
        int percent = 0;
        std::string text;
        if (settings.progress && osimage::parse_progress(line, percent, text))
            settings.progress(percent, text);
    };
    const auto finished = process::run(command);
    if (!finished)
        return tl::unexpected(finished.error().in("building the client image"));
    if (finished->status != 0)
        return recipe_failed(settings, *finished);
    const auto text = osimage::read_file(output + "/client.json", longest_draft);
    if (!text)
        return tl::unexpected(text.error().in("the client's recipe left no description"));
    return draft_from_json(*text);
}

} // namespace

process::Command build_command(const BuildSettings& settings, const std::string& output) {
    auto command = osimage::contained_recipe(settings.client_folder + "/build");
    command.words.insert(command.words.end(), {"--output", output, "--cache", settings.cache_folder,
                                               "--common", settings.recipes_folder + "/common.sh",
                                               "--authority", settings.authority});
    for (const auto& [option, value] :
         {std::pair{"--program", settings.program}, std::pair{"--viewer", settings.viewer}})
        if (!value.empty())
            command.words.insert(command.words.end(), {option, value});
    for (const auto& name : settings.packages)
        command.words.insert(command.words.end(), {"--package", name});
    command.deadline = settings.deadline;
    command.cancel_fd = settings.cancel_fd;
    return command;
}

Result<std::string> inputs_of(const BuildSettings& settings) {
    const fs::path folder = settings.client_folder;
    std::vector<std::string> files;
    std::error_code wrong;
    for (fs::recursive_directory_iterator entry(folder, wrong), end; !wrong && entry != end;
         entry.increment(wrong))
        if (entry->is_regular_file())
            files.push_back(entry->path().lexically_relative(folder).string());
    if (wrong)
        return fail_errno(wrong.value(), "cannot read the client's recipe in " + folder.string());
    std::ranges::sort(files);
    std::string all = "program " + settings.program + "\n";
    for (const auto& name : settings.packages)
        all += "package " + name + "\n";
    const auto add = [&all](const std::string& name, const std::string& path) -> Result<void> {
        // programs and certificates may be links of an installation: what they point to counts
        std::error_code not_there;
        const auto real = fs::canonical(path, not_there);
        const auto hash = osimage::sha256_file(not_there ? path : real.string());
        if (!hash)
            return tl::unexpected(hash.error());
        all += name + " " + *hash + "\n";
        return {};
    };
    for (const auto& file : files)
        BATON_TRY(add(file, (folder / file).string()));
    BATON_TRY(add("common.sh", settings.recipes_folder + "/common.sh"));
    BATON_TRY(add("authority", settings.authority));
    if (!settings.viewer.empty())
        BATON_TRY(add("viewer", settings.viewer));
    return osimage::sha256_text(all);
}

Result<Manifest> draft_from_json(std::string_view text) {
    const auto wrong_field = [](const std::string& field) {
        return fail(Errc::corrupt, "the recipe's client.json is wrong at '" + field + "'");
    };
    boost::system::error_code wrong;
    const auto value = json::parse(text, wrong);
    if (wrong || !value.is_object())
        return wrong_field("(all of it)");
    Manifest draft;
    for (const auto& [name, place] : {std::pair{"description", &draft.description},
                                      std::pair{"kernel_arguments", &draft.kernel_arguments}}) {
        const auto* field = value.get_object().if_contains(name);
        if (field == nullptr || !field->is_string())
            return wrong_field(name);
        *place = std::string(field->get_string());
    }
    const auto* memory = value.get_object().if_contains("minimum_memory_mib");
    if (memory == nullptr || !memory->is_int64() || memory->get_int64() <= 0)
        return wrong_field("minimum_memory_mib");
    draft.minimum_memory = Mebibytes(memory->get_int64());
    return draft;
}

Result<Built> build(Folder& folder, const BuildSettings& settings) {
    BATON_TRY(check_settings(settings));
    if (::geteuid() != 0)
        return fail(Errc::forbidden,
                    "a client image is built as root (it is put together so that "
                    "its files belong to root)",
                    "run it through sudo");
    BATON_TRY(osimage::make_folder(settings.cache_folder));
    auto workshop = folder.workshop(settings.waiting);
    if (!workshop)
        return tl::unexpected(workshop.error());
    const auto inputs = inputs_of(settings);
    if (!inputs)
        return tl::unexpected(inputs.error());
    const auto now = folder.current();
    if (!settings.again && now && *now && (*now)->inputs_sha256 == *inputs &&
        folder.verify(**now)) // a damaged one is made anew
        return Built{**now, true};
    auto draft = run_recipe(settings, workshop->folder());
    if (!draft)
        return tl::unexpected(draft.error());
    std::error_code wrong;
    const auto root = workshop->folder() + "/" + std::string(root_name);
    const auto size = static_cast<std::int64_t>(fs::file_size(root, wrong));
    if (wrong)
        return fail_errno(wrong.value(), "the client's recipe left no " + std::string(root_name));
    if (size > largest_root)
        return fail(Errc::refused,
                    "the root would take " + std::to_string(size) +
                        " bytes of every client's "
                        "memory, and may have " +
                        std::to_string(largest_root),
                    "leave out packages (--package)");
    draft->created = now_utc();
    draft->inputs_sha256 = *inputs;
    if (settings.progress)
        settings.progress(99, "recording and publishing");
    auto manifest = folder.publish(std::move(*workshop), std::move(*draft));
    if (!manifest)
        return tl::unexpected(manifest.error());
    return Built{std::move(*manifest), false};
}

} // namespace baton::netboot
