#include "netboot/watch.h"

#include <array>
#include <cerrno>
#include <sys/inotify.h>
#include <unistd.h>

namespace baton::netboot {

Result<Watch> Watch::open(const std::string& folder) {
    process::Descriptor changes(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (!changes.open() ||
        ::inotify_add_watch(changes.get(), folder.c_str(), IN_MOVED_TO | IN_CLOSE_WRITE) < 0)
        return fail_errno(errno, "cannot watch the folder " + folder);
    return Watch(std::move(changes));
}

void Watch::take() {
    std::array<char, 8192> events{};
    while (::read(changes_.get(), events.data(), events.size()) > 0) {
    }
}

} // namespace baton::netboot
