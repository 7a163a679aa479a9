#include "hypervisor/console_files.h"

#include <array>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

namespace baton::hypervisor {

namespace fs = std::filesystem;

namespace {

constexpr int pause_ms = 250;

} // namespace

ConsoleFiles::ConsoleFiles(const StateFiles& files)
    : folder_(files.consoles()),
      changes_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)),
      over_(::eventfd(0, EFD_CLOEXEC)) {
    ::inotify_add_watch(changes_.get(), folder_.c_str(), IN_MODIFY);
    thread_ = std::thread([this] { run(); });
}

ConsoleFiles::~ConsoleFiles() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t n = ::write(over_.get(), &one, sizeof one);
    thread_.join();
}

void ConsoleFiles::cut() const {
    std::error_code error;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder_, error)) {
        std::error_code gone;
        const auto size = static_cast<std::int64_t>(entry.file_size(gone));
        if (gone || size <= longest)
            continue;
        const std::string path = entry.path();
        std::ofstream(path + ".1", std::ios::binary) << file_tail(path, kept);
        // QEMU appends: its next write goes to the new end
        [[maybe_unused]] const int ignored = ::truncate(path.c_str(), 0);
    }
}

void ConsoleFiles::run() {
    while (true) {
        std::array<pollfd, 2> ends{{{over_.get(), POLLIN, 0}, {changes_.get(), POLLIN, 0}}};
        if (::poll(ends.data(), ends.size(), -1) < 0)
            continue;
        if (ends[0].revents != 0)
            return;
        std::array<char, 4096> events{};
        while (::read(changes_.get(), events.data(), events.size()) > 0) {
        }
        cut();
        // a guest that writes without end must not keep us as busy as itself
        if (::poll(ends.data(), 1, pause_ms) > 0)
            return;
    }
}

} // namespace baton::hypervisor
