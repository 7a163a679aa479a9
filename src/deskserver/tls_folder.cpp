#include "deskserver/server_parts.h"
#include "net/pki.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/pem.h>

#include <filesystem>
#include <memory>
#include <unistd.h>

namespace baton::deskserver {

namespace {

namespace fs = std::filesystem;

Result<std::string> dh_parameters() {
    const auto failed = [] {
        return fail(Errc::internal, "OpenSSL gives no Diffie-Hellman parameters");
    };
    const std::unique_ptr<EVP_PKEY_CTX, void (*)(EVP_PKEY_CTX*)> context(
        EVP_PKEY_CTX_new_from_name(nullptr, "DH", nullptr), EVP_PKEY_CTX_free);
    char group[] = "ffdhe2048";
    const OSSL_PARAM wanted[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
        OSSL_PARAM_construct_end()};
    EVP_PKEY* raw = nullptr;
    if (!context || EVP_PKEY_paramgen_init(context.get()) != 1 ||
        EVP_PKEY_CTX_set_params(context.get(), wanted) != 1 ||
        EVP_PKEY_paramgen(context.get(), &raw) != 1)
        return failed();
    const std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> parameters(raw, EVP_PKEY_free);
    const std::unique_ptr<BIO, int (*)(BIO*)> bio(BIO_new(BIO_s_mem()), BIO_free);
    if (!bio || PEM_write_bio_Parameters(bio.get(), parameters.get()) != 1)
        return failed();
    char* text = nullptr;
    const long length = BIO_get_mem_data(bio.get(), &text);
    return std::string(text, static_cast<std::size_t>(length));
}

Result<void> link(const std::string& target, const fs::path& name) {
    std::error_code error;
    if (!fs::is_regular_file(target, error))
        return fail(Errc::not_found, "there is no file " + target,
                    "name the server's PEM files in the configuration: certificate, key, "
                    "authority");
    const auto fresh = name.string() + ".new";
    fs::remove(fresh, error);
    fs::create_symlink(fs::absolute(target), fresh, error);
    if (!error)
        fs::rename(fresh, name, error);
    if (error)
        return fail_errno(error.value(), "cannot make the link " + name.string());
    return {};
}

} // namespace

Result<void> make_tls_folder(const std::string& folder, const Settings& settings) {
    std::error_code error;
    fs::create_directories(folder, error);
    if (error)
        return fail_errno(error.value(), "cannot make the folder " + folder);
    BATON_TRY(link(settings.authority, fs::path(folder) / "ca-cert.pem"));
    BATON_TRY(link(settings.certificate, fs::path(folder) / "server-cert.pem"));
    BATON_TRY(link(settings.key, fs::path(folder) / "server-key.pem"));
    auto parameters = dh_parameters();
    if (!parameters)
        return tl::unexpected(parameters.error());
    return net::write_private_file(folder + "/dh-params.pem", *parameters);
}

} // namespace baton::deskserver
