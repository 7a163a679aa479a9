#include "osimage/hash.h"

#include "osimage/files.h"

#include <openssl/evp.h>

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <memory>
#include <stdexcept>
#include <unistd.h>
#include <vector>

namespace baton::osimage {

namespace {

class Sha256 {
  public:
    Sha256() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
        if (!context_ || EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) != 1)
            throw std::runtime_error("OpenSSL has no SHA-256");
    }

    void add(const void* bytes, std::size_t size) {
        if (EVP_DigestUpdate(context_.get(), bytes, size) != 1)
            throw std::runtime_error("OpenSSL failed in the middle of a SHA-256");
    }

    std::string hex() {
        std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
        unsigned size = 0;
        if (EVP_DigestFinal_ex(context_.get(), digest.data(), &size) != 1)
            throw std::runtime_error("OpenSSL failed at the end of a SHA-256");
        constexpr std::string_view digits = "0123456789abcdef";
        std::string text;
        for (unsigned i = 0; i < size; ++i) {
            text += digits[digest[i] >> 4U];
            text += digits[digest[i] & 15U];
        }
        return text;
    }

  private:
    std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

} // namespace

std::string sha256_text(std::string_view text) {
    Sha256 sum;
    sum.add(text.data(), text.size());
    return sum.hex();
}

Result<std::string> sha256_file(int fd, const std::string& path, const Hashed& hashed) {
    Sha256 sum;
    std::vector<char> buffer(1'048'576);
    std::int64_t done = 0;
    ::posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    while (true) {
        const ssize_t n = ::pread(fd, buffer.data(), buffer.size(), done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_errno(errno, "cannot read " + path);
        if (n == 0)
            return sum.hex();
        sum.add(buffer.data(), static_cast<std::size_t>(n));
        done += n;
        if (hashed)
            hashed(done);
    }
}

Result<std::string> sha256_file(const std::string& path, const Hashed& hashed) {
    auto file = open_file(path, O_RDONLY);
    if (!file)
        return tl::unexpected(file.error());
    return sha256_file(file->get(), path, hashed);
}

} // namespace baton::osimage
