#pragma once

#include "api/kept.h"
#include "handoff/engine.h"
#include "osimage/manifest.h"
#include "store/names.h"
#include "store/store.h"

#include <boost/json/value.hpp>

/// What the API says, as JSON: docs/api.md lists every field. These are the only places where a
/// row of the store becomes words on the wire.
namespace baton::api {

/// null for none.
boost::json::value text_or_null(const std::string& text);
/// RFC 3339 in UTC with milliseconds; null for the epoch ("never").
boost::json::value to_json(WallTime time);

boost::json::object to_json(const store::UserRow& row);
boost::json::object to_json(const handoff::SessionView& view, const std::string& viewer_address);
boost::json::object to_json(const store::DeskRow& row);
boost::json::object to_json(const store::EventRow& row);
boost::json::object image_json(const osimage::Manifest& manifest);

boost::json::object to_json(const handoff::HostView& host);

/// How keeping samples goes; null: nobody does.
boost::json::value samples_state(const Kept* kept);

} // namespace baton::api
