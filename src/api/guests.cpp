#include "api/guests.h"

#include "api/clients.h"

#include <fmt/format.h>

namespace baton::api {

namespace {

constexpr std::string_view prefix = "guest-";

} // namespace

UserName guest_name(const std::string& mac) {
    std::string name(prefix);
    for (const char c : mac)
        if (c != ':')
            name += c;
    return UserName(name);
}

std::optional<store::ClientRow> guest_pc(Context& context, const UserName& user) {
    if (!user.value.starts_with(prefix))
        return std::nullopt;
    auto rows = context.services.store.clients();
    if (!rows)
        return std::nullopt;
    for (store::ClientRow& row : *rows)
        if (row.guest && guest_name(row.mac) == user)
            return std::move(row);
    return std::nullopt;
}

Result<void> make_guest(Context& context, const std::string& mac, const std::string& by) {
    const UserName name = guest_name(mac);
    if (const store::UserRow* known = context.accounts.find(name)) {
        if (known->role != Role::user || !known->password_hash.empty())
            return fail(Errc::conflict,
                        fmt::format("the user '{}' is a person, and no PC's", name.value),
                        "give that person another name");
        return {};
    }
    store::UserRow row;
    row.name = name;
    row.role = Role::user;
    auto added = context.accounts.add(std::move(row), by);
    if (!added)
        return tl::unexpected(added.error());
    return {};
}

} // namespace baton::api
