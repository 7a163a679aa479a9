#include "player/base_image.h"

#include "player/loop.h"
#include "player/mounts.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace baton::player {

namespace {

using process::Descriptor;

/// In the storage daemon's own mount namespace.
constexpr const char* place = "/tmp/base";

Result<osimage::Library> open_library(const std::string& folder) {
    const auto path = folder.empty() ? osimage::Library::default_folder() : folder;
    // a PC that has no library does not get one
    if (::access(path.c_str(), F_OK) != 0)
        return fail(Errc::not_found, "there is no library of OS images at " + path,
                    "name one with --library, or BATON_IMAGES");
    return osimage::Library::open_folder(path);
}

} // namespace

ShowOrder base_order(int disk, const std::string& id) {
    ShowOrder order;
    order.what = "the image " + id;
    order.words = {"--blockdev",
                   "driver=file,node-name=disk,filename=/proc/self/fd/4,read-only=on,"
                   "auto-read-only=off",
                   "--blockdev", "driver=qcow2,node-name=shown,file=disk,read-only=on"};
    order.files = {disk};
    order.place = place;
    order.apart = true;
    return order;
}

Result<std::string> BaseImage::find(const std::string& name, const std::string& library) {
    const auto images = open_library(library);
    if (!images)
        return tl::unexpected(images.error());
    return images->resolve(name).map([](const auto& manifest) { return manifest.id.value; });
}

Result<BaseImage> BaseImage::open(const std::string& name, const std::string& library,
                                  std::chrono::milliseconds deadline) {
    auto images = open_library(library);
    if (!images)
        return tl::unexpected(images.error());
    const auto manifest = images->resolve(name);
    if (!manifest)
        return tl::unexpected(manifest.error());
    BaseImage base;
    base.id_ = manifest->id.value;
    auto hold = images->hold(manifest->id);
    if (!hold)
        return tl::unexpected(hold.error());
    base.hold_ = std::move(*hold);
    const auto verified = images->open(manifest->id);
    if (!verified)
        return tl::unexpected(verified.error());
    const Descriptor disk(::open(verified->disk.c_str(), O_RDONLY | O_CLOEXEC));
    if (!disk.open())
        return fail_errno(errno, "cannot open " + verified->disk);
    auto shown = ShownDisk::show(base_order(disk.get(), base.id_), deadline);
    if (!shown)
        return tl::unexpected(shown.error());
    base.shown_.emplace(std::move(*shown));
    const auto& file = base.shown_->file();
    struct stat status{};
    if (::fstat(file.get(), &status) != 0)
        return fail_errno(errno, "cannot look at the image " + base.id_);
    auto loop = attach_loop(file.get(), 0, status.st_size, true, "the image " + base.id_);
    if (!loop)
        return tl::unexpected(loop.error());
    auto mount = make_mount("ext4", {{"source", loop->path}, {"ro", ""}},
                            MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
                            "the image " + base.id_);
    if (!mount)
        return fail(Errc::unsupported,
                    "a desk cannot be laid over the image " + base.id_ + ": " + mount.error().what,
                    "it takes an image with a Linux system in an ext4 on the whole disk, as "
                    "baton os build makes them",
                    mount.error().native);
    base.mount_ = std::move(*mount);
    return base;
}

} // namespace baton::player
