#pragma once

#include "model/types.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// The one table of what the API answers and who may ask: docs/api.md, `tests/unit/api_test`.
namespace baton::api {

enum class RouteId : std::uint8_t {
    health,
    login,
    logout,
    whoami,
    status,
    users_list,
    users_add,
    users_show,
    users_password,
    users_disable,
    users_enable,
    sessions_list,
    sessions_open,
    sessions_show,
    sessions_close,
    sessions_grow,
    sessions_answer,
    sessions_ticket,
    hosts_list,
    hosts_invite,
    hosts_join,
    hosts_show,
    hosts_drain,
    hosts_undrain,
    hosts_remove,
    gateways_list,
    gateways_invite,
    gateways_join,
    gateways_show,
    gateways_drain,
    gateways_undrain,
    gateways_remove,
    clients_up,
    clients_list,
    clients_show,
    clients_assign,
    clients_wake,
    clients_reboot,
    clients_message,
    clients_orders,
    clients_phase,
    clients_remove,
    desks_list,
    desks_create,
    desks_show,
    desks_check,
    desks_remove,
    desks_export,
    desks_import,
    snapshots_list,
    snapshots_take,
    snapshots_remove,
    snapshots_restore,
    checkout_show,
    checkout_begin,
    checkout_call_off,
    checkin,
    images_list,
    images_show,
    images_manifest,
    images_file,
    events_list,
    readings_list,
    readings_show,
    history_list,
    history_show,
    advice,
    metrics,
};

/// Who is asking, as far as the table is concerned.
enum class Asker : std::uint8_t {
    nobody, ///< no token, no certificate
    host,   ///< a joined host, by its client certificate
    user,
    operator_,
    admin,
};

/// Who may. Higher includes lower, hosts stand beside.
enum class Access : std::uint8_t {
    open,              ///< anybody at all
    own,               ///< every person, a user for what is theirs alone
    operators,         ///< operators and admins
    operators_or_host, ///< the same, and joined hosts
    admins,
};

struct Route {
    RouteId id;
    std::string_view method;
    std::string_view pattern; ///< "/v1/sessions/{id}/grow"
    Access access;
    std::size_t body_limit; ///< bytes
    std::string_view summary;
};

/// Every route there is.
std::span<const Route> routes();

struct Match {
    const Route* route = nullptr; ///< nullptr: no such path
    std::vector<std::string> parameters;
    std::string allowed_methods; ///< when the path is known but not the method: "GET, POST"
};

Match match(std::string_view method, std::string_view path);

/// Whether `asker` gets through the door of a route. `Access::own` still has to be checked by the
/// route itself against what is asked for.
[[nodiscard]] bool may(Asker asker, Access access);

Asker asker_of(Role role);

std::string_view to_string(Role role);
/// "user", "operator", "admin"; anything else is Errc::invalid_argument.
Result<Role> role_from_string(std::string_view text);

} // namespace baton::api
