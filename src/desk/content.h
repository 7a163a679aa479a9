#pragma once

#include "desk/image.h"
#include "model/error.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

struct evp_md_ctx_st;

/// Inside desk/ alone: the content of an image's file system, piece by piece.
namespace baton::desk {

inline constexpr std::size_t piece_bytes = 64 * 1024;

/// The running hash of content_hash().
class ContentHash {
  public:
    explicit ContentHash(std::int64_t size_bytes);
    void add(std::int64_t offset, std::span<const std::uint8_t> piece);
    /// 32 bytes; once.
    std::string finish();

  private:
    std::unique_ptr<evp_md_ctx_st, void (*)(evp_md_ctx_st*)> context_;
};

std::string hex(const std::string& bytes);

/// Calls `sink` with each piece that is not all zero, in order; offsets count from the beginning of
/// the file system. Holes are not read.
Result<void>
each_piece(int fd, std::int64_t size_bytes, const std::string& path,
           const std::function<Result<void>(std::int64_t, std::span<const std::uint8_t>)>& sink);

/// content_hash() of an open image.
Result<std::string> hash_of(int fd, std::int64_t size_bytes, const std::string& path);

struct CopiedContent {
    std::int64_t bytes = 0; ///< that were not zero
    std::string sha256;     ///< see content_hash
};

/// The content of an image into the new file `to`, sparse, read back and compared; not its header.
/// Errc::full, Errc::io.
Result<CopiedContent> copy_content(const Image& from, int to, const std::string& to_path);

/// The same by sharing the blocks (a reflink): at once, header and all. Gives whether the file
/// system could; if not nothing was done.
bool share_content(const Image& from, int to);

/// pwrite of everything; Errc::full, Errc::io.
Result<void> write_fully(int fd, std::span<const std::uint8_t> bytes, std::int64_t offset,
                         const std::string& path);

} // namespace baton::desk
