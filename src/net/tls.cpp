#include "net/tls.h"

#include "net/digest.h"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/beast/core/error.hpp>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <spdlog/spdlog.h>

#include <sys/stat.h>
#include <unistd.h>

namespace baton::net {

namespace ssl = boost::asio::ssl;

namespace {

using StorePtr = std::unique_ptr<X509_STORE, decltype(&X509_STORE_free)>;
using StoreContextPtr = std::unique_ptr<X509_STORE_CTX, decltype(&X509_STORE_CTX_free)>;

/// Judges the chain by a store that holds the pinned CA alone.
int verify_pinned(X509_STORE_CTX* context, void* argument) {
    const auto& pin = *static_cast<const std::string*>(argument);
    const auto give_up = [context](int reason) {
        X509_STORE_CTX_set_error(context, reason);
        return 0;
    };
    X509* leaf = X509_STORE_CTX_get0_cert(context);
    STACK_OF(X509)* sent = X509_STORE_CTX_get0_untrusted(context);
    X509* authority = nullptr;
    for (int i = 0; sent != nullptr && i < sk_X509_num(sent); ++i)
        if (certificate_sha256(sk_X509_value(sent, i)) == pin)
            authority = sk_X509_value(sent, i);
    if (leaf == nullptr || authority == nullptr || X509_check_ca(authority) == 0)
        return give_up(X509_V_ERR_APPLICATION_VERIFICATION);
    const StorePtr store(X509_STORE_new(), &X509_STORE_free);
    const StoreContextPtr inner(X509_STORE_CTX_new(), &X509_STORE_CTX_free);
    if (!store || !inner || X509_STORE_add_cert(store.get(), authority) != 1 ||
        X509_STORE_CTX_init(inner.get(), store.get(), leaf, sent) != 1)
        return give_up(X509_V_ERR_OUT_OF_MEM);
    X509_STORE_CTX_set_default(inner.get(), "ssl_server");
    // The name to expect (and nothing else) is set on the connection's own parameters.
    X509_VERIFY_PARAM_set1(X509_STORE_CTX_get0_param(inner.get()),
                           X509_STORE_CTX_get0_param(context));
    const int verdict = X509_verify_cert(inner.get());
    X509_STORE_CTX_set_error(context, X509_STORE_CTX_get_error(inner.get()));
    return verdict == 1 ? 1 : 0;
}

void free_pin(void* /*parent*/, void* pointer, CRYPTO_EX_DATA* /*data*/, int /*index*/,
              long /*argl*/, void* /*argp*/) {
    delete static_cast<std::string*>(pointer);
}

/// Ties the pin's life to the context's.
const std::string* keep_pin(SSL_CTX* context, const std::string& pin) {
    static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, free_pin);
    auto owned = std::make_unique<std::string>(pin);
    const auto* kept = owned.get();
    if (SSL_CTX_set_ex_data(context, index, owned.get()) != 1)
        return nullptr;
    static_cast<void>(owned.release()); // NOLINT(bugprone-unused-return-value): kept there now
    return kept;
}

/// `role`: "certificate", "key", "CA certificate".
Result<void> readable(const std::string& role, const std::string& path) {
    if (::access(path.c_str(), R_OK) != 0)
        return fail_errno(errno, "cannot read the " + role + " " + path);
    return {};
}

Result<void> load_identity(ssl::context& context, const TlsFiles& files) {
    if (files.certificate.empty())
        return {};
    BATON_TRY(readable("certificate", files.certificate));
    BATON_TRY(readable("key", files.key));
    boost::system::error_code error;
    context.use_certificate_chain_file(files.certificate, error);
    if (error)
        return fail(Errc::corrupt,
                    files.certificate + " is not a PEM certificate: " + error.message());
    context.use_private_key_file(files.key, ssl::context::pem, error);
    if (error)
        return fail(Errc::corrupt, files.key + " is not the PEM key of " + files.certificate +
                                       ": " + error.message());
    return {};
}

Result<void> load_authority(ssl::context& context, const std::string& path) {
    BATON_TRY(readable("CA certificate", path));
    boost::system::error_code error;
    context.load_verify_file(path, error);
    if (error)
        return fail(Errc::corrupt, path + " is not a PEM CA certificate: " + error.message());
    return {};
}

std::unique_ptr<ssl::context> make_context(ssl::context::method method) {
    auto context = std::make_unique<ssl::context>(method);
    SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
    // Connections are few and live long; without resumption every peer is verified each time.
    SSL_CTX_set_session_cache_mode(context->native_handle(), SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(context->native_handle(), SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_num_tickets(context->native_handle(), 0);
    return context;
}

} // namespace

Result<std::unique_ptr<ssl::context>> server_tls(const TlsFiles& files,
                                                 bool require_client_certificate) {
    auto context = make_context(ssl::context::tls_server);
    BATON_TRY(load_identity(*context, files));
    if (!files.authority.empty()) {
        BATON_TRY(load_authority(*context, files.authority));
        ssl::verify_mode mode = ssl::verify_peer;
        if (require_client_certificate)
            mode |= ssl::verify_fail_if_no_peer_cert;
        context->set_verify_mode(mode);
    } else if (require_client_certificate) {
        return fail(Errc::invalid_argument,
                    "client certificates are required, but no CA is named to judge them by");
    }
    return context;
}

Result<std::unique_ptr<ssl::context>> client_tls(const TlsFiles& files,
                                                 const std::string& pinned_sha256) {
    auto context = make_context(ssl::context::tls_client);
    BATON_TRY(load_identity(*context, files));
    context->set_verify_mode(ssl::verify_peer);
    if (!pinned_sha256.empty()) {
        const auto* pin = keep_pin(context->native_handle(), pinned_sha256);
        if (pin == nullptr)
            return fail(Errc::internal, "no memory for the pinned fingerprint");
        SSL_CTX_set_cert_verify_callback(context->native_handle(), verify_pinned,
                                         const_cast<std::string*>(pin));
    } else if (!files.authority.empty()) {
        BATON_TRY(load_authority(*context, files.authority));
    } else {
        boost::system::error_code ignored; // then nothing is trusted, and it says so
        context->set_default_verify_paths(ignored);
    }
    return context;
}

Result<FreshTls> FreshTls::start(TlsFiles files, Make make) {
    FreshTls tls(std::move(files), std::move(make));
    tls.stamps_ = tls.stamps();
    auto context = tls.make_();
    if (!context)
        return tl::unexpected(context.error());
    tls.context_ = std::move(*context);
    return tls;
}

std::array<FreshTls::Stamp, 3> FreshTls::stamps() const {
    std::array<Stamp, 3> found;
    const std::array<const std::string*, 3> paths{&files_.certificate, &files_.key,
                                                  &files_.authority};
    for (std::size_t i = 0; i < paths.size(); ++i) {
        struct stat info{};
        if (!paths[i]->empty() && ::stat(paths[i]->c_str(), &info) == 0)
            found[i] = {info.st_ino, info.st_size, info.st_mtim.tv_sec, info.st_mtim.tv_nsec};
    }
    return found;
}

ssl::context* FreshTls::now() {
    const auto found = stamps(); // before the files are read: a change meanwhile is seen next time
    if (found == stamps_)
        return context_.get();
    auto context = make_();
    if (context) {
        context_ = std::move(*context);
        stamps_ = found;
        spdlog::info("new connections use {} as it is now", files_.certificate);
    } else if (refused_ != found) { // said once; tried by every connection: it may be no descriptor
        refused_ = found;
        spdlog::warn("{} has changed and cannot be used; going on with what was read before: {}",
                     files_.certificate, context.error().message());
    }
    return context_.get();
}

void expect_name(SSL* ssl, const std::string& host) {
    boost::system::error_code error;
    boost::asio::ip::make_address(host, error);
    if (!error) {
        X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str());
        return;
    }
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    SSL_set1_host(ssl, host.c_str());
    // SSL_set_tlsext_host_name, without the macro's old-style cast
    SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
             const_cast<char*>(host.c_str()));
}

