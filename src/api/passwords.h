#pragma once

#include "model/error.h"

#include <memory>
#include <string>
#include <string_view>

/// Passwords and secrets: Argon2id, random tokens and their digests, all by libsodium.
namespace baton::api {

inline constexpr std::size_t shortest_password = 8;
inline constexpr std::size_t longest_password = 256;

/// Length only: 8 to 256 bytes. What people choose beyond that is theirs.
Result<void> check_password(std::string_view password);

/// Slow on purpose (some 50 ms and 64 MiB a call): never on the engine's thread. Thread-safe.
class Hasher {
  public:
    virtual ~Hasher() = default;
    /// libsodium's text form of an Argon2id hash with its parameters and salt.
    virtual Result<std::string> hash(const std::string& password) = 0;
    [[nodiscard]] virtual bool verify(const std::string& hash, const std::string& password) = 0;
};

enum class HashCost { interactive, lowest_for_tests };
std::unique_ptr<Hasher> make_hasher(HashCost cost = HashCost::interactive);

/// 32 random bytes in base64url, without padding: a bearer token.
std::string random_token();
/// `characters` of [a-z2-9] without those that look alike.
std::string random_password(std::size_t characters);
/// Lower-case hex. What the store keeps instead of a token.
std::string sha256_hex(std::string_view text);

} // namespace baton::api
