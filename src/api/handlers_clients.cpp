#include "api/client_up.h"
#include "api/clients.h"
#include "api/guests.h"
#include "api/json_out.h"
#include "api/opening.h"
#include "api/prestart.h"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace json = boost::json;

namespace baton::api {

net::Response ask_again(const Error& error, std::chrono::nanoseconds wait) {
    net::Response response = net::error_response(error);
    response.status = 429;
    response.headers["Retry-After"] =
        std::to_string(std::chrono::ceil<std::chrono::seconds>(wait).count());
    return response;
}

json::object to_json(const store::ClientRow& row) {
    boost::system::error_code wrong;
    json::value timings = json::parse(row.timings_json, wrong);
    if (wrong)
        timings = nullptr;
    return {{"mac", row.mac},
            {"uuid", text_or_null(row.uuid)},
            {"address", row.address},
            {"memory_mib", row.memory.count},
            {"image", row.image},
            {"firmware", row.firmware},
            {"boots", row.boots},
            {"first_seen", to_json(row.first_seen)},
            {"last_seen", to_json(row.last_seen)},
            {"user", text_or_null(row.user.value)},
            {"os_image", text_or_null(row.os_image.value)},
            {"guest", row.guest},
            {"prestarted", text_or_null(row.prestarted.value)},
            {"timings", std::move(timings)}};
}

Result<store::ClientRow> find_client(Context& context, const std::string& mac) {
    const auto wanted = mac_address(mac);
    if (!wanted)
        return tl::unexpected(wanted.error());
    auto rows = context.services.store.clients();
    if (!rows)
        return tl::unexpected(rows.error());
    for (store::ClientRow& row : *rows)
        if (row.mac == *wanted)
            return std::move(row);
    return fail(Errc::not_found, fmt::format("no PC with the MAC address {} has been up", *wanted),
                "see them with: baton client list");
}

bool is_client(Context& context, const CallPtr& call, const std::string& mac) {
    const auto now = context.services.clock.monotonic();
    const auto& address = call->request.peer.address;
    const std::string key = "client " + address;
    if (const auto wait = context.by_address.wait(key, now); wait.count() > 0) {
        call->answer(ask_again(
            Error{Errc::busy, "too many wrong tokens from here", "try again later", 0}, wait));
        return false;
    }
    constexpr std::string_view scheme = "Bearer ";
    const auto header = call->request.headers.find("authorization");
    if (header != call->request.headers.end() && header->second.starts_with(scheme) &&
        context.client_orders.knows(mac, address,
                                    std::string_view(header->second).substr(scheme.size())))
        return true;
    context.by_address.failed(key, now);
    call->answer(Error{Errc::unauthenticated,
                       "that is not the token that this PC was given, or not where it was given",
                       "a PC gets one when it says that it is up", 0});
    return false;
}

namespace {

class ClientRoutes {
  public:
    ClientRoutes(Context& context, Prestarter& prestarter)
        : context_(context), prestarter_(prestarter) {}

    void up(const CallPtr& call);
    void list(const CallPtr& call);
    void show(const CallPtr& call);
    void assign(const CallPtr& call);
    void remove(const CallPtr& call);

  private:
    // one PC that starts again and again, or a room of them behind one router; and all together, as
    // each is written through to the disk
    static constexpr Throttle::Limits limits{.free_tries = 30,
                                             .first_pause = std::chrono::seconds(1),
                                             .longest_pause = std::chrono::minutes(1)};
    static constexpr unsigned most_in_a_second = 50;

    /// Whether it is to be heard now; answered if not.
    bool has_time_for(const CallPtr& call);
    [[nodiscard]] std::string timings(const store::ClientRow& row) const;

    /// What a PC is tied to, as the call says.
    Result<void> tie(store::ClientRow& row, const CallPtr& call);
    void end_guest_session(const std::string& mac);

