#include "net/join_token.h"

#include "net/digest.h"
#include "net/json.h"

#include <boost/json/serialize.hpp>

namespace baton::net {

std::string encode(const JoinToken& token) {
    return base64url_encode(boost::json::serialize(boost::json::object{
        {"c", token.controller}, {"f", token.authority_sha256}, {"t", token.secret}}));
}

Result<JoinToken> decode_join_token(std::string_view text) {
    const auto bad = [] {
        return fail(Errc::invalid_argument, "this is not a join token",
                    "copy all of the line that 'baton host invite' printed");
    };
    constexpr std::string_view white = " \t\r\n";
    const auto first = text.find_first_not_of(white);
    if (first == std::string_view::npos || text.size() > 4096)
        return bad();
    text = text.substr(first, text.find_last_not_of(white) + 1 - first);
    std::string json;
    if (!base64url_decode(text, json))
        return bad();
    const auto object = parse_object(json, "the token");
    if (!object)
        return bad();
    Fields fields(*object, "the token");
    JoinToken token{fields.text("c"), fields.text("f"), fields.text("t")};
    constexpr std::string_view hex = "0123456789abcdef";
    if (!fields.finish() || token.controller.empty() || token.secret.empty() ||
        token.authority_sha256.size() != 64 ||
        token.authority_sha256.find_first_not_of(hex) != std::string::npos)
        return bad();
    return token;
}

} // namespace baton::net
