/// The half of Library that puts images into their place.
#include "osimage/hash.h"
#include "osimage/library.h"
#include "osimage/verified.h"

#include <boost/json.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <ctime>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

namespace baton::osimage {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t longest_counters = 262'144;

/// With milliseconds: the newest of two images made in one second must still be told.
std::string now_rfc3339() {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    std::tm parts{};
    ::gmtime_r(&now.tv_sec, &parts);
    std::array<char, 32> text{};
    const auto size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
    const auto milliseconds = std::to_string(1000 + now.tv_nsec / 1'000'000);
    return std::string(text.data(), size) + "." + milliseconds.substr(1) + "Z";
}

Result<void> check_draft(const Draft& draft) {
    BATON_TRY(check_name("OS image name", draft.name));
    if (!draft.version.empty())
        BATON_TRY(check_name("OS image version", draft.version));
    if (draft.name.size() + draft.version.size() > 60)
        return fail(Errc::invalid_argument, "the OS image's name and version are too long together",
                    "60 characters are the most");
    if (draft.firmware != "bios" && draft.firmware != "uefi")
        return fail(Errc::invalid_argument, "the firmware '" + draft.firmware + "' is not known",
                    "choose bios or uefi");
    if (draft.minimum_memory.count <= 0)
        return fail(Errc::invalid_argument, "the least memory of an OS image must be over zero");
    return {};
}

Result<std::vector<File>> record_files(const std::string& folder, const Progress& progress) {
    std::vector<File> files;
    std::int64_t total = 0;
    for (const auto name : file_names) {
        const auto path = folder + "/" + std::string(name);
        struct stat is{};
        if (::lstat(path.c_str(), &is) != 0) {
            if (errno == ENOENT && name != file_names[0])
                continue;
            return fail_errno(errno, "the OS image has no " + std::string(name));
        }
        if (!S_ISREG(is.st_mode))
            return fail(Errc::invalid_argument,
                        std::string(name) + " of the OS image is not a plain file");
        files.push_back({std::string(name), is.st_size, {}});
        total += is.st_size;
    }
    std::int64_t before = 0;
    for (auto& file : files) {
        const auto path = folder + "/" + file.name;
        if (::chmod(path.c_str(), 0444) != 0)
            return fail_errno(errno, "cannot make " + path + " read-only");
        BATON_TRY(sync_path(path));
        auto hash = sha256_file(path, [&](std::int64_t bytes) {
            if (progress)
                progress(before + bytes, total);
        });
        if (!hash)
            return tl::unexpected(hash.error());
        file.sha256 = std::move(*hash);
        before += file.size_bytes;
    }
    return files;
}

/// What a recipe left beside the image's files is not part of it.
Result<void> drop_others(const std::string& folder, const Manifest& manifest) {
    std::vector<std::string> others;
    std::error_code wrong;
    for (fs::directory_iterator entry(folder, wrong), end; !wrong && entry != end;
         entry.increment(wrong)) {
        const auto name = entry->path().filename().string();
        bool ours = name == "manifest.json";
        for (const auto& file : manifest.files)
            ours = ours || file.name == name;
        if (!ours)
            others.push_back(entry->path().string());
    }
    for (const auto& path : others)
        BATON_TRY(remove_tree(path));
    return {};
}

/// Counters of the versions given out, by name: a removed image's id is not given again.
Result<boost::json::object> read_counters(const std::string& path) {
    auto text = read_file(path, longest_counters);
    if (!text && text.error().code == Errc::not_found)
        return boost::json::object{};
    if (!text)
        return tl::unexpected(text.error());
    boost::system::error_code wrong;
    auto value = boost::json::parse(*text, wrong);
    if (wrong || !value.is_object())
        return fail(Errc::corrupt, path + " is damaged",
                    "remove it; the versions then go on from the images that are there");
    return value.get_object();
}

} // namespace

