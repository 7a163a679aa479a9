#include "netboot/folder.h"

#include "netboot/dnsmasq.h"
#include "netboot/script.h"
#include "osimage/hash.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

namespace fs = std::filesystem;

namespace baton::netboot {

namespace {

constexpr std::string_view workshop_prefix = ".making-";

tl::unexpected<Error> no_such(const std::string& id) {
    return fail(Errc::not_found, "there is no client image '" + id.substr(0, 64) + "'",
                "see them with: baton netboot list");
}

Result<void> open_to_all(const std::string& path, mode_t mode) {
    if (::chmod(path.c_str(), mode) != 0)
        return fail_errno(errno, "cannot let everybody read " + path);
    return {};
}

} // namespace

Workshop::~Workshop() {
    if (lock_.get() >= 0 && !folder_.empty())
        (void)osimage::remove_tree(folder_);
}

std::string Folder::default_path() {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): nothing of ours changes the environment
    const char* given = std::getenv("BATON_NETBOOT");
    return given == nullptr ? "/var/lib/baton-netboot" : given;
}

Result<Folder> Folder::open(const std::string& path) {
    std::error_code wrong;
    const auto absolute = fs::absolute(path, wrong).lexically_normal().string();
    if (wrong || absolute.find('\n') != std::string::npos)
        return fail(Errc::invalid_argument, "'" + path + "' cannot be the folder of netboot");
    const auto whole = absolute.ends_with('/') ? absolute.substr(0, absolute.size() - 1) : absolute;
    for (const auto* part : {"", "/images", "/loaders"}) {
        if (fs::is_directory(whole + part, wrong))
            continue;
        fs::create_directories(whole + part, wrong);
        if (wrong)
            return fail_errno(wrong.value(), "cannot make the folder " + whole + part,
                              "run this as root, or give another --folder");
        BATON_TRY(open_to_all(whole + part, 0755));
    }
    return Folder(whole);
}

std::string Folder::image_path(const std::string& id) const {
    return path_ + "/images/" + id;
}

Result<Manifest> Folder::image(const std::string& id) const {
    if (!is_image_id(id))
        return no_such(id);
    const auto text = osimage::read_file(image_path(id) + "/manifest.json", longest_manifest);
    if (!text && text.error().code == Errc::not_found)
        return no_such(id);
    if (!text)
        return tl::unexpected(text.error());
    auto manifest = manifest_from_json(*text);
    if (!manifest)
        return tl::unexpected(manifest.error().in(image_path(id)));
    if (manifest->id != id)
        return fail(Errc::corrupt, image_path(id) + " is the image " + manifest->id,
                    "somebody has renamed it: name it as it was");
    return manifest;
}

Result<std::optional<Manifest>> Folder::current() const {
    std::error_code wrong;
    const auto target = fs::read_symlink(path_ + "/current", wrong);
    if (wrong == std::errc::no_such_file_or_directory)
        return std::optional<Manifest>();
    if (wrong)
        return fail_errno(wrong.value(), "cannot read " + path_ + "/current");
    auto found = image(target.filename().string());
    if (!found)
        return tl::unexpected(found.error());
    return std::optional(std::move(*found));
}

Result<std::vector<Listed>> Folder::list() const {
    std::error_code wrong;
    const auto target = fs::read_symlink(path_ + "/current", wrong).filename().string();
    std::vector<Listed> rows;
    wrong.clear();
    for (fs::directory_iterator entry(path_ + "/images", wrong), end; !wrong && entry != end;
         entry.increment(wrong)) {
        Listed row;
        row.id = entry->path().filename().string();
        if (!is_image_id(row.id))
            continue;
        row.current = row.id == target;
        auto found = image(row.id);
        if (found)
            row.manifest = std::move(*found);
        else
            row.fault = found.error();
        rows.push_back(std::move(row));
    }
    if (wrong)
        return fail_errno(wrong.value(), "cannot read " + path_ + "/images");
    std::ranges::sort(rows, {}, [](const Listed& row) {
        return std::pair(row.manifest ? row.manifest->created : std::string(), row.id);
    });
    return rows;
}

Result<Settings> Folder::settings() const {
    const auto text = osimage::read_file(path_ + "/settings.json", longest_settings);
    if (!text && text.error().code == Errc::not_found)
        return Settings{};
    if (!text)
        return tl::unexpected(text.error());
    auto settings = settings_from_json(*text);
    if (!settings)
        return tl::unexpected(settings.error().in(path_ + "/settings.json"));
    return settings;
}

Result<void> Folder::write(const Settings& settings) {
    if (settings.enabled)
        BATON_TRY(check(settings));
    // the script first: whoever is told of new settings finds it
    const auto now = current();
    if (!now)
        return tl::unexpected(now.error());
    if (*now && settings.enabled)
        BATON_TRY(write_script(**now, settings));
    return osimage::write_file(path_ + "/settings.json", to_json(settings), 0644);
}

Result<void> Folder::write_script(const Manifest& image, const Settings& settings) {
    return osimage::write_file(path_ + "/" + std::string(script_name),
                               to_text(script_for(image, settings)), 0644);
}

Result<void> Folder::point_at(const Manifest& image) {
    const auto settings = this->settings();
    if (!settings)
        return tl::unexpected(settings.error());
    if (settings->enabled)
        BATON_TRY(write_script(image, *settings));
    const auto link = path_ + "/.current-" + std::to_string(::getpid());
    ::unlink(link.c_str());
    if (::symlink(("images/" + image.id).c_str(), link.c_str()) != 0 ||
        ::rename(link.c_str(), (path_ + "/current").c_str()) != 0)
        return fail_errno(errno, "cannot make " + image.id + " the current client image");
    return osimage::sync_path(path_);
}

