#include "net/join.h"

#include "gatelink/protocol.h"
#include "net/pki.h"
#include "programs/baton_gateway/commands.h"

#include <fmt/format.h>

namespace baton::gateway_program {

Result<void> join(const JoinOptions& options) {
    const auto token = net::read_join_token(options.token, options.controller);
    if (!token)
        return tl::unexpected(token.error());
    BATON_TRY(check_name("gateway name", options.name));
    BATON_TRY(check_name("gateway's address", options.address));
    const std::string folder = options.state_directory + "/pki";
    if (const auto before = net::inspect_certificate_file(folder + "/client-cert.pem");
        before && !options.replace)
        return fail(Errc::already_exists,
                    fmt::format("this gateway has joined already, as '{}' ({})",
                                before->common_name, folder),
                    "join anew with --replace");
    BATON_TRY(net::join_site({*token,
                              "/v1/gateways/join",
                              options.name,
                              std::string(gatelink::certificate_prefix) + options.name,
                              {{"address", options.address}},
                              folder}));
    BATON_TRY(
        net::write_private_file(options.state_directory + "/controller", token->controller + "\n"));
    BATON_TRY(
        net::write_private_file(options.state_directory + "/address", options.address + "\n"));
    fmt::print("'{}' has joined {}; its certificate is in {}.\n"
               "Start it with: baton-gateway run --state {}\n"
               "Viewers trust it by the site's CA: {}/ca-cert.pem\n",
               options.name, token->controller, folder, options.state_directory, folder);
    return {};
}

} // namespace baton::gateway_program
