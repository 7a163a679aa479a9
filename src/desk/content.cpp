#include "desk/content.h"

#include "desk/header.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <vector>

namespace baton::desk {

namespace {

std::array<std::uint8_t, 8> little(std::int64_t value) {
    std::array<std::uint8_t, 8> bytes{};
    for (std::size_t i = 0; i < bytes.size(); ++i)
        bytes[i] = static_cast<std::uint8_t>(static_cast<std::uint64_t>(value) >> (8 * i));
    return bytes;
}

Result<void> read_fully(int fd, std::span<std::uint8_t> bytes, std::int64_t offset,
                        const std::string& path) {
    while (!bytes.empty()) {
        const ssize_t n = ::pread(fd, bytes.data(), bytes.size(), offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_errno(errno, "cannot read the desk image " + path);
        if (n == 0)
            return fail(Errc::corrupt, "the desk image " + path + " is cut short");
        bytes = bytes.subspan(static_cast<std::size_t>(n));
        offset += n;
    }
    return {};
}

} // namespace

ContentHash::ContentHash(std::int64_t size_bytes) : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
    EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr);
    const auto size = little(size_bytes);
    EVP_DigestUpdate(context_.get(), size.data(), size.size());
}

void ContentHash::add(std::int64_t offset, std::span<const std::uint8_t> piece) {
    const auto place = little(offset);
    EVP_DigestUpdate(context_.get(), place.data(), place.size());
    EVP_DigestUpdate(context_.get(), piece.data(), piece.size());
}

std::string ContentHash::finish() {
    std::string digest(32, '\0');
    EVP_DigestFinal_ex(context_.get(), reinterpret_cast<unsigned char*>(digest.data()), nullptr);
    return digest;
}

std::string hex(const std::string& bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const char c : bytes) {
        text += digits[static_cast<unsigned char>(c) >> 4];
        text += digits[static_cast<unsigned char>(c) & 15];
    }
    return text;
}

Result<void>
each_piece(int fd, std::int64_t size_bytes, const std::string& path,
           const std::function<Result<void>(std::int64_t, std::span<const std::uint8_t>)>& sink) {
    std::vector<std::uint8_t> buffer(piece_bytes);
    std::int64_t at = 0;
    while (at < size_bytes) {
        const off_t data = ::lseek(fd, data_offset + at, SEEK_DATA);
        if (data < 0 && errno == ENXIO)
            return {}; // nothing but a hole is left
        if (data >= 0) {
            const auto piece = static_cast<std::int64_t>(piece_bytes);
            at = std::max(at, (data - data_offset) / piece * piece);
        }
        if (at >= size_bytes)
            return {};
        const auto length = static_cast<std::size_t>(
            std::min<std::int64_t>(static_cast<std::int64_t>(piece_bytes), size_bytes - at));
        const std::span piece(buffer.data(), length);
        BATON_TRY(read_fully(fd, piece, data_offset + at, path));
        if (std::any_of(piece.begin(), piece.end(), [](auto byte) { return byte != 0; }))
            BATON_TRY(sink(at, piece));
        at += static_cast<std::int64_t>(length);
    }
    return {};
}

Result<void> write_fully(int fd, std::span<const std::uint8_t> bytes, std::int64_t offset,
                         const std::string& path) {
    while (!bytes.empty()) {
        const ssize_t n = ::pwrite(fd, bytes.data(), bytes.size(), offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return fail_errno(n < 0 ? errno : ENOSPC, "cannot write " + path,
                              "see that there is space left and that it may be written");
        bytes = bytes.subspan(static_cast<std::size_t>(n));
        offset += n;
    }
    return {};
}

Result<std::string> hash_of(int fd, std::int64_t size_bytes, const std::string& path) {
    ContentHash hash(size_bytes);
    BATON_TRY(each_piece(fd, size_bytes, path, [&](std::int64_t offset, auto piece) {
        hash.add(offset, piece);
        return Result<void>();
    }));
    return hex(hash.finish());
}

Result<CopiedContent> copy_content(const Image& from, int to, const std::string& to_path) {
    const auto size = from.header().size_bytes;
    CopiedContent copied;
    ContentHash hash(size);
    BATON_TRY(each_piece(from.fd(), size, from.path(),
                         [&](std::int64_t offset, std::span<const std::uint8_t> piece) {
                             hash.add(offset, piece);
                             copied.bytes += static_cast<std::int64_t>(piece.size());
                             return write_fully(to, piece, data_offset + offset, to_path);
                         }));
    copied.sha256 = hex(hash.finish());
    const auto written = hash_of(to, size, to_path);
    if (!written)
        return tl::unexpected(written.error());
    if (*written != copied.sha256)
        return fail(Errc::io, "the copy " + to_path + " is not what was written to it",
                    "look at the disk it lies on");
    return copied;
}

bool share_content(const Image& from, int to) {
    return ::ioctl(to, FICLONE, from.fd()) == 0;
}

} // namespace baton::desk
