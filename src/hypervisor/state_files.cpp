#include "hypervisor/state_files.h"

#include "hypervisor/libvirt.h"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <sys/file.h>
#include <sys/stat.h>

namespace baton::hypervisor {

namespace fs = std::filesystem;

namespace {

// a unix socket's path has 107 characters; ours are <directory>/ch/<desktop id> and
// <directory>/sc/<desktop id>
constexpr std::size_t longest_directory = 60;
constexpr const char* screen_folder = "sc";
constexpr std::array folders{"overlays", "consoles", "ch", "nvram", screen_folder};

} // namespace

Result<StateFiles> StateFiles::open(const std::string& directory) {
    if (directory.empty() || directory.front() != '/' || directory.size() > longest_directory)
        return fail(Errc::invalid_argument,
                    fmt::format("'{}' cannot be the hypervisor's state directory", directory),
                    fmt::format("give an absolute path of at most {} characters (it holds sockets)",
                                longest_directory));
    for (const char* folder : folders) {
        std::error_code error;
        fs::create_directories(fs::path(directory) / folder, error);
        if (error)
            return fail_errno(error.value(), fmt::format("cannot make {}/{}", directory, folder));
    }
    const std::string path = directory + "/lock";
    process::Descriptor lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!lock.open())
        return fail_errno(errno, "cannot open " + path);
    if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0)
        return fail(Errc::busy, fmt::format("another host agent uses {}", directory),
                    "end it, or give this one a state directory of its own");
    return StateFiles(directory, std::move(lock));
}

std::string StateFiles::overlay(const DesktopId& desktop) const {
    return fmt::format("{}/overlays/{}", directory_, desktop.value);
}

std::string StateFiles::console(const DesktopId& desktop) const {
    return fmt::format("{}/consoles/{}", directory_, desktop.value);
}

std::string StateFiles::channel(const DesktopId& desktop) const {
    return fmt::format("{}/ch/{}", directory_, desktop.value);
}

std::string StateFiles::nvram(const DesktopId& desktop) const {
    return fmt::format("{}/nvram/{}", directory_, desktop.value);
}

std::string StateFiles::screens() const {
    return fmt::format("{}/{}", directory_, screen_folder);
}

std::string StateFiles::screen(const DesktopId& desktop) const {
    return screen_socket(directory_, desktop);
}

std::string screen_socket(const std::string& state_directory, const DesktopId& desktop) {
    return fmt::format("{}/{}/{}", state_directory, screen_folder, desktop.value);
}

std::string StateFiles::console_tail(const DesktopId& desktop, std::size_t bytes) const {
    std::string text = file_tail(console(desktop), bytes);
    if (text.size() < bytes)
        text = file_tail(console(desktop) + ".1", bytes - text.size()) + text;
    return text;
}

void StateFiles::remove(const DesktopId& desktop) const {
    for (const char* folder : folders) {
        std::error_code ignored;
        fs::remove(fs::path(directory_) / folder / desktop.value, ignored);
    }
    // a console's older parts: ".1" is ours, virtlogd makes ".0" and on
    for (const char* part : {".0", ".1", ".2", ".3"}) {
        std::error_code ignored;
        fs::remove(console(desktop) + part, ignored);
    }
}

std::set<DesktopId> StateFiles::remove_all_but(const std::set<DesktopId>& alive) const {
    std::set<DesktopId> removed;
    for (const char* folder : folders) {
        std::error_code error;
        for (const fs::directory_entry& entry :
             fs::directory_iterator(fs::path(directory_) / folder, error)) {
            // no desktop's id has a dot
            std::string name = entry.path().filename().string();
            const DesktopId desktop(name.substr(0, name.find('.')));
            if (alive.contains(desktop))
                continue;
            std::error_code ignored;
            fs::remove(entry.path(), ignored);
            removed.insert(desktop);
        }
    }
    return removed;
}

std::string file_tail(const std::string& path, std::size_t bytes) {
    const process::Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat status{};
    if (!file.open() || ::fstat(file.get(), &status) != 0)
        return {};
    const std::size_t size = static_cast<std::size_t>(status.st_size);
    const std::size_t wanted = std::min(bytes, size);
    std::string text(wanted, '\0');
    std::size_t have = 0;
    while (have < wanted) {
        const ssize_t n = ::pread(file.get(), text.data() + have, wanted - have,
                                  static_cast<off_t>(size - wanted + have));
        if (n <= 0)
            break;
        have += static_cast<std::size_t>(n);
    }
    text.resize(have);
    return text;
}

std::string printable(std::string_view text) {
    enum class State { plain, escape, sequence } state = State::plain;
    std::string out;
    out.reserve(text.size());
    for (const char c : text) {
        switch (state) {
        case State::plain:
            if (c == '\x1b')
                state = State::escape;
            else if (c == '\n' || (c >= ' ' && c <= '~'))
                out += c;
            break;
        case State::escape:
            state = c == '[' ? State::sequence : State::plain;
            break;
        case State::sequence:
            // parameters and intermediates, then one final byte
            if (c >= '@' && c <= '~')
                state = State::plain;
            break;
        }
    }
    return out;
}

} // namespace baton::hypervisor
