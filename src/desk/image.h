#pragma once

#include "desk/header.h"
#include "desk/superblock.h"
#include "model/error.h"
#include "process/child.h"

#include <chrono>
#include <cstdint>
#include <string>

namespace baton::desk {

/// How an image file is opened, and which of QEMU's byte-range locks are held on it meanwhile
/// (open file description locks on bytes 100.. and 200.., as QEMU's file driver takes them). They
/// keep off every QEMU program and every other Baton; they keep off no loop device.
enum class Access : std::uint8_t {
    look,  ///< read the header only, no lock: may be in use
    read,  ///< nobody may write meanwhile; others may read
    write, ///< nobody else may read or write
};

/// A desk's image file, open. Not thread-safe; the locks end with it.
class Image {
  public:
    /// Opens and reads the header. Errc::not_found; Errc::busy: somebody has it open in a way that
    /// `access` excludes; Errc::refused: a read-only file (a snapshot) was to be written;
    /// Errc::corrupt: no valid header, or the file is cut short (the message names it);
    /// Errc::unsupported: a newer format, or a file system without such locks.
    static Result<Image> open(const std::string& path, Access access);

    /// A desk's file system without its header, as a desk server exports it (docs/desk-server.md):
    /// id and size are the file system's own, the owner is nobody yet. The header belongs to the
    /// server; change() keeps it in memory alone. Errc::corrupt: no ext4.
    static Result<Image> without_header(const std::string& path, Access access);

    [[nodiscard]] const std::string& path() const { return path_; }

    /// Where in the file its file system begins.
    [[nodiscard]] std::int64_t content_offset() const { return content_offset_; }

    [[nodiscard]] int fd() const { return file_.get(); }

    [[nodiscard]] const Header& header() const { return parsed_.header; }

    [[nodiscard]] const std::vector<std::string>& warnings() const { return parsed_.warnings; }

    /// Space that the file really takes.
    [[nodiscard]] Result<std::int64_t> allocated_bytes() const;

    /// Writes the header, durable when this returns (Access::write). Errc::full, Errc::io.
    Result<void> change(const Header& header);

    /// The superblock of the file system inside, with its checks. Errc::corrupt names the file.
    [[nodiscard]] Result<Superblock> superblock() const;

    /// Everything that was written to the file is durable when this returns.
    Result<void> sync();

    /// Another description of the same open file, without a lock: for wait_for_others().
    [[nodiscard]] Result<process::Descriptor> another() const;

    /// Waits until nobody holds a lock on the open file any more. Errc::timeout. As the next.
    static Result<void> wait_until_free(const process::Descriptor& file, const std::string& path,
                                        std::chrono::milliseconds deadline);

    /// Takes over a description made by another() as soon as nobody holds a lock that `access`
    /// excludes any more, and reads the header again. Errc::timeout. Uses SIGALRM meanwhile: for
    /// programs of one thread.
    static Result<Image> wait_for_others(process::Descriptor file, const std::string& path,
                                         Access access, std::chrono::milliseconds deadline);

  private:
    Image() = default;
    process::Descriptor file_;
    std::string path_;
    std::int64_t content_offset_ = data_offset;
    ParsedHeader parsed_;
};

/// Takes the locks that `access` stands for on an open file. Errc::busy: somebody else has others.
Result<void> lock_image(int fd, Access access, const std::string& path);

/// Both slots of a new file, durable when this returns. `fd` is open for writing.
Result<void> write_first_header(int fd, const Header& header, const std::string& path);

/// Makes the name of a file in the folder of `path` durable.
Result<void> sync_folder_of(const std::string& path);

/// The wall clock, in the resolution of the header.
WallTime wall_now();
/// A new random UUID.
Result<DeskId> new_desk_id();

} // namespace baton::desk
