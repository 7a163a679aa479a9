/// What the calls of the host link give back.
#include "hostlink/protocol_fields.h"

namespace baton::hostlink {

namespace json = boost::json;
using net::Fields;

json::object to_json(const handoff::Started& started) {
    return {{"screen", to_json(started.screen)}, {"memory_mib", started.memory.count}};
}

Result<handoff::Started> started_from_json(const json::object& object) {
    Fields fields(object, "start");
    handoff::Started started;
    started.screen = endpoint_field(fields, "screen");
    started.memory = size_field(fields, "memory_mib", 1);
    BATON_TRY(fields.finish());
    return started;
}

json::object to_json(const handoff::MountReport& report) {
    return {{"free_bytes", report.free_bytes}};
}

Result<handoff::MountReport> mount_report_from_json(const json::object& object) {
    Fields fields(object, "attach");
    handoff::MountReport report;
    report.free_bytes = fields.integer("free_bytes", 0);
    BATON_TRY(fields.finish());
    return report;
}

json::object to_json(const std::vector<DesktopInfo>& desktops) {
    json::array list;
    for (const auto& info : desktops)
        list.push_back(to_json(info));
    return {{"desktops", std::move(list)}};
}

Result<std::vector<DesktopInfo>> desktops_from_json(const json::object& object) {
    Fields fields(object, "list");
    const auto& array = fields.array("desktops");
    BATON_TRY(fields.finish());
    std::vector<DesktopInfo> desktops;
    for (const auto& value : array) {
        if (!value.is_object())
            return fail(Errc::invalid_argument, "list: a desktop is no object");
        auto info = desktop_from_json(value.get_object());
        if (!info)
            return tl::unexpected(info.error().in("list"));
        desktops.push_back(std::move(*info));
    }
    return desktops;
}

} // namespace baton::hostlink