Result<Workshop> Folder::workshop(const std::function<void()>& waiting) {
    auto lock = osimage::wait_lock(path_ + "/.lock", waiting);
    if (!lock)
        return tl::unexpected(lock.error());
    // what a kill -9 has left
    std::error_code wrong;
    for (fs::directory_iterator entry(path_ + "/images", wrong), end; !wrong && entry != end;
         entry.increment(wrong))
        if (entry->path().filename().string().starts_with(workshop_prefix))
            BATON_TRY(osimage::remove_tree(entry->path().string()));
    const auto folder = path_ + "/images/" + std::string(workshop_prefix) + "new";
    BATON_TRY(osimage::make_folder(folder));
    return Workshop(folder, std::move(*lock));
}

Result<Manifest> Folder::publish(Workshop workshop, Manifest draft) {
    const auto& from = workshop.folder();
    draft.files.clear();
    for (const auto name : image_files) {
        const auto path = from + "/" + std::string(name);
        const auto hash = osimage::sha256_file(path);
        if (!hash)
            return tl::unexpected(hash.error());
        std::error_code wrong;
        const auto size = static_cast<std::int64_t>(fs::file_size(path, wrong));
        if (wrong)
            return fail_errno(wrong.value(), "cannot read " + path);
        draft.files.push_back({std::string(name), size, *hash});
        BATON_TRY(open_to_all(path, 0444));
        BATON_TRY(osimage::sync_path(path));
    }
    draft.id = id_of(draft);
    if (auto there = image(draft.id); there && verify(*there)) {
        BATON_TRY(point_at(*there));
        return there;
    }
    BATON_TRY(osimage::write_file(from + "/manifest.json", to_json(draft), 0444));
    std::error_code wrong;
    for (fs::directory_iterator entry(from, wrong), end; !wrong && entry != end;
         entry.increment(wrong)) {
        const auto name = entry->path().filename().string();
        if (name != "manifest.json" && std::ranges::find(image_files, name) == image_files.end())
            BATON_TRY(osimage::remove_tree(entry->path().string()));
    }
    BATON_TRY(open_to_all(from, 0755));
    // something damaged of that name gives way
    BATON_TRY(osimage::remove_tree(image_path(draft.id)));
    if (::rename(from.c_str(), image_path(draft.id).c_str()) != 0)
        return fail_errno(errno, "cannot publish the client image " + draft.id);
    BATON_TRY(osimage::sync_path(path_ + "/images"));
    BATON_TRY(point_at(draft));
    return draft;
}

Result<Manifest> Folder::roll_back(const std::string& id) {
    auto wanted = id;
    if (wanted.empty()) {
        const auto rows = list();
        if (!rows)
            return tl::unexpected(rows.error());
        for (const auto& row : *rows) {
            if (row.current)
                break;
            if (row.manifest)
                wanted = row.id;
        }
        if (wanted.empty())
            return fail(Errc::not_found, "no client image is older than the current one",
                        "see them with: baton netboot list");
    }
    auto found = image(wanted);
    if (!found)
        return found;
    BATON_TRY(verify(*found));
    BATON_TRY(point_at(*found));
    return found;
}

Result<void> Folder::remove(const std::string& id) {
    if (!is_image_id(id) || !fs::exists(image_path(id)))
        return no_such(id);
    std::error_code wrong;
    if (fs::read_symlink(path_ + "/current", wrong).filename() == id)
        return fail(Errc::busy, "the client image " + id + " is the current one",
                    "make another one current first: baton netboot rollback ID");
    return osimage::remove_tree(image_path(id));
}

Result<void> Folder::verify(const Manifest& image) const {
    for (const auto& file : image.files) {
        const auto path = image_path(image.id) + "/" + file.name;
        const auto hash = osimage::sha256_file(path);
        if (!hash)
            return tl::unexpected(hash.error());
        if (*hash != file.sha256)
            return fail(Errc::corrupt, path + " is not as it was published",
                        "build the image again, or roll back to another one");
    }
    return {};
}

Result<void> Folder::install_loaders(const std::string& from) {
    for (const auto place : {bios_loader, uefi_loader}) {
        const auto name = fs::path(place).filename().string();
        const auto bytes = osimage::read_file(from + "/" + name, 8U << 20);
        if (!bytes)
            return fail(Errc::not_found, "iPXE's " + from + "/" + name + " cannot be read",
                        "install the package ipxe");
        BATON_TRY(osimage::write_file(path_ + "/" + std::string(place), *bytes, 0444));
    }
    return {};
}

Result<std::string> Folder::served(std::string_view path) const {
    const auto whole = path_ + "/" + std::string(path);
    if (path == script_name || path == bios_loader || path == uefi_loader)
        return whole;
    constexpr std::string_view images = "images/";
    if (path.starts_with(images)) {
        const auto rest = path.substr(images.size());
        const auto slash = rest.find('/');
        if (slash != std::string_view::npos && is_image_id(rest.substr(0, slash)) &&
            std::ranges::find(image_files, rest.substr(slash + 1)) != image_files.end())
            return whole;
    }
    return fail(Errc::not_found, "there is no such file of network boot");
}

} // namespace baton::netboot
