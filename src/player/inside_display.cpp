#include "player/inside_display.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace baton::player {

namespace {

constexpr const char* folder = "/tmp/.X11-unix";
constexpr std::string_view path = "/tmp/.X11-unix/X0";

Result<void> write_cookies(const std::string& file, const Account& owner,
                           const std::string& cookies) {
    const process::Descriptor made(
        ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!made.open() || ::fchown(made.get(), owner.uid, owner.gid) != 0 ||
        ::write(made.get(), cookies.data(), cookies.size()) != static_cast<ssize_t>(cookies.size()))
        return fail_errno(errno, "cannot write the desk's display cookie " + file);
    return {};
}

} // namespace

Result<InsideDisplay> InsideDisplay::open(const Account& owner, const std::string& cookies) {
    InsideDisplay display;
    if ((::mkdir(folder, 01777) != 0 && errno != EEXIST) || ::chmod(folder, 01777) != 0)
        return fail(Errc::unsupported, "the desk has no place for a display's socket",
                    "a graphical session needs /tmp in the policy", errno);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    const auto* name = reinterpret_cast<const sockaddr*>(&address);
    display.server_ = process::Descriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    display.client_ = process::Descriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!display.server_.open() || !display.client_.open() ||
        ::bind(display.server_.get(), name, sizeof address) != 0 ||
        ::chmod(address.sun_path, 0666) != 0 || ::listen(display.server_.get(), SOMAXCONN) != 0 ||
        ::connect(display.client_.get(), name, sizeof address) != 0)
        return fail_errno(errno, "cannot make the desk's display");
    display.cookies_ = "/run/user/" + std::to_string(owner.uid) + "/Xauthority";
    BATON_TRY(write_cookies(display.cookies_, owner, cookies));
    return display;
}

void InsideDisplay::say_in(std::map<std::string, std::string>& environment) const {
    environment.try_emplace("DISPLAY", ":0");
    environment.try_emplace("XAUTHORITY", cookies_);
}

} // namespace baton::player
