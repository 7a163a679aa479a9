#pragma once

#include "api/context.h"

#include <optional>
#include <string>

/// What opening a session needs, whoever asks for it: the API or a gateway. Inside api/ only; on
/// the executor.
namespace baton::api {

/// The open session of a person.
std::optional<handoff::SessionView> session_of(const Context& context, const UserName& user);

/// By what a session is reached when nobody says.
RouteKind usual_route(const Context& context);

/// `image`: an id or a name; none: the site's default, or the only one there is.
Result<OsImageId> choose_image(Context& context, const std::optional<std::string>& image);
/// What that PC is tied to; else as without a word.
Result<OsImageId> choose_image(Context& context, const store::ClientRow& pc);

} // namespace baton::api
