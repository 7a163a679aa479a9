#pragma once

#include "model/error.h"
#include "process/run.h"

#include <cstdint>
#include <span>
#include <string>

/// Desks at rest that say nothing without a passphrase: a qcow2 file with LUKS in it, whose virtual
/// disk is an image like any other (docs/formats/desk-image.md, "Encrypted").
namespace baton::desk {

/// Whether the file begins as one does (any qcow2 file).
bool looks_encrypted(const std::string& path);

/// The beginning of a qcow2 file.
inline constexpr std::size_t qcow2_header_span = 104;

/// Whether the qcow2 file that begins with these bytes (qcow2_header_span of them) is an encrypted
/// desk and nothing else: of version 3, with LUKS, and without the names of other files in it,
/// which a reader with more rights than its maker would open. `layer`: a layer over another image
/// instead, which is not encrypted and may name what it lies over. Pure. Errc::corrupt,
/// Errc::refused.
Result<void> check_qcow2(std::span<const std::uint8_t> bytes, bool layer);

/// The same of a file that is open.
Result<void> check_qcow2(int fd, bool layer, const std::string& path);

/// The conversions, by qemu-img. The passphrase comes on standard input. Pure.
process::Command encrypt_command(const std::string& image, const std::string& to,
                                 const std::string& passphrase);
process::Command decrypt_command(const std::string& encrypted, const std::string& to,
                                 const std::string& passphrase);

/// A new encrypted file from an image that nobody uses, whole or not at all. Errc::busy,
/// Errc::already_exists, Errc::full, Errc::invalid_argument: an empty passphrase.
Result<void> encrypt_image(const std::string& image, const std::string& to,
                           const std::string& passphrase);

/// The reverse. Errc::unauthenticated: a wrong passphrase; nothing was made.
Result<void> decrypt_image(const std::string& encrypted, const std::string& to,
                           const std::string& passphrase);

} // namespace baton::desk
