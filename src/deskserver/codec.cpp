#include "deskserver/codec.h"

#include "net/json.h"

#include <boost/json/array.hpp>
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <cstdio>
#include <ctime>

namespace baton::deskserver {

namespace {

namespace json = boost::json;

WallTime time_field(net::Fields& fields, std::string_view name) {
    const auto text = fields.text_or(name, {});
    if (text.empty())
        return {};
    auto time = time_from(text);
    if (!time)
        fields.refuse(name, "must be a time");
    return time.value_or(WallTime{});
}

json::value lease_json(const desk::Lease& lease) {
    if (lease.kind == desk::HolderKind::none)
        return nullptr;
    return json::object{{"kind", desk::to_string(lease.kind)},
                        {"holder", lease.holder},
                        {"fence", lease.fence.value},
                        {"since", to_json(lease.since)}};
}

json::value checked_out_json(const std::optional<desk::CheckOut>& out) {
    if (!out)
        return nullptr;
    return json::object{
        {"to", out->to}, {"since", to_json(out->since)}, {"generation", out->generation}};
}

json::value export_json(const std::optional<ExportView>& exported) {
    if (!exported)
        return nullptr;
    auto object = to_json(exported->desk_export);
    object["holder"] = exported->holder.value;
    object["process"] = exported->process;
    object["restarts"] = exported->restarts;
    object["failure"] = exported->failure;
    return object;
}

json::array lines(const std::vector<std::string>& texts) {
    json::array array;
    for (const auto& text : texts)
        array.emplace_back(text);
    return array;
}

std::vector<std::string> lines_from(net::Fields& fields, std::string_view name) {
    std::vector<std::string> texts;
    for (const auto& value : fields.array(name)) {
        if (!value.is_string())
            fields.refuse(name, "must be a list of texts");
        else
            texts.emplace_back(value.get_string());
    }
    return texts;
}

desk::Lease lease_from(const json::object& object) {
    net::Fields fields(object, "a lease");
    desk::Lease lease;
    const auto kind = fields.text("kind");
    for (const auto one : {desk::HolderKind::host, desk::HolderKind::player})
        if (desk::to_string(one) == kind)
            lease.kind = one;
    lease.holder = fields.text("holder");
    lease.fence = FencingNumber{fields.natural("fence")};
    lease.since = time_field(fields, "since");
    return lease;
}

/// The header as it is shown; what is missing stays empty (a damaged desk has no header).
desk::Header header_from(net::Fields& fields) {
    desk::Header header;
    header.id = DeskId(fields.text_or("id", {}));
    header.owner = fields.text_or("owner", {});
    header.size_bytes = fields.integer_or("size_bytes", 0, 0);
    header.state = fields.text_or("state", {}) == desk::to_string(desk::State::damaged)
                       ? desk::State::damaged
                       : desk::State::ready;
    header.generation = fields.natural("generation");
    header.largest_fence = FencingNumber{fields.natural("largest_fence")};
    header.created = time_field(fields, "created");
    if (fields.has("lease"))
        header.lease = lease_from(fields.object("lease"));
    header.journey = fields.text_or("journey", {});
    if (fields.has("checked_out")) {
        net::Fields out(fields.object("checked_out"), "a check-out");
        header.checked_out =
            desk::CheckOut{out.text("to"), time_field(out, "since"), out.natural("generation")};
    }
    return header;
}

} // namespace

json::value to_json(WallTime time) {
    if (time == WallTime{})
        return nullptr;
    const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
    return json::value(
        fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z",
                    fmt::gmtime(static_cast<std::time_t>(seconds.time_since_epoch().count())),
                    (time - seconds).count()));
}

Result<WallTime> time_from(std::string_view text) {
    int year = 0;
    unsigned month = 0;
    unsigned day = 0;
    unsigned hour = 0;
    unsigned minute = 0;
    unsigned second = 0;
    unsigned millisecond = 0;
    const std::string whole(text);
    int read = 0;
    const int fields = std::sscanf( // NOLINT(cert-err34-c): every field is bounded below
        whole.c_str(), "%4d-%2u-%2uT%2u:%2u:%2u.%3uZ%n", &year, &month, &day, &hour, &minute,
        &second, &millisecond, &read);
    const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(month),
                                           std::chrono::day(day)};
    if (fields != 7 || read != static_cast<int>(whole.size()) || !date.ok() || hour > 23 ||
        minute > 59 || second > 60)
        return fail(Errc::invalid_argument, "'" + whole + "' is no time");
    return WallTime(std::chrono::sys_days(date) + std::chrono::hours(hour) +
                    std::chrono::minutes(minute) + std::chrono::seconds(second) +
                    std::chrono::milliseconds(millisecond));
}

json::object to_json(const DeskExport& desk_export) {
    return {{"desk", desk_export.desk.value},       {"id", desk_export.id.value},
            {"fence", desk_export.fence.value},     {"address", desk_export.server.address},
            {"port", desk_export.server.port},      {"export", desk_export.export_name},
            {"size_bytes", desk_export.size_bytes}, {"read_only", desk_export.read_only}};
}

