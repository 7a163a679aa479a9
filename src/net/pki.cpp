#include "net/pki.h"

#include "net/digest.h"

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <ctime>

namespace baton::net {

namespace {

template <auto Free>
struct Freer {
    template <class T>
    void operator()(T* pointer) const {
        Free(pointer);
    }
};

using X509Ptr = std::unique_ptr<X509, Freer<X509_free>>;
using RequestPtr = std::unique_ptr<X509_REQ, Freer<X509_REQ_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;
using BioPtr = std::unique_ptr<BIO, Freer<BIO_free_all>>;
using NamesPtr = std::unique_ptr<GENERAL_NAMES, Freer<GENERAL_NAMES_free>>;
using UsagePtr = std::unique_ptr<EXTENDED_KEY_USAGE, Freer<EXTENDED_KEY_USAGE_free>>;
using ExtensionPtr = std::unique_ptr<X509_EXTENSION, Freer<X509_EXTENSION_free>>;

/// OpenSSL's own words for what just failed.
tl::unexpected<Error> openssl_failed(const std::string& what, Errc code = Errc::internal) {
    std::array<char, 256> text{};
    const auto error = ERR_get_error();
    ERR_error_string_n(error, text.data(), text.size());
    ERR_clear_error();
    return fail(code, error != 0 ? what + ": " + text.data() : what);
}

KeyPtr new_key() {
    return KeyPtr(EVP_EC_gen("P-256"));
}

template <class Write>
Result<std::string> to_pem(Write write) {
    const BioPtr bio(BIO_new(BIO_s_mem()));
    if (!bio || write(bio.get()) != 1)
        return openssl_failed("cannot write PEM");
    char* bytes = nullptr;
    const auto length = BIO_get_mem_data(bio.get(), &bytes);
    return std::string(bytes, static_cast<std::size_t>(length));
}

Result<std::string> key_to_pem(EVP_PKEY* key) {
    return to_pem([key](BIO* bio) {
        return PEM_write_bio_PKCS8PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
    });
}

Result<std::string> certificate_to_pem(X509* certificate) {
    return to_pem([certificate](BIO* bio) { return PEM_write_bio_X509(bio, certificate); });
}

BioPtr reader(const std::string& pem) {
    return BioPtr(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

X509Ptr certificate_from_pem(const std::string& pem) {
    const auto bio = reader(pem);
    return X509Ptr(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
}

bool set_name(X509_NAME* name, const std::string& common_name) {
    return X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8,
                                      reinterpret_cast<const unsigned char*>(common_name.data()),
                                      static_cast<int>(common_name.size()), -1, 0) == 1;
}

bool add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    const ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
    return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

/// subjectAltName, not through OpenSSL's configuration language: a name is never read as syntax.
bool add_names(X509* certificate, const std::vector<std::string>& names) {
    const NamesPtr list(sk_GENERAL_NAME_new_null());
    for (const auto& name : names) {
        GENERAL_NAME* entry = nullptr;
        if (ASN1_OCTET_STRING* address = a2i_IPADDRESS(name.c_str())) {
            entry = GENERAL_NAME_new();
            GENERAL_NAME_set0_value(entry, GEN_IPADD, address);
        } else {
            ERR_clear_error();
            ASN1_IA5STRING* text = ASN1_IA5STRING_new();
            ASN1_STRING_set(text, name.data(), static_cast<int>(name.size()));
            entry = GENERAL_NAME_new();
            GENERAL_NAME_set0_value(entry, GEN_DNS, text);
        }
        if (sk_GENERAL_NAME_push(list.get(), entry) == 0) {
            GENERAL_NAME_free(entry);
            return false;
        }
    }
    return names.empty() ||
           X509_add1_ext_i2d(certificate, NID_subject_alt_name, list.get(), 0, 0) == 1;
}

bool set_serial(X509* certificate) {
    std::array<unsigned char, 16> random{};
    if (RAND_bytes(random.data(), static_cast<int>(random.size())) != 1)
        return false;
    random[0] &= 0x7fU; // positive
    random[0] |= 0x40U; // and never short
    BIGNUM* number = BN_bin2bn(random.data(), static_cast<int>(random.size()), nullptr);
    const bool set = number != nullptr &&
                     BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != nullptr;
    BN_free(number);
    return set;
}

bool set_life(X509* certificate, WallTime now, std::chrono::hours life) {
    const auto from = std::chrono::floor<std::chrono::seconds>(now - certificate_backdate);
    const auto until = std::chrono::floor<std::chrono::seconds>(now + life);
    return ASN1_TIME_set(X509_getm_notBefore(certificate),
                         static_cast<std::time_t>(from.time_since_epoch().count())) != nullptr &&
           ASN1_TIME_set(X509_getm_notAfter(certificate),
                         static_cast<std::time_t>(until.time_since_epoch().count())) != nullptr;
}

WallTime time_of(const ASN1_TIME* time) {
    std::tm parts{};
    if (ASN1_TIME_to_tm(time, &parts) != 1)
        return {};
    return WallTime(std::chrono::seconds(::timegm(&parts)));
}

Result<void> check_order(const CertificateOrder& order) {
    if (order.common_name.empty() || order.common_name.size() > 64)
        return fail(Errc::invalid_argument,
                    "a certificate's name has 1 to 64 characters, not '" + order.common_name + "'");
    for (const auto& name : order.names) {
        constexpr std::string_view allowed =
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.:";
        if (name.empty() || name.size() > 253 ||
            name.find_first_not_of(allowed) != std::string::npos)
            return fail(Errc::invalid_argument,
                        "'" + name + "' is neither an IP address nor a host name");
    }
    if (!order.server && !order.client)
        return fail(Errc::invalid_argument, "a certificate is for a server, a client, or both");
    return {};
}

Result<X509Ptr> make_certificate(X509* authority, EVP_PKEY* authority_key, EVP_PKEY* key,
                                 const CertificateOrder& order, WallTime now) {
    BATON_TRY(check_order(order));
    X509Ptr certificate(X509_new());
    std::string usage = order.server ? "serverAuth" : "";
    if (order.client)
        usage += usage.empty() ? "clientAuth" : ",clientAuth";
    X509* raw = certificate.get();
    const bool made =
        raw != nullptr && X509_set_version(raw, X509_VERSION_3) == 1 && set_serial(raw) &&
        set_life(raw, now, certificate_life) && X509_set_pubkey(raw, key) == 1 &&
        set_name(X509_get_subject_name(raw), order.common_name) &&
        X509_set_issuer_name(raw, X509_get_subject_name(authority)) == 1 &&
        add_extension(raw, authority, NID_basic_constraints, "critical,CA:FALSE") &&
        add_extension(raw, authority, NID_key_usage, "critical,digitalSignature,keyEncipherment") &&
        add_extension(raw, authority, NID_ext_key_usage, usage) &&
        add_extension(raw, authority, NID_subject_key_identifier, "hash") &&
        add_extension(raw, authority, NID_authority_key_identifier, "keyid") &&
        add_names(raw, order.names) && X509_sign(raw, authority_key, EVP_sha256()) > 0;
    if (!made)
        return openssl_failed("cannot issue the certificate of " + order.common_name);
    return certificate;
}

} // namespace

// ---- reading ------------------------------------------------------------------------------------

Result<CertificateInfo> inspect_certificate(const std::string& pem) {
    const auto certificate = certificate_from_pem(pem);
    if (!certificate)
        return openssl_failed("this is not a PEM certificate", Errc::corrupt);
    X509* raw = certificate.get();
    CertificateInfo info;
    info.common_name = certificate_common_name(raw);
    info.sha256 = certificate_sha256(raw);
    info.not_before = time_of(X509_get0_notBefore(raw));
    info.not_after = time_of(X509_get0_notAfter(raw));
    info.authority = X509_check_ca(raw) == 1;
    const auto usage = X509_get_extended_key_usage(raw);
    info.server = (usage & XKU_SSL_SERVER) != 0 && usage != UINT32_MAX;
    info.client = (usage & XKU_SSL_CLIENT) != 0 && usage != UINT32_MAX;
    const NamesPtr names(
        static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(raw, NID_subject_alt_name, nullptr, nullptr)));
    for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
        const auto* name = sk_GENERAL_NAME_value(names.get(), i);
        if (name->type == GEN_DNS) {
            const auto* text = ASN1_STRING_get0_data(name->d.dNSName);
            info.names.emplace_back(reinterpret_cast<const char*>(text),
                                    static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName)));
        } else if (name->type == GEN_IPADD) {
            std::array<char, INET6_ADDRSTRLEN> text{};
            const int family = ASN1_STRING_length(name->d.iPAddress) == 4 ? AF_INET : AF_INET6;
            if (::inet_ntop(family, ASN1_STRING_get0_data(name->d.iPAddress), text.data(),
                            text.size()) != nullptr)
                info.names.emplace_back(text.data());
        }
    }
    return info;
}