Result<std::string> Library::next_version(const std::string& name) const {
    auto counters = read_counters(folder_ + "/.versions.json");
    if (!counters)
        return tl::unexpected(counters.error());
    std::uint64_t last = 0;
    if (const auto* value = counters->if_contains(name); value != nullptr && value->is_int64())
        last = static_cast<std::uint64_t>(std::max<std::int64_t>(0, value->get_int64()));
    const auto rows = list();
    if (!rows)
        return tl::unexpected(rows.error());
    for (const auto& row : *rows)
        if (row.id.value.starts_with(name + "-"))
            last = std::max(last, as_number(row.id.value.substr(name.size() + 1)).value_or(0));
    return std::to_string(last + 1);
}

Result<std::optional<Manifest>> Library::made_from(const std::string& name,
                                                   const std::string& inputs_sha256) const {
    const auto rows = list();
    if (!rows)
        return tl::unexpected(rows.error());
    std::optional<Manifest> newest;
    for (const auto& row : *rows)
        if (row.manifest && row.manifest->name == name &&
            row.manifest->inputs_sha256 == inputs_sha256)
            newest = row.manifest;
    return newest;
}

Result<void> Library::note_version(const Manifest& manifest) {
    const auto number = as_number(manifest.version);
    if (!number)
        return {};
    const auto path = folder_ + "/.versions.json";
    auto counters = read_counters(path);
    if (!counters)
        return tl::unexpected(counters.error());
    auto& last = (*counters)[manifest.name];
    if (!last.is_int64() || static_cast<std::uint64_t>(last.get_int64()) < *number)
        last = static_cast<std::int64_t>(*number);
    return write_file(path, boost::json::serialize(*counters) + "\n", 0644);
}

Result<Manifest> Library::publish(Workshop workshop, const Draft& draft, const Progress& progress) {
    BATON_TRY(check_draft(draft));
    Manifest manifest;
    manifest.name = draft.name;
    manifest.version = draft.version;
    if (manifest.version.empty()) {
        auto version = next_version(draft.name);
        if (!version)
            return tl::unexpected(version.error());
        manifest.version = std::move(*version);
    }
    manifest.id = OsImageId(manifest.name + "-" + manifest.version);
    BATON_TRY(check_name("OS image", manifest.id.value));
    manifest.description = draft.description;
    manifest.created = now_rfc3339();
    manifest.kernel_arguments = draft.kernel_arguments;
    manifest.firmware = draft.firmware;
    manifest.minimum_memory = draft.minimum_memory;
    manifest.has_guest_agent = draft.has_guest_agent;
    manifest.inputs_sha256 = draft.inputs_sha256;
    auto files = record_files(workshop.folder(), progress);
    if (!files)
        return tl::unexpected(files.error());
    manifest.files = std::move(*files);
    if (!manifest.kernel_arguments.empty() &&
        std::none_of(manifest.files.begin(), manifest.files.end(),
                     [](const File& file) { return file.name == "kernel"; }))
        return fail(Errc::invalid_argument,
                    "kernel arguments are given for an OS image without a kernel file",
                    "give the kernel too, or leave the arguments to the image's own boot loader");
    BATON_TRY(note_version(manifest));
    BATON_TRY(settle(workshop.folder(), manifest));
    workshop.folder_.clear(); // it is the image's now
    return manifest;
}

Result<void> Library::adopt(const std::string& from, const Manifest& manifest) {
    return settle(from, manifest);
}

Result<void> Library::settle(const std::string& from, const Manifest& manifest) {
    const auto to = path_of(manifest.id);
    BATON_TRY(drop_others(from, manifest));
    BATON_TRY(write_file(from + "/manifest.json", to_json(manifest), 0444));
    if (::chmod(from.c_str(), 0755) != 0)
        return fail_errno(errno, "cannot open " + from + " to readers");
    // its files have just been hashed: the first start need not do it again
    const auto print = fingerprint(from, manifest);
    if (!print)
        return tl::unexpected(print.error());
    if (::rename(from.c_str(), to.c_str()) != 0) {
        if (errno == EEXIST || errno == ENOTEMPTY)
            return fail(Errc::already_exists,
                        "there is an OS image " + manifest.id.value + " already",
                        "choose another version, or remove that one first");
        return fail_errno(errno, "cannot publish the OS image " + manifest.id.value);
    }
    BATON_TRY(sync_path(folder_));
    if (make_folder(folder_ + "/.verified"))
        remember_verified(folder_ + "/.verified/" + manifest.id.value, *print);
    return {};
}

} // namespace baton::osimage
