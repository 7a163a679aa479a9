#include "osimage/library.h"

#include "osimage/hash.h"
#include "osimage/verified.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

namespace baton::osimage {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view staging_prefix = ".new-";
constexpr std::string_view removed_prefix = ".removed-";

std::int64_t total_of(const Manifest& manifest) {
    std::int64_t total = 0;
    for (const auto& file : manifest.files)
        total += file.size_bytes;
    return total;
}

/// Reads all files and compares. `folder` may be a staging one.
Result<void> compare_hashes(const std::string& folder, const Manifest& manifest,
                            const Progress& progress) {
    const auto total = total_of(manifest);
    std::int64_t before = 0;
    for (const auto& file : manifest.files) {
        const auto path = folder + "/" + file.name;
        const auto hash = sha256_file(path, [&](std::int64_t bytes) {
            if (progress)
                progress(before + bytes, total);
        });
        if (!hash)
            return tl::unexpected(hash.error());
        if (*hash != file.sha256)
            return fail(Errc::corrupt,
                        file.name + " of the OS image " + manifest.id.value +
                            " is damaged: its SHA-256 is " + *hash + " instead of " + file.sha256,
                        "remove it with: baton os remove " + manifest.id.value +
                            "; then build or import it again");
        before += file.size_bytes;
    }
    return {};
}

/// QEMU holds shared locks (OFD, from byte 100 on) on every image it has open, backing files too.
/// The kernel knows them also when whoever started that QEMU is long dead.
bool locked_by_a_vm(const std::string& disk) {
    const auto file = open_file(disk, O_RDONLY);
    if (!file)
        return false;
    struct flock query{};
    query.l_type = F_WRLCK;
    query.l_whence = SEEK_SET;
    query.l_start = 100;
    query.l_len = 200;
    return ::fcntl(file->get(), F_OFD_GETLK, &query) == 0 && query.l_type != F_UNLCK;
}

} // namespace

Workshop::~Workshop() {
    if (!folder_.empty())
        (void)remove_tree(folder_);
}

Result<Library> Library::open_folder(const std::string& folder) {
    auto made = make_folder(folder);
    if (!made)
        return tl::unexpected(made.error().in("opening the library of OS images"));
    std::error_code wrong;
    const auto whole = fs::canonical(folder, wrong);
    if (wrong || !fs::is_directory(whole, wrong))
        return fail(Errc::invalid_argument,
                    "the library of OS images, " + folder + ", is not a folder",
                    "give another one with --library or BATON_IMAGES");
    return Library(whole.string());
}

std::string Library::default_folder() {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): nothing of ours changes the environment
    const char* given = std::getenv("BATON_IMAGES");
    return given != nullptr && *given != '\0' ? given : "/var/lib/baton/images";
}

std::string Library::path_of(const OsImageId& id) const {
    return folder_ + "/" + id.value;
}

Error Library::no_such(const std::string& id) const {
    std::string there;
    if (const auto listed = list())
        for (const auto& row : *listed)
            there += (there.empty() ? "" : ", ") + row.id.value;
    return Error{Errc::not_found, "there is no OS image '" + id + "' in " + folder_,
                 there.empty() ? "make one with: baton os build tiny" : "there are: " + there};
}

Result<std::vector<Listed>> Library::list() const {
    std::vector<Listed> rows;
    std::error_code wrong;
    for (fs::directory_iterator entry(folder_, wrong), end; !wrong && entry != end;
         entry.increment(wrong)) {
        const auto name = entry->path().filename().string();
        if (name.starts_with('.') || !check_name("OS image", name))
            continue;
        Listed row;
        row.id = OsImageId(name);
        auto manifest = show(row.id);
        if (manifest)
            row.manifest = std::move(*manifest);
        else if (manifest.error().code == Errc::not_found)
            continue; // a folder of somebody else's, or removed just now
        else
            row.fault = manifest.error();
        rows.push_back(std::move(row));
    }
    if (wrong)
        return fail_errno(wrong.value(), "cannot list the library of OS images " + folder_);
    const auto key = [](const Listed& row) {
        const auto number = row.manifest ? as_number(row.manifest->version) : std::nullopt;
        return std::tuple(row.manifest ? row.manifest->name : row.id.value,
                          row.manifest ? row.manifest->created : std::string(), number.value_or(0),
                          row.id.value);
    };
    std::sort(rows.begin(), rows.end(),
              [&](const Listed& a, const Listed& b) { return key(a) < key(b); });
    return rows;
}

