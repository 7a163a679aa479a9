#include "net/http.h"
#include "net/http_text.h"

#include <boost/json.hpp>

namespace baton::net {

int http_status(Errc code) {
    switch (code) {
    case Errc::invalid_argument:
        return 400;
    case Errc::unauthenticated:
        return 401;
    case Errc::forbidden:
        return 403;
    case Errc::not_found:
        return 404;
    case Errc::already_exists:
    case Errc::busy:
    case Errc::conflict:
    case Errc::cancelled:
        return 409;
    case Errc::refused:
        return 422;
    case Errc::unsupported:
        return 501;
    case Errc::unavailable:
        return 503;
    case Errc::timeout:
        return 504;
    case Errc::full:
        return 507;
    case Errc::io:
    case Errc::corrupt:
    case Errc::internal:
        break;
    }
    return 500;
}

Response error_response(const Error& error) {
    Response response;
    response.status = http_status(error.code);
    response.body = boost::json::serialize(
        boost::json::object{{"error", boost::json::object{{"code", to_string(error.code)},
                                                          {"what", error.what},
                                                          {"hint", error.hint},
                                                          {"message", error.message()}}}});
    response.body += '\n';
    return response;
}

namespace {

Errc code_of_status(int status) {
    switch (status) {
    case 400:
    case 413:
    case 422:
    case 431:
        return Errc::invalid_argument;
    case 401:
        return Errc::unauthenticated;
    case 403:
        return Errc::forbidden;
    case 404:
        return Errc::not_found;
    case 408:
    case 504:
        return Errc::timeout;
    case 409:
        return Errc::conflict;
    case 429:
    case 502:
    case 503:
        return Errc::unavailable;
    case 405:
    case 501:
        return Errc::unsupported;
    case 507:
        return Errc::full;
    default:
        return Errc::internal;
    }
}

std::string text_of(const boost::json::object& object, std::string_view name) {
    const auto* value = object.if_contains(name);
    return value != nullptr && value->is_string() ? std::string(value->get_string())
                                                  : std::string();
}

} // namespace

Error error_from_response(const Response& response) {
    boost::system::error_code ill;
    const auto parsed = boost::json::parse(response.body, ill);
    if (!ill && parsed.is_object()) {
        const auto* inner = parsed.get_object().if_contains("error");
        if (inner != nullptr && inner->is_object()) {
            const auto& error = inner->get_object();
            if (auto what = text_of(error, "what"); !what.empty())
                return Error{errc_from_string(text_of(error, "code")), std::move(what),
                             text_of(error, "hint"), 0};
        }
    }
    return Error{code_of_status(response.status),
                 "the server answered " + std::to_string(response.status) + " " +
                     std::string(reason_phrase(response.status)),
                 "", 0};
}

} // namespace baton::net
