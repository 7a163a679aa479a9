#pragma once

#include "model/error.h"
#include "model/types.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

/// The small built-in certificate authority: EC P-256 throughout, by OpenSSL's API alone. What it
/// issues is used by Baton's own TLS and, for NBD, by QEMU (gnutls), which wants basic constraints
/// and both digitalSignature and keyEncipherment. All functions are thread-safe; an Authority is
/// immutable.
namespace baton::net {

/// Clocks of a lab's machines differ and jump: everything is valid from a day before it is made.
inline constexpr std::chrono::hours certificate_backdate{24};
inline constexpr std::chrono::hours authority_life{24 * 3652};
inline constexpr std::chrono::hours certificate_life{24 * 365};
/// A certificate with less life left than this is renewed by keep_certificate().
inline constexpr std::chrono::hours certificate_renewal{24 * 30};

struct CertificateOrder {
    std::string common_name;
    std::vector<std::string> names; ///< subjectAltName: IP addresses and DNS names
    bool server = false;
    bool client = false;
};

struct CertificateInfo {
    std::string common_name;
    std::vector<std::string> names;
    WallTime not_before{};
    WallTime not_after{};
    std::string sha256; ///< of the DER form, lower-case hex
    bool authority = false;
    bool server = false;
    bool client = false;
};

struct CertificateAndKey {
    std::string certificate_pem;
    std::string key_pem;
};

/// Of the first certificate in a PEM text. Errc::corrupt: there is none.
Result<CertificateInfo> inspect_certificate(const std::string& pem);
Result<CertificateInfo> inspect_certificate_file(const std::string& path);

/// What a log is to say about a certificate's end: from certificate_renewal before it on.
std::optional<std::string> expiry_warning(const std::string& path, const CertificateInfo& info,
                                          WallTime now);

/// Errc::corrupt: the key is another's, or the certificate was not issued by that authority.
Result<void> check_certificate(const std::string& certificate_pem, const std::string& key_pem,
                               const std::string& authority_pem);

struct SigningRequest {
    std::string key_pem;
    std::string csr_pem;
};

/// A new key and the request to certify it.
Result<SigningRequest> make_signing_request(const std::string& common_name);

/// The request to certify a key that is there already: renewing then replaces one file, whose new
/// form fits the key at every moment.
Result<std::string> make_signing_request(const std::string& common_name,
                                         const std::string& key_pem);

class Authority {
  public:
    /// A new one. `common_name`: "Baton CA of boot1".
    static Result<Authority> create(const std::string& common_name, WallTime now);
    /// Errc::corrupt: ill-formed, no CA, or the key is another's.
    static Result<Authority> from_pem(const std::string& certificate_pem,
                                      const std::string& key_pem);

    [[nodiscard]] const std::string& certificate_pem() const;
    [[nodiscard]] const std::string& key_pem() const;
    [[nodiscard]] const std::string& sha256() const;

    /// A new key with its certificate.
    [[nodiscard]] Result<CertificateAndKey> issue(const CertificateOrder& order,
                                                  WallTime now) const;
    /// Certifies the key of a request, whose signature must prove that its maker has the key.
    /// Everything else is taken from `order`, nothing from the request.
    [[nodiscard]] Result<std::string> sign(const std::string& csr_pem,
                                           const CertificateOrder& order, WallTime now) const;
    /// Did it sign this certificate?
    [[nodiscard]] bool issued(const std::string& certificate_pem) const;

  private:
    struct Parts;

    explicit Authority(std::shared_ptr<const Parts> parts) : parts_(std::move(parts)) {}

    std::shared_ptr<const Parts> parts_;
};

/// <folder>/ca-cert.pem and ca-key.pem, made (with the folder, 0700) when they are not there.
Result<Authority> open_authority(const std::string& folder, const std::string& common_name,
                                 WallTime now);

/// Sees to it that <folder> holds ca-cert.pem and <role>-cert.pem, <role>-key.pem ("server",
/// "client": the names that QEMU and libvirt look for) that say what `order` says and have
/// `certificate_renewal` to live. True: they were issued anew now. A certificate that only has to
/// be renewed keeps its key: whoever reads the files meanwhile finds a pair that fits.
Result<bool> keep_certificate(const Authority& authority, const std::string& folder,
                              const std::string& role, const CertificateOrder& order, WallTime now);

/// Atomic (a new file, synced, renamed over the old one), mode 0600.
Result<void> write_private_file(const std::string& path, const std::string& content);
/// Errc::not_found, io; at most 1 MiB.
Result<std::string> read_small_file(const std::string& path);

} // namespace baton::net
