#pragma once

#include "model/error.h"
#include "osimage/files.h"
#include "osimage/manifest.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace baton::osimage {

/// How far reading an image's files has come, in bytes of all of them.
using Progress = std::function<void(std::int64_t done, std::int64_t total)>;

/// What an image is made of before it has an id and hashes.
struct Draft {
    std::string name;
    std::string version; ///< empty: the next number, never one that was used before
    std::string description;
    std::string kernel_arguments;
    std::string firmware = "bios";
    Mebibytes minimum_memory{256};
    bool has_guest_agent = true;
    std::string inputs_sha256;
};

/// One row of a listing. A damaged image is a row too, with what is wrong.
struct Listed {
    OsImageId id;
    std::optional<Manifest> manifest;
    std::optional<Error> fault;
};

/// Keeps an image from being removed while it is held (a shared lock that dies with its holder).
/// A running QEMU needs none: its own lock on disk.qcow2 is seen by Library::remove.
class Hold {
  public:
    explicit Hold(OpenFile lock) : lock_(std::move(lock)) {}

  private:
    OpenFile lock_;
};

/// A folder inside the library in which an image is put together. Removed again unless published;
/// one that a kill -9 left behind is removed by the next workshop.
class Workshop {
  public:
    Workshop(std::string folder, OpenFile lock)
        : folder_(std::move(folder)), lock_(std::move(lock)) {}

    ~Workshop();
    Workshop(Workshop&&) noexcept = default;
    Workshop& operator=(Workshop&&) = delete;

    /// Put disk.qcow2, kernel and initrd here; what else is here is not published.
    [[nodiscard]] const std::string& folder() const { return folder_; }

  private:
    friend class Library;
    std::string folder_;
    OpenFile lock_;
};

/// A folder of immutable OS images (docs/formats/os-image.md).
///
/// Thread rules: any number of threads and processes may use one folder at the same time, each
/// with a Library of its own or a shared one; calls block while they read or hash.
class Library {
  public:
    /// Makes the folder if it is missing.
    static Result<Library> open_folder(const std::string& folder);
    /// $BATON_IMAGES, or /var/lib/baton/images.
    static std::string default_folder();

    [[nodiscard]] const std::string& folder() const { return folder_; }

    /// Ordered by name, then by age, the oldest first.
    [[nodiscard]] Result<std::vector<Listed>> list() const;
    /// Errc::not_found names what there is instead.
    [[nodiscard]] Result<Manifest> show(const OsImageId& id) const;
    /// "tiny-2" as it is, "tiny" as the newest of that name.
    [[nodiscard]] Result<Manifest> resolve(const std::string& id_or_name) const;

    /// Reads every file again. Errc::corrupt names the first that is not as it was published.
    Result<void> verify(const OsImageId& id, const Progress& progress = {});

    /// The files, for a hypervisor: only after they have been verified since this machine was
    /// started and are untouched since (mode 0444, same inode, size and times). The first call
    /// after a boot hashes; the others take microseconds, also from other processes.
    Result<LocalImage> open(const OsImageId& id, const Progress& progress = {});

    /// For the time between open() and the start of the VM.
    Result<Hold> hold(const OsImageId& id);

    /// Errc::busy while held, while any VM has it as its base, or when `in_use` names a user
    /// ("session s-1").
    Result<void>
    remove(const OsImageId& id,
           const std::function<std::optional<std::string>(const OsImageId&)>& in_use = {});

    /// One at a time in all processes; `waiting` is called once if another one is at work.
    Result<Workshop> workshop(const std::function<void()>& waiting = {});
    /// The version that publish() gives to a draft without one.
    [[nodiscard]] Result<std::string> next_version(const std::string& name) const;
    /// The image of that name made from the same inputs, if there is one.
    [[nodiscard]] Result<std::optional<Manifest>> made_from(const std::string& name,
                                                            const std::string& inputs_sha256) const;
    /// Hashes, makes read-only, writes through to the disk and then shows the image: at once and
    /// whole, or not at all. Errc::already_exists: an image of that id is there.
    Result<Manifest> publish(Workshop workshop, const Draft& draft, const Progress& progress = {});

    /// For sync(): moves a folder whose files have just been verified against `manifest` into its
    /// place.
    Result<void> adopt(const std::string& from, const Manifest& manifest);

  private:
    explicit Library(std::string folder) : folder_(std::move(folder)) {}

    [[nodiscard]] std::string path_of(const OsImageId& id) const;
    [[nodiscard]] Error no_such(const std::string& id) const;
    Result<void> note_version(const Manifest& manifest);
    Result<void> settle(const std::string& from, const Manifest& manifest);

    std::string folder_;
};

} // namespace baton::osimage
