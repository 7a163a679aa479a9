#include "api/routes.h"

#include <fmt/format.h>

#include <array>

namespace baton::api {

namespace {

constexpr std::size_t none = 0;
constexpr std::size_t small = 16 * 1024;
constexpr std::size_t desk_piece = 8 * 1024 * 1024; // a packed desk comes in parts

constexpr std::array table{
    Route{RouteId::health, "GET", "/v1/health", Access::open, none, "Whether the controller runs"},
    Route{RouteId::login, "POST", "/v1/login", Access::open, small, "A token for a password"},
    Route{RouteId::logout, "POST", "/v1/logout", Access::own, small,
          "Ends the token it comes with"},
    Route{RouteId::whoami, "GET", "/v1/whoami", Access::own, none, "Whose token this is"},
    Route{RouteId::status, "GET", "/v1/status", Access::operators, none, "The site in one look"},
    Route{RouteId::users_list, "GET", "/v1/users", Access::operators, none, "Every person"},
    Route{RouteId::users_add, "POST", "/v1/users", Access::admins, small, "Adds a person"},
    Route{RouteId::users_show, "GET", "/v1/users/{name}", Access::own, none, "One person"},
    Route{RouteId::users_password, "POST", "/v1/users/{name}/password", Access::own, small,
          "Sets a password"},
    Route{RouteId::users_disable, "POST", "/v1/users/{name}/disable", Access::admins, small,
          "Locks a person out and ends their session"},
    Route{RouteId::users_enable, "POST", "/v1/users/{name}/enable", Access::admins, small,
          "Lets a person in again"},
    Route{RouteId::sessions_list, "GET", "/v1/sessions", Access::own, none, "Open sessions"},
    Route{RouteId::sessions_open, "POST", "/v1/sessions", Access::own, small, "Opens a session"},
    Route{RouteId::sessions_show, "GET", "/v1/sessions/{id}", Access::own, none, "One session"},
    Route{RouteId::sessions_close, "DELETE", "/v1/sessions/{id}", Access::own, none,
          "Closes a session"},
    Route{RouteId::sessions_grow, "POST", "/v1/sessions/{id}/grow", Access::own, small,
          "One memory level larger"},
    Route{RouteId::sessions_answer, "POST", "/v1/sessions/{id}/answer", Access::own, small,
          "\"Now\" or \"not now\" to a handoff"},
    Route{RouteId::sessions_ticket, "POST", "/v1/sessions/{id}/ticket", Access::own, small,
          "A one-time ticket for a browser, or for somebody who looks on"},
    Route{RouteId::hosts_list, "GET", "/v1/hosts", Access::operators, none, "Every host"},
    Route{RouteId::hosts_invite, "POST", "/v1/hosts/invite", Access::admins, small,
          "A one-time token for a new host"},
    Route{RouteId::hosts_join, "POST", "/v1/hosts/join", Access::open, small,
          "A host joins with its one-time token"},
    Route{RouteId::hosts_show, "GET", "/v1/hosts/{id}", Access::operators, none, "One host"},
    Route{RouteId::hosts_drain, "POST", "/v1/hosts/{id}/drain", Access::operators, small,
          "Moves every session off a host"},
    Route{RouteId::hosts_undrain, "POST", "/v1/hosts/{id}/undrain", Access::operators, small,
          "Lets a host be used again"},
    Route{RouteId::hosts_remove, "DELETE", "/v1/hosts/{id}", Access::admins, none,
          "Forgets an empty host"},
    Route{RouteId::gateways_list, "GET", "/v1/gateways", Access::operators, none, "Every gateway"},
    Route{RouteId::gateways_invite, "POST", "/v1/gateways/invite", Access::admins, small,
          "A one-time token for a new gateway"},
    Route{RouteId::gateways_join, "POST", "/v1/gateways/join", Access::open, small,
          "A gateway joins with its one-time token"},
    Route{RouteId::gateways_show, "GET", "/v1/gateways/{id}", Access::operators, none,
          "One gateway, and who looks on through it"},
    Route{RouteId::gateways_drain, "POST", "/v1/gateways/{id}/drain", Access::operators, small,
          "No new viewers at this gateway"},
    Route{RouteId::gateways_undrain, "POST", "/v1/gateways/{id}/undrain", Access::operators, small,
          "Lets a gateway take viewers again"},
    Route{RouteId::gateways_remove, "DELETE", "/v1/gateways/{id}", Access::admins, none,
          "Forgets a gateway"},
    Route{RouteId::clients_up, "POST", "/v1/clients/up", Access::open, small,
          "A PC without a disk says that it is up"},
    Route{RouteId::clients_list, "GET", "/v1/clients", Access::operators, none,
          "PCs without a disk that have been up"},
    Route{RouteId::clients_show, "GET", "/v1/clients/{mac}", Access::operators, none,
          "One such PC, and how its last start went"},
    Route{RouteId::clients_assign, "POST", "/v1/clients/{mac}/assign", Access::operators, small,
          "Ties a PC to a person or an OS image, or unties it"},
    Route{RouteId::clients_wake, "POST", "/v1/clients/{mac}/wake", Access::operators, small,
          "Switches a PC on, over the network"},
    Route{RouteId::clients_reboot, "POST", "/v1/clients/{mac}/reboot", Access::operators, small,
          "Has a PC start again"},
    Route{RouteId::clients_message, "POST", "/v1/clients/{mac}/message", Access::operators, small,
          "Shows a line on a PC's screen"},
    Route{RouteId::clients_orders, "GET", "/v1/clients/{mac}/orders", Access::open, none,
          "What is wanted of a PC, asked for by itself"},
    Route{RouteId::clients_phase, "POST", "/v1/clients/{mac}/phase", Access::open, small,
          "When a PC's login was shown, and its first desktop"},
    Route{RouteId::clients_remove, "DELETE", "/v1/clients/{mac}", Access::operators, none,
          "Forgets a PC until it is up again"},
    Route{RouteId::desks_list, "GET", "/v1/desks", Access::own, none, "Managed desks"},
    Route{RouteId::desks_create, "POST", "/v1/desks", Access::operators, small, "Makes a desk"},
    Route{RouteId::desks_show, "GET", "/v1/desks/{name}", Access::own, none, "One desk"},
    Route{RouteId::desks_check, "POST", "/v1/desks/{name}/check", Access::own, small,
          "Checks a desk's image"},
    Route{RouteId::desks_remove, "DELETE", "/v1/desks/{name}", Access::admins, none,
          "Removes a desk for good"},
    Route{RouteId::desks_export, "GET", "/v1/desks/{name}/image", Access::own, none,
          "A desk's image as a file"},
    Route{RouteId::desks_import, "PUT", "/v1/desks/{name}/image", Access::operators, desk_piece,
          "A desk from its packed image, part by part"},
    Route{RouteId::snapshots_list, "GET", "/v1/desks/{name}/snapshots", Access::own, none,
          "How a desk was at earlier moments"},
    Route{RouteId::snapshots_take, "PUT", "/v1/desks/{name}/snapshots/{snapshot}", Access::own,
          none, "Keeps how a desk is now"},
    Route{RouteId::snapshots_remove, "DELETE", "/v1/desks/{name}/snapshots/{snapshot}", Access::own,
          none, "Removes a snapshot"},
    Route{RouteId::snapshots_restore, "POST", "/v1/desks/{name}/snapshots/{snapshot}/restore",
          Access::own, none, "Makes a desk what it was"},
    Route{RouteId::checkout_show, "GET", "/v1/desks/{name}/checkout", Access::own, none,
          "Where a desk was taken, and which copy may come back"},
    Route{RouteId::checkout_begin, "PUT", "/v1/desks/{name}/checkout", Access::own, small,
          "Marks a desk as taken away"},
    Route{RouteId::checkout_call_off, "DELETE", "/v1/desks/{name}/checkout", Access::operators,
          none, "Gives up the copy that was taken away"},
    Route{RouteId::checkin, "PUT", "/v1/desks/{name}/checkin", Access::own, desk_piece,
          "Brings a desk back, part by part"},
    Route{RouteId::images_list, "GET", "/v1/os-images", Access::own, none, "OS images"},
    Route{RouteId::images_show, "GET", "/v1/os-images/{id}", Access::own, none, "One OS image"},
    Route{RouteId::images_manifest, "GET", "/v1/os-images/{id}/manifest", Access::operators_or_host,
          none, "An OS image's manifest, as it is on disk"},
    Route{RouteId::images_file, "GET", "/v1/os-images/{id}/files/{name}", Access::operators_or_host,
          none, "A file of an OS image; Range is honoured"},
    Route{RouteId::events_list, "GET", "/v1/events", Access::own, none, "What happened"},
    Route{RouteId::readings_list, "GET", "/v1/readings", Access::operators, none,
          "What hosts and desktops use now"},
    Route{RouteId::readings_show, "GET", "/v1/readings/{id}", Access::operators, none,
          "What one host and its desktops use now"},
    Route{RouteId::history_list, "GET", "/v1/history", Access::operators, none,
          "Hosts and desktops that samples are kept of"},
    Route{RouteId::history_show, "GET", "/v1/history/{id}", Access::own, none,
          "What a host, a session or a desktop used"},
    Route{RouteId::advice, "GET", "/v1/advice", Access::operators, none,
          "How much memory each person needs, and why"},
    Route{RouteId::metrics, "GET", "/metrics", Access::operators, none,
          "The same as Prometheus text"},
};

std::vector<std::string_view> split(std::string_view path) {
    std::vector<std::string_view> parts;
    while (!path.empty() && path.front() == '/') {
        path.remove_prefix(1);
        const std::size_t end = std::min(path.find('/'), path.size());
        parts.push_back(path.substr(0, end));
        path.remove_prefix(end);
    }
    return parts;
}

bool fits(std::string_view pattern, const std::vector<std::string_view>& path,
          std::vector<std::string>& parameters) {
    const std::vector<std::string_view> wanted = split(pattern);
    if (wanted.size() != path.size())
        return false;
    std::vector<std::string> found;
    for (std::size_t i = 0; i < path.size(); ++i) {
        if (wanted[i].starts_with('{')) {
            if (path[i].empty())
                return false;
            found.emplace_back(path[i]);
        } else if (wanted[i] != path[i]) {
            return false;
        }
    }
    parameters = std::move(found);
    return true;
}

} // namespace

std::span<const Route> routes() {
    return table;
}

Match match(std::string_view method, std::string_view path) {
    Match result;
    const std::vector<std::string_view> parts = split(path);
    for (const Route& route : table) {
        std::vector<std::string> parameters;
        if (!fits(route.pattern, parts, parameters))
            continue;
        if (route.method == method) {
            // a literal path wins over a parameter: the table has "invite" before "{id}"
            result.route = &route;
            result.parameters = std::move(parameters);
            return result;
        }
        if (!result.allowed_methods.empty())
            result.allowed_methods += ", ";
        result.allowed_methods += route.method;
    }
    return result;
}

bool may(Asker asker, Access access) {
    const bool person = asker == Asker::user || asker == Asker::operator_ || asker == Asker::admin;
    const bool over_others = asker == Asker::operator_ || asker == Asker::admin;
    switch (access) {
    case Access::open:
        return true;
    case Access::own:
        return person;
    case Access::operators:
        return over_others;
    case Access::operators_or_host:
        return over_others || asker == Asker::host;
    case Access::admins:
        return asker == Asker::admin;
    }
    return false;
}

Asker asker_of(Role role) {
    switch (role) {
    case Role::user:
        return Asker::user;
    case Role::operator_:
        return Asker::operator_;
    case Role::admin:
        return Asker::admin;
    }
    return Asker::nobody;
}

std::string_view to_string(Role role) {
    switch (role) {
    case Role::user:
        return "user";
    case Role::operator_:
        return "operator";
    case Role::admin:
        return "admin";
    }
    return "user";
}

Result<Role> role_from_string(std::string_view text) {
    for (const Role role : {Role::user, Role::operator_, Role::admin})
        if (to_string(role) == text)
            return role;
    return fail(Errc::invalid_argument, fmt::format("'{}' is not a role", text),
                "the roles are: user, operator, admin");
}

} // namespace baton::api