Result<CertificateInfo> inspect_certificate_file(const std::string& path) {
    const auto pem = read_small_file(path);
    if (!pem)
        return tl::unexpected(pem.error());
    auto info = inspect_certificate(*pem);
    if (!info)
        return tl::unexpected(info.error().in(path));
    return info;
}

std::optional<std::string> expiry_warning(const std::string& path, const CertificateInfo& info,
                                          WallTime now) {
    const auto left = std::chrono::floor<std::chrono::days>(info.not_after - now);
    if (info.not_after <= now)
        return "the certificate " + path + " has expired";
    if (info.not_after - now >= certificate_renewal)
        return std::nullopt;
    return "the certificate " + path + " ends in " + std::to_string(left.count()) + " days";
}

Result<void> check_certificate(const std::string& certificate_pem, const std::string& key_pem,
                               const std::string& authority_pem) {
    const auto certificate = certificate_from_pem(certificate_pem);
    const auto authority = certificate_from_pem(authority_pem);
    if (!certificate || !authority)
        return openssl_failed("this is not a PEM certificate", Errc::corrupt);
    const auto bio = reader(key_pem);
    const KeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
    if (!key || X509_check_private_key(certificate.get(), key.get()) != 1)
        return openssl_failed("the certificate belongs to another key", Errc::corrupt);
    if (X509_verify(certificate.get(), X509_get0_pubkey(authority.get())) != 1)
        return openssl_failed("the certificate comes from another CA", Errc::corrupt);
    return {};
}

