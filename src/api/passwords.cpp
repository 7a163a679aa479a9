#include "api/passwords.h"

#include <fmt/format.h>
#include <sodium.h>

#include <array>
#include <stdexcept>

namespace baton::api {

namespace {

void need_sodium() {
    if (sodium_init() < 0)
        throw std::runtime_error("libsodium cannot be initialized");
}

class SodiumHasher : public Hasher {
  public:
    explicit SodiumHasher(HashCost cost)
        : operations_(cost == HashCost::interactive ? crypto_pwhash_OPSLIMIT_INTERACTIVE
                                                    : crypto_pwhash_OPSLIMIT_MIN),
          memory_(cost == HashCost::interactive ? crypto_pwhash_MEMLIMIT_INTERACTIVE
                                                : crypto_pwhash_MEMLIMIT_MIN) {
        need_sodium();
    }

    Result<std::string> hash(const std::string& password) override {
        std::array<char, crypto_pwhash_STRBYTES> text{};
        if (crypto_pwhash_str(text.data(), password.data(), password.size(), operations_,
                              memory_) != 0)
            return fail(Errc::full, "there is not enough memory to hash a password",
                        fmt::format("{} MiB must be free", memory_ / (1024 * 1024)));
        return std::string(text.data());
    }

    bool verify(const std::string& hash, const std::string& password) override {
        return !hash.empty() &&
               crypto_pwhash_str_verify(hash.c_str(), password.data(), password.size()) == 0;
    }

  private:
    unsigned long long operations_;
    std::size_t memory_;
};

} // namespace

Result<void> check_password(std::string_view password) {
    if (password.size() < shortest_password)
        return fail(Errc::invalid_argument,
                    fmt::format("the password is shorter than {} characters", shortest_password),
                    "a few unrelated words are easy to remember and hard to guess");
    if (password.size() > longest_password)
        return fail(Errc::invalid_argument,
                    fmt::format("the password is longer than {} bytes", longest_password));
    return {};
}

std::unique_ptr<Hasher> make_hasher(HashCost cost) {
    return std::make_unique<SodiumHasher>(cost);
}

std::string random_token() {
    need_sodium();
    std::array<unsigned char, 32> bytes{};
    randombytes_buf(bytes.data(), bytes.size());
    std::array<char, sodium_base64_ENCODED_LEN(32, sodium_base64_VARIANT_URLSAFE_NO_PADDING)>
        text{};
    sodium_bin2base64(text.data(), text.size(), bytes.data(), bytes.size(),
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    return std::string(text.data());
}

std::string random_password(std::size_t characters) {
    need_sodium();
    constexpr std::string_view alphabet = "abcdefghjkmnpqrstuvwxyz23456789";
    std::string text;
    for (std::size_t i = 0; i < characters; ++i)
        text += alphabet[randombytes_uniform(static_cast<std::uint32_t>(alphabet.size()))];
    return text;
}

std::string sha256_hex(std::string_view text) {
    std::array<unsigned char, crypto_hash_sha256_BYTES> digest{};
    crypto_hash_sha256(digest.data(), reinterpret_cast<const unsigned char*>(text.data()),
                       text.size());
    std::string hex;
    for (const unsigned char byte : digest)
        hex += fmt::format("{:02x}", byte);
    return hex;
}

} // namespace baton::api
