#pragma once

#include "api/context.h"
#include "store/store.h"

#include <optional>
#include <string>

/// PCs for guests: an unattended PC in a hall has sessions without a desk, which it opens itself
/// with the token that it was given when it said that it is up. Each has a user of its own, who has
/// no password and no desk. Inside api/ only; on the executor.
namespace baton::api {

/// "52:54:00:99:00:01" -> "guest-525400990001".
UserName guest_name(const std::string& mac);

/// The PC for guests whose user that is; none for everybody else.
std::optional<store::ClientRow> guest_pc(Context& context, const UserName& user);

/// Makes the PC's user, if there is none. Errc::conflict: somebody else has that name.
Result<void> make_guest(Context& context, const std::string& mac, const std::string& by);

} // namespace baton::api
