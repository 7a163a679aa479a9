#pragma once

#include "store/store.h"

#include <concepts>
#include <type_traits>

/// The columns of each row, once: `visit(column, field)` in the order of the table. What writes,
/// reads and creates SQL is generated from this list.
namespace baton::store {

template <class Row, class Visit>
    requires std::same_as<std::remove_const_t<Row>, UserRow>
void each_column(Row& row, Visit&& visit) {
    visit("name", row.name);
    visit("role", row.role);
    visit("password_hash", row.password_hash);
    visit("disabled", row.disabled);
    visit("created", row.created);
}

template <class Row, class Visit>
    requires std::same_as<std::remove_const_t<Row>, HostRow>
void each_column(Row& row, Visit&& visit) {
    visit("id", row.id);
    visit("address", row.address);
    visit("memory_mib", row.memory);
    visit("reserve_mib", row.reserve);
    visit("draining", row.draining);
    visit("joined", row.joined);
    visit("certificate_sha256", row.certificate_sha256);
    visit("facts_json", row.facts_json);
    visit("last_seen", row.last_seen);
}

template <class Row, class Visit>
    requires std::same_as<std::remove_const_t<Row>, GatewayRow>
void each_column(Row& row, Visit&& visit) {
    visit("id", row.id);
    visit("address", row.address);
    visit("draining", row.draining);
    visit("certificate_sha256", row.certificate_sha256);
    visit("joined", row.joined);
}

template <class Row, class Visit>
    requires std::same_as<std::remove_const_t<Row>, ClientRow>
void each_column(Row& row, Visit&& visit) {
    visit("mac", row.mac);
    visit("uuid", row.uuid);
    visit("address", row.address);
    visit("memory_mib", row.memory);
    visit("image", row.image);
    visit("firmware", row.firmware);
    visit("timings_json", row.timings_json);
    visit("boots", row.boots);
    visit("first_seen", row.first_seen);
    visit("last_seen", row.last_seen);
    visit("user", row.user);
    visit("os_image", row.os_image);
    visit("guest", row.guest);
    visit("prestarted", row.prestarted);
}

template <class Row, class Visit>
    requires std::same_as<std::remove_const_t<Row>, DeskRow>
void each_column(Row& row, Visit&& visit) {
    visit("name", row.name);
    visit("id", row.id);
    visit("owner", row.owner);
    visit("size_bytes", row.size_bytes);
    visit("state", row.state);
    visit("fence", row.fence);
    visit("holder", row.holder);
    visit("created", row.created);
    visit("away_to", row.away_to);
    visit("away_by", row.away_by);
    visit("away_since", row.away_since);
}

template <class Row, class Visit>
    requires std::same_as<std::remove_const_t<Row>, SessionRow>
void each_column(Row& row, Visit&& visit) {
    visit("id", row.id);
    visit("user", row.user);
    visit("desk", row.desk);
    visit("image", row.image);
    visit("phase", row.phase);
    visit("route", row.route);
    visit("client", row.client);
    visit("listen_port", row.listen_port);
    visit("desktop", row.desktop);
    visit("joined", row.joined);
    visit("screen_password", row.screen_password);
    visit("screen_password_until", row.screen_password_until);
    visit("grow_wanted", row.grow_wanted);
    visit("deferred", row.deferred);
    visit("ended_because", row.ended_because);
    visit("created", row.created);
}

template <class Row, class Visit>
    requires std::same_as<std::remove_const_t<Row>, DesktopRow>
void each_column(Row& row, Visit&& visit) {
    visit("id", row.id);
    visit("session", row.session);
    visit("host", row.host);
    visit("memory_mib", row.memory);
    visit("image", row.image);
    visit("phase", row.phase);
    visit("screen_address", row.screen.address);
    visit("screen_port", row.screen.port);
    visit("screen_ticket", row.screen_ticket);
}

template <class Row, class Visit>
    requires std::same_as<std::remove_const_t<Row>, MoveRow>
void each_column(Row& row, Visit&& visit) {
    visit("id", row.id);
    visit("session", row.session);
    visit("kind", row.kind);
    visit("phase", row.phase);
    visit("from_desktop", row.from);
    visit("to_desktop", row.to);
    visit("fence", row.fence);
    visit("reason", row.reason);
    visit("error", row.error);
    visit("started", row.started);
}

template <class Row, class Visit>
    requires std::same_as<std::remove_const_t<Row>, EventRow>
void each_column(Row& row, Visit&& visit) {
    visit("seq", row.seq);
    visit("at", row.at);
    visit("kind", row.kind);
    visit("subject", row.subject);
    visit("text", row.text);
    visit("data_json", row.data_json);
}

template <class Row, class Visit>
    requires std::same_as<std::remove_const_t<Row>, TokenRow>
void each_column(Row& row, Visit&& visit) {
    visit("token_sha256", row.token_sha256);
    visit("kind", row.kind);
    visit("subject", row.subject);
    visit("expires", row.expires);
}

} // namespace baton::store
