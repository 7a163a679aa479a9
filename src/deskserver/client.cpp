#include "deskserver/client.h"

#include "deskserver/codec.h"
#include "deskserver/http.h"
#include "net/json.h"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace baton::deskserver {

namespace {

namespace json = boost::json;

/// A name that check_name() lets through needs no escaping in a path.
Result<std::string> desk_target(const std::string& group, const DeskName& name,
                                const std::string& rest = {}) {
    BATON_TRY(check_name("desk name", name.value));
    return "/v1/" + group + "/" + name.value + rest;
}

Result<std::string> content_id(const json::object& object) {
    net::Fields fields(object, "the desk server's answer");
    auto id = fields.text("content");
    BATON_TRY(fields.finish());
    return id;
}

Result<std::string> snapshot_target(const DeskName& name, const std::string& snapshot) {
    BATON_TRY(check_name("snapshot's name", snapshot));
    return desk_target("desks", name, "/snapshots/" + snapshot);
}

/// The objects of the list `key`, each read by `from`.
template <class T>
Result<std::vector<T>> each_of(const json::object& answer, std::string_view key,
                               Result<T> (*from)(const json::object&)) {
    net::Fields fields(answer, "the desk server's answer");
    std::vector<T> all;
    for (const auto& value : fields.array(key)) {
        if (!value.is_object())
            return fail(Errc::invalid_argument, "the desk server's list holds something else");
        auto one = from(value.get_object());
        if (!one)
            return tl::unexpected(one.error());
        all.push_back(std::move(*one));
    }
    BATON_TRY(fields.finish());
    return all;
}

} // namespace

Result<Client> Client::make(net::ClientSettings settings) {
    settings.service = "baton-deskd";
    auto http = net::make_client(settings);
    if (!http)
        return tl::unexpected(http.error());
    return Client(std::move(*http));
}

Result<json::object> Client::ask(const std::string& method, const std::string& target,
                                 const json::object& body) {
    auto response =
        http_->request(method, target, body.empty() ? std::string() : json::serialize(body));
    if (!response)
        return tl::unexpected(response.error());
    if (response->status >= 300)
        return tl::unexpected(net::error_from_response(*response));
    return net::parse_object(response->body, "the desk server's answer");
}

Result<DeskView> Client::create(const DeskName& name, const std::string& owner,
                                std::int64_t size_bytes) {
    auto target = desk_target("desks", name);
    if (!target)
        return tl::unexpected(target.error());
    return ask("PUT", *target, {{"owner", owner}, {"size_bytes", size_bytes}})
        .and_then(desk_view_from);
}

Result<std::vector<DeskView>> Client::list() {
    auto answer = ask("GET", "/v1/desks");
    if (!answer)
        return tl::unexpected(answer.error());
    return each_of<DeskView>(*answer, "desks", desk_view_from);
}

Result<std::vector<desk::Snapshot>> Client::snapshots(const DeskName& name) {
    auto target = desk_target("desks", name, "/snapshots");
    if (!target)
        return tl::unexpected(target.error());
    auto answer = ask("GET", *target);
    if (!answer)
        return tl::unexpected(answer.error());
    return each_of<desk::Snapshot>(*answer, "snapshots", snapshot_from);
}

Result<desk::Snapshot> Client::take_snapshot(const DeskName& name, const std::string& snapshot) {
    auto target = snapshot_target(name, snapshot);
    if (!target)
        return tl::unexpected(target.error());
    return ask("PUT", *target).and_then(snapshot_from);
}

Result<void> Client::remove_snapshot(const DeskName& name, const std::string& snapshot) {
    auto target = snapshot_target(name, snapshot);
    if (!target)
        return tl::unexpected(target.error());
    BATON_TRY(ask("DELETE", *target));
    return {};
}

Result<DeskView> Client::restore(const DeskName& name, const std::string& snapshot) {
    auto target = snapshot_target(name, snapshot);
    if (!target)
        return tl::unexpected(target.error());
    return ask("POST", *target + "/restore").and_then(desk_view_from);
}

Result<DeskView> Client::show(const DeskName& name) {
    auto target = desk_target("desks", name);
    if (!target)
        return tl::unexpected(target.error());
    return ask("GET", *target).and_then(desk_view_from);
}

Result<desk::CheckReport> Client::check(const DeskName& name, bool repair) {
    auto target = desk_target("desks", name, "/check");
    if (!target)
        return tl::unexpected(target.error());
    return ask("POST", *target, {{"repair", repair}}).and_then(check_report_from);
}

