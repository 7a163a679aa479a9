#pragma once

#include "api/context.h"
#include "store/store.h"

#include <boost/json/object.hpp>

#include <string>

/// What the routes of PCs without a disk share. Inside api/ only; on the executor.
namespace baton::api {

boost::json::object to_json(const store::ClientRow& row);

/// A PC that has been up, by its MAC address as a path has it. Errc::invalid_argument, not_found.
Result<store::ClientRow> find_client(Context& context, const std::string& mac);

/// Whether a call comes from the PC with that MAC address: its token, and its address. If not, the
/// call has been answered.
bool is_client(Context& context, const CallPtr& call, const std::string& mac);

/// 429, with Retry-After.
net::Response ask_again(const Error& error, std::chrono::nanoseconds wait);

} // namespace baton::api
