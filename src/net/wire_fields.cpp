#include "net/wire_fields.h"

#include <algorithm>

namespace baton::net {

namespace json = boost::json;

namespace {

bool is_ipv4(std::string_view text) {
    int parts = 0;
    while (parts < 4) {
        const auto end = std::min(text.find('.'), text.size());
        const auto part = text.substr(0, end);
        if (part.empty() || part.size() > 3 ||
            part.find_first_not_of("0123456789") != std::string_view::npos ||
            (part.size() > 1 && part[0] == '0') || std::stoi(std::string(part)) > 255)
            return false;
        ++parts;
        if (end == text.size())
            return parts == 4;
        text.remove_prefix(end + 1);
    }
    return false;
}

} // namespace

std::string short_text(Fields& fields, std::string_view name, std::size_t most) {
    auto text = fields.text(name);
    if (text.size() > most)
        fields.refuse(name, "is too long");
    return text;
}

std::string address_field(Fields& fields, std::string_view name, bool may_be_empty) {
    auto text = fields.text(name);
    if (fields.ok() && !is_ipv4(text) && !(may_be_empty && text.empty()))
        fields.refuse(name, "is no IPv4 address");
    return text;
}

Endpoint endpoint_field(Fields& fields, std::string_view name) {
    const auto& object = fields.object(name);
    if (!fields.ok())
        return {};
    Fields inner(object, std::string(name));
    // A desktop that is only just starting has no screen yet.
    Endpoint endpoint{address_field(inner, "address", true), inner.port("port")};
    if (const auto fine = inner.finish(); !fine)
        fields.refuse(name, "is no endpoint: " + fine.error().what);
    return endpoint;
}

json::object to_json(const Endpoint& endpoint) {
    return {{"address", endpoint.address}, {"port", endpoint.port}};
}

json::object to_json(const Error& error) {
    return {{"code", to_string(error.code)}, {"what", error.what}, {"hint", error.hint}};
}

Error error_field(Fields& fields, std::string_view name) {
    const auto& object = fields.object(name);
    if (!fields.ok())
        return {};
    Fields inner(object, std::string(name));
    Error error{errc_from_string(inner.text("code")), inner.text("what"), inner.text_or("hint", ""),
                0};
    if (const auto fine = inner.finish(); !fine)
        fields.refuse(name, "is no error: " + fine.error().what);
    return error;
}

} // namespace baton::net