Result<Manifest> Library::show(const OsImageId& id) const {
    if (!check_name("OS image", id.value))
        return fail(Errc::invalid_argument, "'" + id.value + "' is not the name of an OS image",
                    "see them with: baton os list");
    const auto text = read_file(path_of(id) + "/manifest.json", longest_manifest);
    if (!text && text.error().code == Errc::not_found) {
        std::error_code ignored;
        if (fs::exists(path_of(id) + "/" + std::string(file_names[0]), ignored))
            return fail(Errc::corrupt, "manifest.json of the OS image " + id.value + " is missing",
                        "remove it with: baton os remove " + id.value);
        return fail(Errc::not_found, "there is no OS image '" + id.value + "' in " + folder_,
                    "see them with: baton os list");
    }
    if (!text)
        return tl::unexpected(text.error());
    auto manifest = manifest_from_json(*text);
    if (!manifest)
        return tl::unexpected(manifest.error().in(id.value));
    if (manifest->id != id)
        return fail(Errc::corrupt,
                    "the folder " + path_of(id) + " holds the OS image " + manifest->id.value,
                    "rename the folder to that");
    return manifest;
}

Result<Manifest> Library::resolve(const std::string& id_or_name) const {
    auto exact = show(OsImageId(id_or_name));
    if (exact || exact.error().code != Errc::not_found)
        return exact;
    const auto rows = list();
    if (!rows)
        return tl::unexpected(rows.error());
    std::optional<Manifest> newest;
    for (const auto& row : *rows)
        if (row.manifest && row.manifest->name == id_or_name)
            newest = row.manifest;
    if (!newest)
        return tl::unexpected(no_such(id_or_name));
    return *newest;
}

Result<void> Library::verify(const OsImageId& id, const Progress& progress) {
    const auto record = folder_ + "/.verified/" + id.value;
    const auto manifest = show(id);
    if (!manifest)
        return tl::unexpected(manifest.error());
    const auto print = fingerprint(path_of(id), *manifest);
    Result<void> good;
    if (!print)
        good = tl::unexpected(print.error());
    else
        good = compare_hashes(path_of(id), *manifest, progress);
    if (!good) {
        ::unlink(record.c_str());
        return good;
    }
    // only what was there before the reading and is still there after it has been read
    if (const auto after = fingerprint(path_of(id), *manifest); !after || *after != *print)
        return fail(Errc::conflict, "the OS image " + id.value + " was changed while it was read",
                    "find out by whom, and verify it again");
    if (make_folder(folder_ + "/.verified"))
        remember_verified(record, *print);
    return {};
}

Result<LocalImage> Library::open(const OsImageId& id, const Progress& progress) {
    const auto manifest = show(id);
    if (!manifest)
        return tl::unexpected(manifest.error());
    const auto record = folder_ + "/.verified/" + id.value;
    const auto print = fingerprint(path_of(id), *manifest);
    if (!print)
        return tl::unexpected(print.error());
    if (!was_verified(record, *print)) {
        // many desktops that start at once hash it once: the others wait here
        BATON_TRY(make_folder(folder_ + "/.verified"));
        const auto turn = wait_lock(record + ".lock");
        if (!turn)
            return tl::unexpected(turn.error());
        if (!was_verified(record, *print))
            BATON_TRY(verify(id, progress));
    }
    LocalImage image;
    image.id = manifest->id;
    image.kernel_arguments = manifest->kernel_arguments;
    image.firmware = manifest->firmware;
    image.minimum_memory = manifest->minimum_memory;
    image.has_guest_agent = manifest->has_guest_agent;
    for (const auto& file : manifest->files) {
        auto& place = file.name == "kernel"   ? image.kernel
                      : file.name == "initrd" ? image.initrd
                                              : image.disk;
        place = path_of(id) + "/" + file.name;
    }
    return image;
}