namespace {

/// What the other side's alert says of *our* certificate, or null.
const char* alert_text(int reason) {
    switch (reason) {
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
        return "it wants a client certificate";
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
        return "it does not trust the certificate that this side shows";
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
        return "the certificate that this side shows has expired";
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
        return "the certificate that this side shows has been revoked";
    default:
        return nullptr;
    }
}

/// What is wrong with the other side's certificate.
Error verdict_error(long verdict, const std::string& whom) {
    const auto refused = [&](std::string what, std::string hint) {
        return Error{Errc::unauthenticated, "the certificate of " + whom + " " + std::move(what),
                     std::move(hint), static_cast<int>(verdict)};
    };
    switch (verdict) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return refused("has expired", "renew it there, or check this machine's clock");
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return refused("is not valid yet", "check both machines' clocks");
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return refused("is for another name or address",
                       "use a name that it was issued for, or issue it anew with this one");
    case X509_V_ERR_APPLICATION_VERIFICATION:
        return refused("does not come from the CA whose fingerprint was given",
                       "ask for a new token; if that does not help, somebody may be between");
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
        return refused("is not trusted here",
                       "name the CA that issued it (ca-cert.pem of the controller)");
    default:
        return refused(std::string("is refused: ") + X509_verify_cert_error_string(verdict), "");
    }
}

} // namespace

Error handshake_error(SSL* ssl, const boost::system::error_code& error, const std::string& whom) {
    if (error == boost::beast::error::timeout)
        return Error{Errc::timeout, whom + " did not answer the TLS handshake in time",
                     "is it a TLS port?", 0};
    const long verdict = ssl != nullptr ? SSL_get_verify_result(ssl) : X509_V_OK;
    if (verdict != X509_V_OK)
        return verdict_error(verdict, whom);
    if (error.category() == boost::asio::error::get_ssl_category()) {
        const int reason = ERR_GET_REASON(static_cast<unsigned long>(error.value()));
        if (const char* text = alert_text(reason))
            return Error{Errc::unauthenticated, whom + " refuses the connection: " + text,
                         "join this host again, or give --cert and --key", 0};
        if (reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_HTTP_REQUEST ||
            reason == SSL_R_PACKET_LENGTH_TOO_LONG)
            return Error{Errc::unavailable, whom + " does not speak TLS",
                         "is it the right port, and https?", 0};
    }
    return Error{Errc::unavailable,
                 "the TLS handshake with " + whom + " failed: " + error.message(), "", 0};
}

void read_certificate(SSL* ssl, Peer& peer) {
    const std::unique_ptr<X509, decltype(&X509_free)> certificate(SSL_get1_peer_certificate(ssl),
                                                                  &X509_free);
    if (!certificate || SSL_get_verify_result(ssl) != X509_V_OK)
        return;
    peer.certificate_name = certificate_common_name(certificate.get());
    peer.certificate_sha256 = certificate_sha256(certificate.get());
}

} // namespace baton::net
