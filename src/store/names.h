#pragma once

#include "store/store.h"

#include <optional>
#include <string_view>

/// The names of the store's enumerators: stable, in the database and on the wire.
namespace baton::store {

std::string_view to_string(Role role);       ///< "user", "operator", "admin"
std::string_view to_string(RouteKind route); ///< "nat", "gateway"
std::string_view to_string(DeskState state);
std::string_view to_string(SessionPhase phase);
std::string_view to_string(DesktopPhase phase);
std::string_view to_string(MoveKind kind);
std::string_view to_string(MovePhase phase);
std::string_view to_string(TokenRow::Kind kind);

/// The inverse of to_string; nothing for text that is no such name.
template <class Enum>
std::optional<Enum> from_name(std::string_view text);

template <>
std::optional<Role> from_name(std::string_view text);
template <>
std::optional<RouteKind> from_name(std::string_view text);
template <>
std::optional<DeskState> from_name(std::string_view text);
template <>
std::optional<SessionPhase> from_name(std::string_view text);
template <>
std::optional<DesktopPhase> from_name(std::string_view text);
template <>
std::optional<MoveKind> from_name(std::string_view text);
template <>
std::optional<MovePhase> from_name(std::string_view text);
template <>
std::optional<TokenRow::Kind> from_name(std::string_view text);

} // namespace baton::store
