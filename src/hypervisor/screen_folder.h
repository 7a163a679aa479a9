#pragma once

#include "model/error.h"

#include <libvirt/libvirt.h>

#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>

/// Who may reach local screens (DesktopSpec::local_screen). QEMU itself makes their sockets, as
/// whatever user libvirt runs it, and asks no password of who connects: so the folder is that
/// user's, and closed to everybody else but root.
namespace baton::hypervisor {

struct QemuUser {
    uid_t user = 0;
    gid_t group = 0;
    bool operator==(const QemuUser&) const = default;
};

/// As the capabilities of a libvirtd say (the base label of its "dac" security model). nullopt: it
/// does not change users, and QEMU runs as libvirtd does.
std::optional<QemuUser> qemu_user_from_capabilities(std::string_view capabilities);

/// The same of the libvirtd behind a connection; also nullopt when it does not say.
std::optional<QemuUser> qemu_user(virConnect* connection);

/// Makes the folder if need be, `user`'s own with mode 0700. nullopt: this process's user's.
/// Idempotent. Errc::forbidden: this process may not give it away (it is not root).
Result<void> give_screen_folder(const std::string& folder, const std::optional<QemuUser>& user);

} // namespace baton::hypervisor