Result<DeskExport> desk_export_from(const json::object& object) {
    net::Fields fields(object, "the export of a desk");
    DeskExport result;
    result.desk = DeskName(fields.text("desk"));
    result.id = DeskId(fields.text("id"));
    result.fence = FencingNumber{fields.natural("fence")};
    result.server = Endpoint{fields.text("address"), fields.port("port")};
    result.export_name = fields.text("export");
    result.size_bytes = fields.integer("size_bytes", 1);
    result.read_only = fields.truth("read_only");
    BATON_TRY(fields.finish());
    return result;
}

json::object to_json(const desk::Header& header) {
    return {{"id", header.id.value},
            {"owner", header.owner},
            {"size_bytes", header.size_bytes},
            {"file_system", desk::to_string(header.file_system)},
            {"state", desk::to_string(header.state)},
            {"generation", header.generation},
            {"largest_fence", header.largest_fence.value},
            {"created", to_json(header.created)},
            {"lease", lease_json(header.lease)},
            {"checked_out", checked_out_json(header.checked_out)},
            {"journey", header.journey.empty() ? json::value() : json::value(header.journey)}};
}

json::object to_json(const DeskView& view) {
    auto object = to_json(view.header);
    object["name"] = view.name.value;
    object["allocated_bytes"] = view.allocated_bytes;
    object["free_bytes"] = view.free_bytes;
    object["warnings"] = lines(view.warnings);
    object["problem"] = nullptr;
    if (view.problem)
        object["problem"] = json::object{{"code", baton::to_string(view.problem->code)},
                                         {"what", view.problem->what},
                                         {"hint", view.problem->hint}};
    object["exported"] = export_json(view.exported);
    return object;
}

Result<DeskView> desk_view_from(const json::object& object) {
    net::Fields fields(object, "the desk server's answer");
    DeskView view;
    view.name = DeskName(fields.text("name"));
    view.header = header_from(fields);
    view.allocated_bytes = fields.integer("allocated_bytes", 0);
    view.free_bytes = fields.integer("free_bytes", 0);
    view.warnings = lines_from(fields, "warnings");
    if (fields.has("problem")) {
        net::Fields problem(fields.object("problem"), "a problem");
        view.problem = Error{errc_from_string(problem.text("code")), problem.text("what"),
                             problem.text_or("hint", {}), 0};
    }
    if (fields.has("exported")) {
        const auto& inner = fields.object("exported");
        auto exported = desk_export_from(inner);
        if (!exported)
            return tl::unexpected(exported.error());
        net::Fields more(inner, "an export");
        view.exported = ExportView{*exported, HostId(more.text("holder")),
                                   static_cast<pid_t>(more.integer("process")),
                                   static_cast<unsigned>(more.integer("restarts", 0, 1'000'000)),
                                   more.text_or("failure", {})};
        BATON_TRY(more.finish());
    }
    BATON_TRY(fields.finish());
    return view;
}

json::object to_json(const desk::CheckReport& report) {
    auto object = to_json(report.header);
    object["verdict"] = desk::to_string(report.verdict);
    object["findings"] = lines(report.findings);
    object["used_bytes"] = report.superblock.size_bytes - report.superblock.free_bytes;
    return object;
}

Result<desk::CheckReport> check_report_from(const json::object& object) {
    net::Fields fields(object, "the desk server's answer");
    desk::CheckReport report;
    const auto verdict = fields.text("verdict");
    for (const auto one : {desk::Verdict::clean, desk::Verdict::unsettled, desk::Verdict::repaired})
        if (desk::to_string(one) == verdict)
            report.verdict = one;
    report.findings = lines_from(fields, "findings");
    report.header = header_from(fields);
    BATON_TRY(fields.finish());
    return report;
}

json::object to_json(const desk::ListedFile& file) {
    return {{"name", file.name}, {"kind", file.kind}, {"mode", fmt::format("{:04o}", file.mode)},
            {"uid", file.uid},   {"gid", file.gid},   {"size_bytes", file.size_bytes}};
}

json::object to_json(const desk::Snapshot& snapshot) {
    return {{"name", snapshot.name},
            {"made", to_json(snapshot.made)},
            {"generation", snapshot.generation},
            {"allocated_bytes", snapshot.allocated_bytes},
            {"shared", snapshot.shared}};
}

Result<desk::Snapshot> snapshot_from(const json::object& object) {
    net::Fields fields(object, "the desk server's answer");
    desk::Snapshot snapshot;
    snapshot.name = fields.text("name");
    const auto made = time_from(fields.text("made"));
    snapshot.generation = fields.natural("generation");
    snapshot.allocated_bytes = fields.integer("allocated_bytes");
    snapshot.shared = fields.truth("shared");
    BATON_TRY(fields.finish());
    if (!made)
        return tl::unexpected(made.error());
    snapshot.made = *made;
    return snapshot;
}

json::object to_json(const Content& content) {
    return {{"content", content.id}, {"bytes", content.bytes}, {"sha256", content.sha256}};
}

} // namespace baton::deskserver
