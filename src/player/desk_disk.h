#pragma once

#include "model/error.h"
#include "player/shown_disk.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

/// Where a desk's image is when it is not simply a file here: encrypted, at a desk server, or on a
/// web server under a layer of the person's own.
namespace baton::player {

/// Each word for itself: what "DESK" on the command line means.
struct DeskPlace {
    enum class Kind : std::uint8_t {
        file,      ///< an image, as it is
        encrypted, ///< a qcow2 file with LUKS in it (docs/formats/desk-image.md)
        server,    ///< nbds://HOST[:PORT]/EXPORT
        web,       ///< https://...
    } kind = Kind::file;

    std::string text;        ///< as it was said
    std::string host;        ///< of server
    std::uint16_t port = 0;  ///< of server
    std::string export_name; ///< of server
};

/// Errc::invalid_argument: an address of another kind, or without a name in it. Looks at the first
/// bytes of a file that is there.
Result<DeskPlace> place_of(const std::string& desk);

struct DiskOrder {
    std::string overlay; ///< of web: the file that takes what is written; made if it is not there
    std::string tls;     ///< of server: a folder with ca-cert.pem, client-cert.pem, client-key.pem
    std::function<Result<std::string>()> passphrase; ///< of encrypted: asked once
};

/// How the storage daemon gets at it. `key`: whether a passphrase comes as descriptor 5. Pure.
ShowOrder show_order(const DeskPlace& place, const DiskOrder& order);

/// For a program with one thread that is in a mount namespace of its own: the disk is shown there
/// and nowhere else.
class DeskDisk {
  public:
    /// Errc::unauthenticated: a wrong passphrase, or a certificate that the server does not let in:
    /// nothing was written. Errc::unavailable: nobody answers. Errc::busy.
    static Result<DeskDisk> open(const DeskPlace& place, const DiskOrder& order,
                                 std::chrono::milliseconds deadline);
    DeskDisk(DeskDisk&&) = default;

    /// Where this program sees it.
    [[nodiscard]] const std::string& path() const { return path_; }

    /// It has no header of its own: a desk server keeps that.
    [[nodiscard]] bool without_header() const { return without_header_; }

    [[nodiscard]] std::int64_t received_bytes() const { return shown_->received_bytes(); }

    /// When nobody uses it any more: what it holds is written. Errc::timeout.
    Result<void> put_away(std::chrono::milliseconds deadline) { return shown_->put_away(deadline); }

  private:
    DeskDisk() = default;

    std::string path_;
    bool without_header_ = false;
    std::optional<ShownDisk> shown_;
};

/// A mount namespace of its own for this program and all that it starts from now on.
Result<void> leave_mount_namespace();

} // namespace baton::player
