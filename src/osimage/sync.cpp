#include "osimage/sync.h"

#include "osimage/hash.h"

#include <cerrno>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace baton::osimage {

namespace {

/// Bytes of a file that are there; 0 when it is not.
std::int64_t present(const std::string& path) {
    struct stat is{};
    return ::lstat(path.c_str(), &is) == 0 && S_ISREG(is.st_mode) ? is.st_size : 0;
}

Result<void> check_room(const Manifest& manifest, const std::string& folder) {
    std::int64_t missing = 0;
    for (const auto& file : manifest.files)
        missing += file.size_bytes -
                   std::min(file.size_bytes, present(folder + "/" + file.name) +
                                                 present(folder + "/" + file.name + ".part"));
    struct statvfs room{};
    if (::statvfs(folder.c_str(), &room) != 0)
        return fail_errno(errno, "cannot see how much room there is in " + folder);
    const auto free = static_cast<std::int64_t>(room.f_bavail * room.f_frsize);
    if (free >= missing)
        return {};
    constexpr std::int64_t mebibyte = 1'048'576;
    return fail(Errc::full,
                "there is no room for the OS image " + manifest.id.value + ": " +
                    std::to_string(missing / mebibyte + 1) + " MiB are missing and " +
                    std::to_string(free / mebibyte) + " MiB are free in " + folder,
                "remove an image that is not used (baton os remove), or give it a larger disk");
}

/// The whole file, fetched and hashed. Empty: its hash is another.
Result<bool> fetch_once(const File& file, const std::string& part, const Fetch& fetch) {
    // longer than it may be: not a beginning of it
    if (present(part) > file.size_bytes)
        ::unlink(part.c_str());
    if (present(part) < file.size_bytes || file.size_bytes == 0)
        BATON_TRY(fetch(file.name, part));
    if (present(part) != file.size_bytes)
        return false;
    const auto hash = sha256_file(part);
    if (!hash)
        return tl::unexpected(hash.error());
    return *hash == file.sha256;
}

Result<void> fetch_file(const Manifest& manifest, const File& file, const std::string& folder,
                        const Fetch& fetch) {
    const auto path = folder + "/" + file.name;
    const auto part = path + ".part";
    // finished before we were cut off; perhaps before a boot: hashed again
    ::rename(path.c_str(), part.c_str());
    for (const bool last : {false, true}) {
        const auto good = fetch_once(file, part, fetch);
        if (!good)
            return tl::unexpected(
                good.error().in("fetching " + file.name + " of the OS image " + manifest.id.value));
        if (*good) {
            if (::chmod(part.c_str(), 0444) != 0)
                return fail_errno(errno, "cannot make " + part + " read-only");
            BATON_TRY(sync_path(part));
            if (::rename(part.c_str(), path.c_str()) != 0)
                return fail_errno(errno, "cannot put " + path + " into its place");
            return {};
        }
        ::unlink(part.c_str());
        if (last)
            return fail(Errc::corrupt,
                        file.name + " of the OS image " + manifest.id.value +
                            " came damaged twice: it is not what its manifest says",
                        "verify the image where it comes from: baton os verify " +
                            manifest.id.value);
    }
    return {};
}

/// An image of that id is there already. True: it is that one, whole.
Result<bool> settle_present(Library& library, const Manifest& manifest) {
    const auto there = library.show(manifest.id);
    if (!there && there.error().code == Errc::not_found)
        return false;
    if (there && *there == manifest && library.open(manifest.id))
        return true;
    const auto removed = library.remove(manifest.id);
    if (!removed && removed.error().code == Errc::busy)
        return fail(Errc::conflict,
                    "another or a damaged OS image " + manifest.id.value +
                        " is in use on this machine",
                    "drain this host first, or publish the image under another version");
    if (!removed)
        return tl::unexpected(removed.error());
    return false;
}

} // namespace

Result<LocalImage> sync(Library& library, const Manifest& manifest, const Fetch& fetch,
                        const Progress& progress) {
    // it may come from another machine: held to the same rules as one that is read here
    const auto checked = manifest_from_json(to_json(manifest));
    if (!checked)
        return tl::unexpected(checked.error());
    if (const auto there = library.show(manifest.id); there && *there == manifest)
        if (auto image = library.open(manifest.id))
            return image;
    const auto folder = library.folder() + "/.partial-" + manifest.id.value;
    const auto turn = wait_lock(folder + ".lock");
    if (!turn)
        return tl::unexpected(turn.error());
    const auto unlink_lock = [&] { ::unlink((folder + ".lock").c_str()); };
    const auto present_already = settle_present(library, manifest);
    if (!present_already)
        return tl::unexpected(present_already.error());
    if (*present_already) {
        unlink_lock();
        return library.open(manifest.id);
    }
    BATON_TRY(make_folder(folder));
    BATON_TRY(check_room(manifest, folder));
    std::int64_t total = 0;
    for (const auto& file : manifest.files)
        total += file.size_bytes;
    std::int64_t done = 0;
    for (const auto& file : manifest.files) {
        BATON_TRY(fetch_file(manifest, file, folder, fetch));
        done += file.size_bytes;
        if (progress)
            progress(done, total);
    }
    BATON_TRY(library.adopt(folder, manifest));
    unlink_lock();
    return library.open(manifest.id);
}

} // namespace baton::osimage