Result<void> Client::remove(const DeskName& name) {
    auto target = desk_target("desks", name);
    if (!target)
        return tl::unexpected(target.error());
    BATON_TRY(ask("DELETE", *target));
    return {};
}

Result<Space> Client::space() {
    auto answer = ask("GET", "/v1/health");
    if (!answer)
        return tl::unexpected(answer.error());
    net::Fields fields(*answer, "the desk server's answer");
    const Space space{fields.integer("free_bytes"), fields.integer("total_bytes"),
                      fields.truth("space_low")};
    BATON_TRY(fields.finish());
    return space;
}

Result<DeskExport> Client::lease(const DeskName& name, FencingNumber fence, const HostId& holder) {
    auto target = desk_target("leases", name);
    if (!target)
        return tl::unexpected(target.error());
    return ask("PUT", *target, {{"fence", fence.value}, {"holder", holder.value}})
        .and_then(desk_export_from);
}

Result<void> Client::close(const DeskName& name, FencingNumber fence) {
    auto target = desk_target("leases", name, "?fence=" + std::to_string(fence.value));
    if (!target)
        return tl::unexpected(target.error());
    BATON_TRY(ask("DELETE", *target));
    return {};
}

Result<void> Client::download(const DeskName& name, const std::string& path,
                              const Progress& progress) {
    if (::access(path.c_str(), F_OK) == 0)
        return fail(Errc::already_exists, path + " is there already",
                    "choose another name, or remove it first");
    auto target = desk_target("desks", name, "/content");
    if (!target)
        return tl::unexpected(target.error());
    auto answer = ask("POST", *target);
    if (!answer)
        return tl::unexpected(answer.error());
    auto id = content_id(*answer);
    if (!id)
        return tl::unexpected(id.error());
    auto fetched = http_->download("/v1/content/" + *id, path, progress);
    if (!fetched)
        ::unlink(path.c_str());
    static_cast<void>(ask("DELETE", "/v1/content/" + *id)); // else it goes by itself in a day
    return fetched;
}

Result<DeskView> Client::check_out(const DeskName& name, const std::string& journey,
                                   std::uint64_t generation, const std::string& place) {
    auto target = desk_target("desks", name, "/checkout");
    if (!target)
        return tl::unexpected(target.error());
    return ask("PUT", *target, {{"journey", journey}, {"generation", generation}, {"to", place}})
        .and_then(desk_view_from);
}

Result<DeskView> Client::call_off(const DeskName& name) {
    auto target = desk_target("desks", name, "/checkout");
    if (!target)
        return tl::unexpected(target.error());
    return ask("DELETE", *target).and_then(desk_view_from);
}

Result<DeskView> Client::upload(const DeskName& name, const std::string& path,
                                const Progress& progress) {
    return send_content(name, path, "/content", progress);
}

Result<DeskView> Client::bring_back(const DeskName& name, const std::string& path,
                                    const Progress& progress) {
    return send_content(name, path, "/checkin", progress);
}

Result<DeskView> Client::send_content(const DeskName& name, const std::string& path,
                                      const std::string& rest, const Progress& progress) {
    auto target = desk_target("desks", name, rest);
    if (!target)
        return tl::unexpected(target.error());
    const process::Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat status{};
    if (!file.open() || ::fstat(file.get(), &status) != 0)
        return fail_errno(errno, "cannot open the packed desk " + path);
    auto begun = ask("POST", "/v1/content");
    if (!begun)
        return tl::unexpected(begun.error());
    auto id = content_id(*begun);
    if (!id)
        return tl::unexpected(id.error());
    std::string piece(piece_limit, '\0');
    std::int64_t done = 0;
    const auto give_up = [&](const Error& error) -> tl::unexpected<Error> {
        static_cast<void>(ask("DELETE", "/v1/content/" + *id));
        return tl::unexpected(error);
    };
    while (true) {
        const ssize_t n = ::pread(file.get(), piece.data(), piece.size(), done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return give_up(fail_errno(errno, "cannot read the packed desk " + path).value());
        if (n == 0)
            break;
        auto sent = http_->request("PUT", "/v1/content/" + *id + "?offset=" + std::to_string(done),
                                   piece.substr(0, static_cast<std::size_t>(n)));
        if (!sent)
            return give_up(sent.error());
        if (sent->status >= 300)
            return give_up(net::error_from_response(*sent));
        done += n;
        if (progress)
            progress(done, status.st_size);
    }
    auto view = ask("PUT", *target, {{"content", *id}}).and_then(desk_view_from);
    if (!view)
        return give_up(view.error());
    return view;
}

} // namespace baton::deskserver
