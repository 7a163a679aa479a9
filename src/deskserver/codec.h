#pragma once

#include "deskserver/content_store.h"
#include "deskserver/server.h"
#include "model/error.h"
#include "model/types.h"

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <string>
#include <string_view>

/// What baton-deskd says and hears, as JSON (docs/desk-server.md). Pure.
namespace baton::deskserver {

/// "2026-11-20T10:00:00.123Z"; null for none.
boost::json::value to_json(WallTime time);
Result<WallTime> time_from(std::string_view text);

boost::json::object to_json(const DeskExport& desk_export);
Result<DeskExport> desk_export_from(const boost::json::object& object);

boost::json::object to_json(const DeskView& view);
Result<DeskView> desk_view_from(const boost::json::object& object);

boost::json::object to_json(const desk::CheckReport& report);
Result<desk::CheckReport> check_report_from(const boost::json::object& object);

boost::json::object to_json(const desk::Snapshot& snapshot);
Result<desk::Snapshot> snapshot_from(const boost::json::object& object);

boost::json::object to_json(const desk::Header& header);
boost::json::object to_json(const desk::ListedFile& file);
boost::json::object to_json(const Content& content);

} // namespace baton::deskserver