// ---- requests -----------------------------------------------------------------------------------

namespace {

Result<std::string> request_for(EVP_PKEY* key, const std::string& common_name) {
    const RequestPtr request(X509_REQ_new());
    if (key == nullptr || !request ||
        X509_REQ_set_version(request.get(), X509_REQ_VERSION_1) != 1 ||
        !set_name(X509_REQ_get_subject_name(request.get()), common_name) ||
        X509_REQ_set_pubkey(request.get(), key) != 1 ||
        X509_REQ_sign(request.get(), key, EVP_sha256()) <= 0)
        return openssl_failed("cannot make a certificate request for " + common_name);
    return to_pem([&](BIO* bio) { return PEM_write_bio_X509_REQ(bio, request.get()); });
}

} // namespace

Result<std::string> make_signing_request(const std::string& common_name,
                                         const std::string& key_pem) {
    const auto bio = reader(key_pem);
    const KeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
    if (!key)
        return openssl_failed("this is not a PEM key", Errc::corrupt);
    return request_for(key.get(), common_name);
}

Result<SigningRequest> make_signing_request(const std::string& common_name) {
    const auto key = new_key();
    if (!key)
        return openssl_failed("cannot make a key");
    auto csr_pem = request_for(key.get(), common_name);
    auto key_pem = key_to_pem(key.get());
    if (!key_pem || !csr_pem)
        return tl::unexpected(key_pem ? csr_pem.error() : key_pem.error());
    return SigningRequest{std::move(*key_pem), std::move(*csr_pem)};
}

// ---- the authority
// --------------------------------------------------------------------------------

struct Authority::Parts {
    X509Ptr certificate;
    KeyPtr key;
    std::string certificate_pem;
    std::string key_pem;
    std::string sha256;
};

const std::string& Authority::certificate_pem() const {
    return parts_->certificate_pem;
}

const std::string& Authority::key_pem() const {
    return parts_->key_pem;
}

const std::string& Authority::sha256() const {
    return parts_->sha256;
}

