#include "store/names.h"

#include <array>
#include <span>
#include <utility>

namespace baton::store {
namespace {

template <class Enum>
using Names = std::span<const std::pair<Enum, std::string_view>>;

constexpr std::array<std::pair<Role, std::string_view>, 3> roles{{
    {Role::user, "user"},
    {Role::operator_, "operator"},
    {Role::admin, "admin"},
}};
constexpr std::array<std::pair<RouteKind, std::string_view>, 2> route_kinds{{
    {RouteKind::nat, "nat"},
    {RouteKind::gateway, "gateway"},
}};
constexpr std::array<std::pair<DeskState, std::string_view>, 3> desk_states{{
    {DeskState::ok, "ok"},
    {DeskState::damaged, "damaged"},
    {DeskState::checked_out, "checked_out"},
}};
constexpr std::array<std::pair<SessionPhase, std::string_view>, 6> session_phases{{
    {SessionPhase::waiting, "waiting"},
    {SessionPhase::opening, "opening"},
    {SessionPhase::serving, "serving"},
    {SessionPhase::handing_off, "handing_off"},
    {SessionPhase::closing, "closing"},
    {SessionPhase::closed, "closed"},
}};
constexpr std::array<std::pair<DesktopPhase, std::string_view>, 5> desktop_phases{{
    {DesktopPhase::planned, "planned"},
    {DesktopPhase::starting, "starting"},
    {DesktopPhase::ready, "ready"},
    {DesktopPhase::stopping, "stopping"},
    {DesktopPhase::gone, "gone"},
}};
constexpr std::array<std::pair<MoveKind, std::string_view>, 3> move_kinds{{
    {MoveKind::open, "open"},
    {MoveKind::handoff, "handoff"},
    {MoveKind::close, "close"},
}};
constexpr std::array<std::pair<MovePhase, std::string_view>, 11> move_phases{{
    {MovePhase::planned, "planned"},
    {MovePhase::preparing, "preparing"},
    {MovePhase::announcing, "announcing"},
    {MovePhase::releasing, "releasing"},
    {MovePhase::leasing, "leasing"},
    {MovePhase::attaching, "attaching"},
    {MovePhase::routing, "routing"},
    {MovePhase::draining, "draining"},
    {MovePhase::returning, "returning"},
    {MovePhase::done, "done"},
    {MovePhase::failed, "failed"},
}};
constexpr std::array<std::pair<TokenRow::Kind, std::string_view>, 3> token_kinds{{
    {TokenRow::Kind::api, "api"},
    {TokenRow::Kind::host_invite, "host_invite"},
    {TokenRow::Kind::gateway_invite, "gateway_invite"},
}};

template <class Enum>
std::string_view name_in(Names<Enum> names, Enum value) {
    for (const auto& [one, name] : names)
        if (one == value)
            return name;
    return "unknown";
}

template <class Enum>
std::optional<Enum> value_in(Names<Enum> names, std::string_view text) {
    for (const auto& [one, name] : names)
        if (name == text)
            return one;
    return std::nullopt;
}

} // namespace

std::string_view to_string(Role role) {
    return name_in<Role>(roles, role);
}

std::string_view to_string(RouteKind route) {
    return name_in<RouteKind>(route_kinds, route);
}

std::string_view to_string(DeskState state) {
    return name_in<DeskState>(desk_states, state);
}

std::string_view to_string(SessionPhase phase) {
    return name_in<SessionPhase>(session_phases, phase);
}

std::string_view to_string(DesktopPhase phase) {
    return name_in<DesktopPhase>(desktop_phases, phase);
}

std::string_view to_string(MoveKind kind) {
    return name_in<MoveKind>(move_kinds, kind);
}

std::string_view to_string(MovePhase phase) {
    return name_in<MovePhase>(move_phases, phase);
}

std::string_view to_string(TokenRow::Kind kind) {
    return name_in<TokenRow::Kind>(token_kinds, kind);
}

template <>
std::optional<Role> from_name(std::string_view text) {
    return value_in<Role>(roles, text);
}

template <>
std::optional<RouteKind> from_name(std::string_view text) {
    return value_in<RouteKind>(route_kinds, text);
}

template <>
std::optional<DeskState> from_name(std::string_view text) {
    return value_in<DeskState>(desk_states, text);
}

template <>
std::optional<SessionPhase> from_name(std::string_view text) {
    return value_in<SessionPhase>(session_phases, text);
}

template <>
std::optional<DesktopPhase> from_name(std::string_view text) {
    return value_in<DesktopPhase>(desktop_phases, text);
}

template <>
std::optional<MoveKind> from_name(std::string_view text) {
    return value_in<MoveKind>(move_kinds, text);
}

template <>
std::optional<MovePhase> from_name(std::string_view text) {
    return value_in<MovePhase>(move_phases, text);
}

template <>
std::optional<TokenRow::Kind> from_name(std::string_view text) {
    return value_in<TokenRow::Kind>(token_kinds, text);
}

} // namespace baton::store