Result<Hold> Library::hold(const OsImageId& id) {
    const auto path = path_of(id) + "/manifest.json";
    auto lock = try_lock(path, LockKind::shared);
    if (!lock)
        return tl::unexpected(lock.error().code == Errc::not_found ? no_such(id.value)
                                                                   : lock.error());
    struct stat held{};
    struct stat there{};
    if (!*lock || ::fstat((*lock)->get(), &held) != 0 || ::stat(path.c_str(), &there) != 0 ||
        held.st_ino != there.st_ino)
        return fail(Errc::conflict, "the OS image " + id.value + " is being removed");
    return Hold(std::move(**lock));
}

Result<void>
Library::remove(const OsImageId& id,
                const std::function<std::optional<std::string>(const OsImageId&)>& in_use) {
    if (!check_name("OS image", id.value))
        return fail(Errc::invalid_argument, "'" + id.value + "' is not the name of an OS image");
    const auto busy = [&](const std::string& by) {
        return fail(Errc::busy, "the OS image " + id.value + " is in use by " + by,
                    "close the sessions that run on it first");
    };
    const auto path = path_of(id);
    std::error_code ignored;
    if (!fs::is_directory(path, ignored))
        return tl::unexpected(no_such(id.value));
    // an image whose manifest is gone or damaged can still be removed
    std::optional<OpenFile> lock;
    if (fs::exists(path + "/manifest.json", ignored)) {
        auto got = try_lock(path + "/manifest.json", LockKind::exclusive);
        if (!got)
            return tl::unexpected(got.error());
        if (!*got)
            return busy("a host agent that is starting a desktop from it");
        lock = std::move(*got);
    } else if (!fs::exists(path + "/" + std::string(file_names[0]), ignored)) {
        return tl::unexpected(no_such(id.value));
    }
    if (locked_by_a_vm(path + "/" + std::string(file_names[0])))
        return busy("a virtual machine on this machine");
    if (in_use)
        if (const auto user = in_use(id))
            return busy(*user);
    const auto gone = folder_ + "/" + std::string(removed_prefix) + id.value;
    BATON_TRY(remove_tree(gone));
    if (::rename(path.c_str(), gone.c_str()) != 0)
        return fail_errno(errno, "cannot remove the OS image " + id.value);
    BATON_TRY(sync_path(folder_));
    ::unlink((folder_ + "/.verified/" + id.value).c_str());
    ::unlink((folder_ + "/.verified/" + id.value + ".lock").c_str());
    return remove_tree(gone);
}

Result<Workshop> Library::workshop(const std::function<void()>& waiting) {
    auto lock = wait_lock(folder_ + "/.lock", waiting);
    if (!lock)
        return tl::unexpected(lock.error());
    // ours alone now: whatever is staged here was left by a workshop that was killed
    std::error_code wrong;
    std::vector<std::string> leftovers;
    for (fs::directory_iterator entry(folder_, wrong), end; !wrong && entry != end;
         entry.increment(wrong)) {
        const auto name = entry->path().filename().string();
        if (name.starts_with(staging_prefix) || name.starts_with(removed_prefix))
            leftovers.push_back(entry->path().string());
    }
    for (const auto& path : leftovers)
        BATON_TRY(remove_tree(path));
    std::string folder = folder_ + "/" + std::string(staging_prefix) + "XXXXXX";
    if (::mkdtemp(folder.data()) == nullptr)
        return fail_errno(errno, "cannot make a folder in the library of OS images " + folder_);
    return Workshop(std::move(folder), std::move(*lock));
}

} // namespace baton::osimage