Result<Authority> Authority::create(const std::string& common_name, WallTime now) {
    const auto key = new_key();
    const X509Ptr certificate(X509_new());
    X509* raw = certificate.get();
    const bool made =
        key && raw != nullptr && X509_set_version(raw, X509_VERSION_3) == 1 && set_serial(raw) &&
        set_life(raw, now, authority_life) && X509_set_pubkey(raw, key.get()) == 1 &&
        set_name(X509_get_subject_name(raw), common_name) &&
        X509_set_issuer_name(raw, X509_get_subject_name(raw)) == 1 &&
        add_extension(raw, raw, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
        add_extension(raw, raw, NID_key_usage, "critical,keyCertSign,cRLSign") &&
        add_extension(raw, raw, NID_subject_key_identifier, "hash") &&
        X509_sign(raw, key.get(), EVP_sha256()) > 0;
    if (!made)
        return openssl_failed("cannot make the certificate authority");
    const auto certificate_pem = certificate_to_pem(raw);
    const auto key_pem = key_to_pem(key.get());
    if (!certificate_pem || !key_pem)
        return tl::unexpected(certificate_pem ? key_pem.error() : certificate_pem.error());
    return from_pem(*certificate_pem, *key_pem);
}

Result<Authority> Authority::from_pem(const std::string& certificate_pem,
                                      const std::string& key_pem) {
    auto parts = std::make_shared<Parts>();
    parts->certificate = certificate_from_pem(certificate_pem);
    if (!parts->certificate)
        return openssl_failed("the CA certificate is not PEM", Errc::corrupt);
    const auto bio = reader(key_pem);
    parts->key.reset(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
    if (!parts->key)
        return openssl_failed("the CA key is not PEM", Errc::corrupt);
    if (X509_check_ca(parts->certificate.get()) != 1)
        return fail(Errc::corrupt, "the CA certificate is not that of a CA");
    if (X509_check_private_key(parts->certificate.get(), parts->key.get()) != 1) {
        ERR_clear_error();
        return fail(Errc::corrupt, "the CA key does not belong to the CA certificate",
                    "restore both from the same backup");
    }
    parts->certificate_pem = certificate_pem;
    parts->key_pem = key_pem;
    parts->sha256 = certificate_sha256(parts->certificate.get());
    return Authority(std::move(parts));
}

Result<CertificateAndKey> Authority::issue(const CertificateOrder& order, WallTime now) const {
    const auto key = new_key();
    if (!key)
        return openssl_failed("cannot make a key");
    const auto certificate =
        make_certificate(parts_->certificate.get(), parts_->key.get(), key.get(), order, now);
    if (!certificate)
        return tl::unexpected(certificate.error());
    auto certificate_pem = certificate_to_pem(certificate->get());
    auto key_pem = key_to_pem(key.get());
    if (!certificate_pem || !key_pem)
        return tl::unexpected(certificate_pem ? key_pem.error() : certificate_pem.error());
    return CertificateAndKey{std::move(*certificate_pem), std::move(*key_pem)};
}

Result<std::string> Authority::sign(const std::string& csr_pem, const CertificateOrder& order,
                                    WallTime now) const {
    const auto bio = reader(csr_pem);
    const RequestPtr request(PEM_read_bio_X509_REQ(bio.get(), nullptr, nullptr, nullptr));
    if (!request)
        return openssl_failed("this is not a PEM certificate request", Errc::invalid_argument);
    EVP_PKEY* key = X509_REQ_get0_pubkey(request.get());
    if (key == nullptr || X509_REQ_verify(request.get(), key) != 1)
        return openssl_failed("the certificate request is not signed by its own key",
                              Errc::invalid_argument);
    std::array<char, 32> group{};
    if (EVP_PKEY_get_base_id(key) != EVP_PKEY_EC ||
        EVP_PKEY_get_group_name(key, group.data(), group.size(), nullptr) != 1 ||
        std::string_view(group.data()) != "prime256v1")
        return openssl_failed("the certificate request's key is not one of EC P-256",
                              Errc::invalid_argument);
    const auto certificate =
        make_certificate(parts_->certificate.get(), parts_->key.get(), key, order, now);
    if (!certificate)
        return tl::unexpected(certificate.error());
    return certificate_to_pem(certificate->get());
}

bool Authority::issued(const std::string& certificate_pem) const {
    const auto certificate = certificate_from_pem(certificate_pem);
    const bool ours = certificate && X509_verify(certificate.get(),
                                                 X509_get0_pubkey(parts_->certificate.get())) == 1;
    ERR_clear_error();
    return ours;
}

} // namespace baton::net
