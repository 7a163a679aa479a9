#include "net/vnc_password.h"

#include <openssl/evp.h>

#include <algorithm>
#include <memory>

namespace baton::net {

Result<std::array<std::uint8_t, 16>>
answer_vnc_challenge(std::string_view password, const std::array<std::uint8_t, 16>& challenge) {
    // Single DES is DES-EDE3 with one key three times over, which OpenSSL 3 still has in its
    // default provider.
    std::array<unsigned char, 24> key{};
    for (std::size_t i = 0; i < std::min<std::size_t>(8, password.size()); ++i) {
        unsigned reversed = 0;
        for (unsigned bit = 0; bit < 8; ++bit)
            reversed |= (static_cast<unsigned char>(password[i]) >> bit & 1U) << (7 - bit);
        key[i] = key[i + 8] = key[i + 16] = static_cast<unsigned char>(reversed);
    }
    std::array<std::uint8_t, 16> answer{};
    int length = 0;
    const std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> context(
        EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free);
    if (!context ||
        EVP_EncryptInit_ex(context.get(), EVP_des_ede3_ecb(), nullptr, key.data(), nullptr) != 1 ||
        EVP_CIPHER_CTX_set_padding(context.get(), 0) != 1 ||
        EVP_EncryptUpdate(context.get(), answer.data(), &length, challenge.data(),
                          static_cast<int>(challenge.size())) != 1)
        return fail(Errc::unsupported, "OpenSSL cannot do DES, which VNC passwords need",
                    "log in by another way, X509Plain for one");
    return answer;
}

} // namespace baton::net
