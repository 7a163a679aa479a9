#pragma once

#include "model/error.h"
#include "osimage/library.h"
#include "player/shown_disk.h"
#include "process/child.h"

#include <chrono>
#include <optional>
#include <string>

/// A published OS image as the base of a desk instead of the PC's system (`--base`).
namespace baton::player {

/// How an image is shown, its disk open for reading as `disk`. Nothing is written: the image is
/// read-only for the storage daemon, and so is what it shows. Pure.
ShowOrder base_order(int disk, const std::string& id);

/// An image's file system, read-only: verified by its hashes since the PC was started, shown as a
/// file by a qemu-storage-daemon in a mount namespace of its own, and mounted from there by a loop
/// device. Everything of it ends with this object, and by the kernel when this program is killed.
/// For one thread.
class BaseImage {
  public:
    /// `name`: an id ("desktop-3") or a name (its newest); `library`: the folder, or empty for the
    /// usual one. Errc::not_found; Errc::corrupt: it is not as it was published; Errc::unsupported:
    /// no FUSE here, or no file system that Linux knows lies on the whole disk.
    static Result<BaseImage> open(const std::string& name, const std::string& library,
                                  std::chrono::milliseconds deadline);
    /// The id that open() would take.
    static Result<std::string> find(const std::string& name, const std::string& library);
    BaseImage(BaseImage&&) = default;
    BaseImage& operator=(BaseImage&&) = delete;

    [[nodiscard]] const std::string& id() const { return id_; }

    /// The mount, attached nowhere: also a folder to look into.
    [[nodiscard]] const process::Descriptor& mount() const { return mount_; }

    /// When it has been given away: what looks into it keeps the loop device.
    void let_go() { mount_.reset(); }

  private:
    BaseImage() = default;

    std::string id_;
    std::optional<osimage::Hold> hold_;
    std::optional<ShownDisk> shown_; ///< ends after what looks into it
    process::Descriptor mount_;
};

} // namespace baton::player
