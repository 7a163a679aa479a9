#include "hostlink/protocol_fields.h"

namespace baton::hostlink {

namespace json = boost::json;
using net::Fields;

namespace {

constexpr std::int64_t most_mib = 1LL << 30; // 1 PiB

} // namespace

Mebibytes size_field(Fields& fields, std::string_view name, std::int64_t least) {
    return Mebibytes(fields.integer(name, least, most_mib));
}

std::chrono::milliseconds time_field(Fields& fields, std::string_view name) {
    return std::chrono::milliseconds(fields.integer(name, 0, longest_ms));
}

WallTime wall_field(Fields& fields, std::string_view name) {
    return WallTime(std::chrono::milliseconds(fields.integer(name, 0, 253'402'300'799'000)));
}

std::int64_t in_ms(WallTime time) {
    return time.time_since_epoch().count();
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
