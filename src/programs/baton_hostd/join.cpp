#include "net/http.h"
#include "net/http_text.h"
#include "net/join_token.h"
#include "net/json.h"
#include "net/pki.h"
#include "programs/baton_hostd/commands.h"

#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

namespace baton::hostd {

namespace {

struct Joined {
    std::string certificate_pem;
    std::string authority_pem;
};

Result<Joined> ask(const net::JoinToken& token, const boost::json::object& request) {
    net::ClientSettings settings;
    settings.url = token.controller;
    settings.pinned_sha256 = token.authority_sha256;
    auto client = net::make_client(settings);
    if (!client)
        return tl::unexpected(client.error());
    const auto answer =
        (*client)->request("POST", "/v1/hosts/join", boost::json::serialize(request));
    if (!answer)
        return tl::unexpected(answer.error());
    if (answer->status / 100 != 2)
        return tl::unexpected(net::error_from_response(*answer));
    const auto object = net::parse_object(answer->body, "the controller's answer");
    if (!object)
        return tl::unexpected(object.error());
    net::Fields fields(*object, "the controller's answer");
    Joined joined{fields.text("certificate_pem"), fields.text("authority_pem")};
    BATON_TRY(fields.finish());
    return joined;
}

/// The controller proved who it is by the token's fingerprint; its answer has to fit that.
Result<void> check(const Joined& joined, const net::JoinToken& token, const std::string& name,
                   const std::string& key_pem) {
    const auto authority = net::inspect_certificate(joined.authority_pem);
    if (!authority || authority->sha256 != token.authority_sha256)
        return fail(Errc::corrupt, "the controller sent another CA than its token names");
    const auto certificate = net::inspect_certificate(joined.certificate_pem);
    if (!certificate || certificate->common_name != name)
        return fail(Errc::corrupt, "the controller sent no certificate for '" + name + "'");
    return net::check_certificate(joined.certificate_pem, key_pem, joined.authority_pem);
}

/// QEMU reads these files as its own user when it opens a desk; on Debian that is libvirt-qemu.
Result<void> let_qemu_read(const std::string& folder) {
    const auto* group = ::getgrnam("libvirt-qemu"); // NOLINT(concurrency-mt-unsafe): one thread
    if (group == nullptr || ::geteuid() != 0)
        return {};
    if (::chown(folder.c_str(), 0, group->gr_gid) != 0 || ::chmod(folder.c_str(), 0750) != 0)
        return fail_errno(errno, "cannot let QEMU into " + folder);
    for (const auto* file : {"/ca-cert.pem", "/client-cert.pem", "/client-key.pem"}) {
        const auto path = folder + file;
        if (::chown(path.c_str(), 0, group->gr_gid) != 0 || ::chmod(path.c_str(), 0640) != 0)
            return fail_errno(errno, "cannot let QEMU read " + path);
    }
    return {};
}

Result<void> keep(const std::string& folder, const Joined& joined, const std::string& key_pem) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error)
        return fail_errno(error.value(), "cannot make the folder " + folder);
    if (::chmod(folder.c_str(), 0700) != 0)
        return fail_errno(errno, "cannot protect the folder " + folder);
    // The certificate last: it says that all is there.
    std::filesystem::remove(folder + "/client-cert.pem", error);
    BATON_TRY(net::write_private_file(folder + "/client-key.pem", key_pem));
    BATON_TRY(net::write_private_file(folder + "/ca-cert.pem", joined.authority_pem));
    BATON_TRY(net::write_private_file(folder + "/client-cert.pem", joined.certificate_pem));
    return let_qemu_read(folder);
}

Result<net::JoinToken> read_token(const JoinOptions& options) {
    auto token = net::decode_join_token(options.token);
    if (!token || options.controller.empty())
        return token;
    // The host may see the controller under another address than the one that it knows itself by.
    const auto where = net::parse_where(options.controller);
    if (!where)
        return tl::unexpected(where.error());
    token->controller = options.controller;
    return token;
}

} // namespace

Result<void> join(const JoinOptions& options) {
    const auto token = read_token(options);
    if (!token)
        return tl::unexpected(token.error());
    const auto where = net::parse_where(token->controller);
    if (!where)
        return tl::unexpected(where.error());
    if (where->kind != net::Where::Kind::https)
        return fail(Errc::invalid_argument, "the controller's address is not https",
                    "join through https://ADDRESS:PORT");
    auto name = options.name.empty() ? own_name() : Result<std::string>(options.name);
    if (!name)
        return tl::unexpected(name.error());
    BATON_TRY(check_name("host name", *name));
    const auto folder = pki_folder(options.state_directory);
    if (const auto before = net::inspect_certificate_file(folder + "/client-cert.pem");
        before && !options.replace)
        return fail(
            Errc::already_exists,
            fmt::format("this host has joined already, as '{}' ({})", before->common_name, folder),
            "join anew with --replace");
    const auto address = options.address.empty() ? address_towards(where->host, where->port)
                                                 : Result<std::string>(options.address);
    if (!address)
        return tl::unexpected(address.error());
    const auto memory = options.memory ? Result<Mebibytes>(*options.memory) : physical_memory();
    if (!memory)
        return tl::unexpected(memory.error());
    const auto request = net::make_signing_request(*name);
    if (!request)
        return tl::unexpected(request.error());
    const auto joined = ask(*token, {{"token_secret", token->secret},
                                     {"name", *name},
                                     {"csr_pem", request->csr_pem},
                                     {"address", *address},
                                     {"memory_mib", memory->count}});
    if (!joined)
        return tl::unexpected(joined.error().in("joining " + token->controller));
    BATON_TRY(check(*joined, *token, *name, request->key_pem));
    BATON_TRY(keep(folder, *joined, request->key_pem));
    fmt::print("'{}' has joined {}; its certificate is in {}.\n"
               "For desks over TLS, QEMU needs to find it: in /etc/libvirt/qemu.conf set\n"
               "    nbd_tls_x509_cert_dir = \"{}\"\n"
               "and restart libvirtd. Then start: baton-hostd run --config /etc/baton/hostd.toml\n",
               *name, token->controller, folder, folder);
    return {};
}

} // namespace baton::hostd
