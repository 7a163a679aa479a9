#include "hostlink/protocol_fields.h"

#include <algorithm>

namespace baton::hostlink {

namespace json = boost::json;
using net::Fields;

namespace {

constexpr std::int64_t most_mib = 1LL << 30; // 1 PiB

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

Mebibytes size_field(Fields& fields, std::string_view name, std::int64_t least) {
    return Mebibytes(fields.integer(name, least, most_mib));
}

std::chrono::milliseconds time_field(Fields& fields, std::string_view name) {
    return std::chrono::milliseconds(fields.integer(name, 0, longest_ms));
}

WallTime wall_field(Fields& fields, std::string_view name) {
    return WallTime(std::chrono::milliseconds(fields.integer(name, 0, 253'402'300'799'000)));
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

std::int64_t in_ms(WallTime time) {
    return time.time_since_epoch().count();
}

json::object to_json(const Error& error) {
    return {{"code", to_string(error.code)}, {"what", error.what}, {"hint", error.hint}};
}

Error error_from_json(Fields& fields, std::string_view name) {
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

json::object to_json(const DesktopInfo& info) {
    return {{"id", info.id.value},
            {"session", info.session.value},
            {"image", info.image.value},
            {"memory_mib", info.memory.count},
            {"running", info.running},
            {"guest_ready", info.guest_ready},
            {"desk_attached", info.desk_attached},
            {"desk_fence", info.desk_fence.value},
            {"screen", to_json(info.screen)}};
}

Result<DesktopInfo> desktop_from_json(const json::object& object) {
    Fields fields(object, "desktop");
    DesktopInfo info;
    info.id = id_field<DesktopId>(fields, "id");
    info.session = id_field<SessionId>(fields, "session", true);
    info.image = id_field<OsImageId>(fields, "image", true);
    info.memory = size_field(fields, "memory_mib", 0);
    info.running = fields.truth("running");
    info.guest_ready = fields.truth("guest_ready");
    info.desk_attached = fields.truth("desk_attached");
    info.desk_fence = FencingNumber{fields.natural("desk_fence")};
    info.screen = endpoint_field(fields, "screen");
    BATON_TRY(fields.finish());
    return info;
}

} // namespace baton::hostlink
