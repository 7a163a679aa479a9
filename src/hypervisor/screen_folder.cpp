#include "hypervisor/screen_folder.h"

#include "hypervisor/xml.h"
#include "process/child.h"

#include <fmt/format.h>

#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace baton::hypervisor {

namespace {

/// "+64055:+64055".
std::optional<QemuUser> user_of_label(std::string_view label) {
    const auto number = [](std::string_view text, auto& into) {
        if (text.starts_with('+'))
            text.remove_prefix(1);
        const char* end = text.data() + text.size();
        const auto [rest, error] = std::from_chars(text.data(), end, into);
        return !text.empty() && rest == end && error == std::errc{};
    };
    QemuUser user;
    const std::size_t colon = label.find(':');
    if (colon == std::string_view::npos || !number(label.substr(0, colon), user.user) ||
        !number(label.substr(colon + 1), user.group))
        return std::nullopt;
    return user;
}

} // namespace

std::optional<QemuUser> qemu_user_from_capabilities(std::string_view capabilities) {
    const xml::Document document = xml::parse(capabilities);
    if (!document)
        return std::nullopt;
    return user_of_label(
        xml::value(document, "/capabilities/host/secmodel[model='dac']/baselabel"));
}

std::optional<QemuUser> qemu_user(virConnect* connection) {
    char* text = virConnectGetCapabilities(connection);
    if (text == nullptr)
        return std::nullopt;
    const auto user = qemu_user_from_capabilities(text);
    free(text);
    return user;
}

Result<void> give_screen_folder(const std::string& folder, const std::optional<QemuUser>& user) {
    const std::string doing = fmt::format("keeping the desktops' screens in {}", folder);
    if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST)
        return fail_errno(errno, doing);
    const process::Descriptor opened(
        ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    struct stat status{};
    if (!opened.open() || ::fstat(opened.get(), &status) != 0)
        return fail_errno(errno, doing);
    const QemuUser owner = user.value_or(QemuUser{::geteuid(), ::getegid()});
    // closed first: at no moment may somebody else enter
    if ((status.st_mode & 0777) != 0700 && ::fchmod(opened.get(), 0700) != 0)
        return fail_errno(errno, doing);
    if (status.st_uid != owner.user && ::fchown(opened.get(), owner.user, owner.group) != 0)
        return fail_errno(errno,
                          fmt::format("{}: the folder has to be of the user {}, as whom libvirt "
                                      "runs QEMU",
                                      doing, owner.user),
                          "run baton-hostd as root");
    return {};
}

} // namespace baton::hypervisor
