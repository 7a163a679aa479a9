#include "net/join.h"

#include "net/http.h"
#include "net/http_text.h"
#include "net/json.h"
#include "net/pki.h"

#include <boost/json/serialize.hpp>

#include <filesystem>
#include <sys/stat.h>

namespace baton::net {

namespace {

struct Joined {
    std::string certificate_pem;
    std::string authority_pem;
};

Result<Joined> ask(const JoinRequest& join, const boost::json::object& request) {
    ClientSettings settings;
    settings.url = join.token.controller;
    settings.pinned_sha256 = join.token.authority_sha256;
    auto client = make_client(settings);
    if (!client)
        return tl::unexpected(client.error());
    const auto answer = (*client)->request("POST", join.path, boost::json::serialize(request));
    if (!answer)
        return tl::unexpected(answer.error());
    if (answer->status / 100 != 2)
        return tl::unexpected(error_from_response(*answer));
    const auto object = parse_object(answer->body, "the controller's answer");
    if (!object)
        return tl::unexpected(object.error());
    Fields fields(*object, "the controller's answer");
    Joined joined{fields.text("certificate_pem"), fields.text("authority_pem")};
    BATON_TRY(fields.finish());
    return joined;
}

Result<void> check(const Joined& joined, const JoinRequest& join, const std::string& key_pem) {
    const auto authority = inspect_certificate(joined.authority_pem);
    if (!authority || authority->sha256 != join.token.authority_sha256)
        return fail(Errc::corrupt, "the controller sent another CA than its token names");
    const auto certificate = inspect_certificate(joined.certificate_pem);
    if (!certificate || certificate->common_name != join.certificate_name)
        return fail(Errc::corrupt, "the controller sent no certificate for '" + join.name + "'");
    return check_certificate(joined.certificate_pem, key_pem, joined.authority_pem);
}

Result<void> keep(const std::string& folder, const Joined& joined, const std::string& key_pem) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error)
        return fail_errno(error.value(), "cannot make the folder " + folder);
    if (::chmod(folder.c_str(), 0700) != 0)
        return fail_errno(errno, "cannot protect the folder " + folder);
    std::filesystem::remove(folder + "/client-cert.pem", error);
    BATON_TRY(write_private_file(folder + "/client-key.pem", key_pem));
    BATON_TRY(write_private_file(folder + "/ca-cert.pem", joined.authority_pem));
    return write_private_file(folder + "/client-cert.pem", joined.certificate_pem);
}

} // namespace

Result<JoinToken> read_join_token(const std::string& text, const std::string& controller) {
    auto token = decode_join_token(text);
    if (!token)
        return token;
    if (!controller.empty())
        token->controller = controller;
    const auto where = parse_where(token->controller);
    if (!where)
        return tl::unexpected(where.error());
    if (where->kind != Where::Kind::https)
        return fail(Errc::invalid_argument, "the controller's address is not https",
                    "join through https://ADDRESS:PORT");
    return token;
}

Result<void> join_site(const JoinRequest& join) {
    const auto signing = make_signing_request(join.certificate_name);
    if (!signing)
        return tl::unexpected(signing.error());
    auto request = join.facts;
    request["token_secret"] = join.token.secret;
    request["name"] = join.name;
    request["csr_pem"] = signing->csr_pem;
    const auto joined = ask(join, request);
    if (!joined)
        return tl::unexpected(joined.error().in("joining " + join.token.controller));
    BATON_TRY(check(*joined, join, signing->key_pem));
    return keep(join.folder, *joined, signing->key_pem);
}

} // namespace baton::net