    Context& context_;
    Prestarter& prestarter_;
    Throttle by_address_{limits};
    std::chrono::nanoseconds second_began_{};
    unsigned in_this_second_ = 0;
};

bool ClientRoutes::has_time_for(const CallPtr& call) {
    const auto now = context_.services.clock.monotonic();
    const auto& address = call->request.peer.address;
    if (now - second_began_ >= std::chrono::seconds(1)) {
        second_began_ = now;
        in_this_second_ = 0;
    }
    auto wait = by_address_.wait(address, now);
    if (in_this_second_ >= most_in_a_second)
        wait = std::max<std::chrono::nanoseconds>(wait, std::chrono::seconds(1));
    if (wait.count() > 0) {
        call->answer(ask_again(
            Error{Errc::busy, "too many PCs say that they are up", "say it again later", 0}, wait));
        return false;
    }
    ++in_this_second_;
    by_address_.failed(address, now);
    return true;
}

std::string ClientRoutes::timings(const store::ClientRow& row) const {
    auto own = json::parse(row.timings_json).as_object();
    if (context_.services.fetches == nullptr)
        return row.timings_json;
    json::array fetched;
    for (const auto& fetch : context_.services.fetches->of(row.address))
        fetched.push_back(json::object{{"what", fetch.file}, {"at_ms", fetch.at.count()}});
    if (!fetched.empty())
        own["boot_server"] = std::move(fetched);
    return json::serialize(own);
}

void ClientRoutes::up(const CallPtr& call) {
    if (!has_time_for(call))
        return;
    bool again = false;
    auto row = client_from_json(call->request.body, &again);
    if (!row)
        return call->answer(row.error());
    auto known = context_.services.store.clients();
    if (!known)
        return call->answer(known.error());
    const auto now = context_.services.clock.wall();
    row->address = call->request.peer.address;
    row->timings_json = timings(*row);
    row->first_seen = now;
    row->last_seen = now;
    row->boots = 1;
    store::Change change;
    const auto before = std::ranges::find(*known, row->mac, &store::ClientRow::mac);
    const bool is_new = before == known->end();
    if (!is_new) {
        row->first_seen = before->first_seen;
        row->boots = before->boots + (again ? 0 : 1);
        if (again)
            row->timings_json = before->timings_json;
        row->user = before->user;
        row->os_image = before->os_image;
        row->guest = before->guest;
        row->prestarted = before->prestarted;
    } else if (known->size() >= most_clients) {
        // what an operator has said of a PC is not lost to somebody's invented addresses
        std::erase_if(*known, [](const store::ClientRow& one) {
            return !one.user.value.empty() || !one.os_image.value.empty() || one.guest;
        });
        if (known->empty())
            return call->answer(Error{Errc::full, "no more PCs are kept",
                                      "forget some: baton client remove MAC", 0});
        change.removed_clients.push_back(
            std::ranges::min_element(*known, {}, &store::ClientRow::last_seen)->mac);
    }
    change.clients.push_back(*row);
    if (auto written = context_.services.store.commit(change); !written)
        return call->answer(written.error());
    if (is_new)
        (void)context_.tell(
            "client.new", row->mac,
            fmt::format("a PC with the MAC address {} is up for the first time, at {}", row->mac,
                        row->address));
    if (!again)
        prestarter_.signal(*row);
    json::object answer{
        {"mac", row->mac},
        {"boots", row->boots},
        {"token", context_.client_orders.up(row->mac, row->address, is_new || !again)}};
    if (row->guest)
        answer["guest"] = guest_name(row->mac).value;
    call->answer(answer);
}

void ClientRoutes::list(const CallPtr& call) {
    const auto rows = context_.services.store.clients();
    if (!rows)
        return call->answer(rows.error());
    json::array clients;
    for (const store::ClientRow& row : *rows)
        clients.push_back(to_json(row));
    call->answer(json::object{{"clients", std::move(clients)}});
}

void ClientRoutes::show(const CallPtr& call) {
    const auto row = find_client(context_, call->parameters[0]);
    if (!row)
        return call->answer(row.error());
    call->answer(json::value(to_json(*row)));
}

Result<void> ClientRoutes::tie(store::ClientRow& row, const CallPtr& call) {
    auto fields = Fields::parse(call->request.body);
    if (!fields)
        return tl::unexpected(fields.error());
    const auto user = fields->optional_text("user", 63);
    const auto os_image = fields->optional_text("os_image", 63);
    const auto guest = fields->optional_flag("guest");
    BATON_TRY(fields->error());
    if (user && !user->empty() && guest.value_or(false))
        return fail(Errc::invalid_argument, "a PC is a person's or for guests, not both");
    if (user) {
        if (!user->empty() && context_.accounts.find(UserName(*user)) == nullptr)
            return fail(Errc::not_found, fmt::format("there is no user '{}'", *user),
                        "see them with: baton user list");
        row.user = UserName(*user);
    }
    if (os_image) {
        if (!os_image->empty())
            if (const auto found = context_.services.images.resolve(*os_image); !found)
                return tl::unexpected(found.error());
        row.os_image = OsImageId(*os_image);
    }
    row.guest = guest.value_or(row.guest && row.user.value.empty());
    if (!row.guest)
        return {};
    row.user = UserName();
    return make_guest(context_, row.mac, call->caller.user.value);
}

void ClientRoutes::end_guest_session(const std::string& mac) {
    if (const auto view = session_of(context_, guest_name(mac)))
        context_.services.engine.close(view->row.id, [](const Result<void>&) {});
}

void ClientRoutes::assign(const CallPtr& call) {
    auto row = find_client(context_, call->parameters[0]);
    if (!row)
        return call->answer(row.error());
    const bool was_guest = row->guest;
    if (auto tied = tie(*row, call); !tied)
        return call->answer(tied.error());
    store::Change change;
    change.clients.push_back(*row);
    if (auto written = context_.services.store.commit(change); !written)
        return call->answer(written.error());
    if (was_guest && !row->guest)
        end_guest_session(row->mac);
    call->answer(json::value(to_json(*row)));
}

void ClientRoutes::remove(const CallPtr& call) {
    const auto row = find_client(context_, call->parameters[0]);
    if (!row)
        return call->answer(row.error());
    store::Change change;
    context_.client_orders.forget(row->mac);
    change.removed_clients.push_back(row->mac);
    if (auto written = context_.services.store.commit(change); !written)
        return call->answer(written.error());
    if (row->guest)
        end_guest_session(row->mac);
    call->answer(json::object{{"removed", row->mac}});
}

} // namespace

void add_client_routes(Context& context, Prestarter& prestarter, Handlers& handlers) {
    auto routes = std::make_shared<ClientRoutes>(context, prestarter);
    handlers[RouteId::clients_up] = [routes](const CallPtr& call) { routes->up(call); };
    handlers[RouteId::clients_list] = [routes](const CallPtr& call) { routes->list(call); };
    handlers[RouteId::clients_show] = [routes](const CallPtr& call) { routes->show(call); };
    handlers[RouteId::clients_assign] = [routes](const CallPtr& call) { routes->assign(call); };
    handlers[RouteId::clients_remove] = [routes](const CallPtr& call) { routes->remove(call); };
}

} // namespace baton::api
