#include "viewer_live_test/shown.h"

#include "process/run.h"

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <poll.h>
#include <stdexcept>
#include <unistd.h>
#include <utility>

namespace baton::viewer {

namespace {

std::string program() {
    return std::filesystem::path(BATON_PROGRAMS) / "baton-view";
}

std::string content_of(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::string> all_of(const std::vector<std::string>& words) {
    std::vector<std::string> all{program()};
    all.insert(all.end(), words.begin(), words.end());
    return all;
}

} // namespace

RunningQemu::RunningQemu(std::string address)
    : qemu_(rfb::start_program({"/usr/bin/qemu-system-x86_64", "-accel", "tcg", "-m", "16",
                                "-nodefaults", "-vga", "std", "-display", "none", "-vnc",
                                "unix:" + std::move(address), "-trace",
                                "vnc_key_event_ext,file=" + folder_.file("keys"), "-trace",
                                "vnc_key_event_map", "-D", folder_.file("keys")},
                               {})) {}

std::string RunningQemu::key_log() const {
    return content_of(folder_.file("keys"));
}

Shown::Shown(const rfb::ViewersScreen& screen, const std::vector<std::string>& words)
    : screen_(screen),
      child_(rfb::start_program(all_of(words),
                                {"HOME=" + home_.path().string(), "DISPLAY=" + screen.display(),
                                 "SDL_VIDEODRIVER=x11", "SDL_AUDIODRIVER=dummy"})) {}

void Shown::xdo(const std::vector<std::string>& words) const {
    process::Command command;
    command.words = {"xdotool"};
    command.words.insert(command.words.end(), words.begin(), words.end());
    command.environment = {"DISPLAY=" + screen_.display()};
    if (const auto done = process::run_checked(command, "xdotool"); !done)
        throw std::runtime_error(done.error().message());
}

int Shown::wait_for_end() {
    pollfd wait{child_.pidfd.get(), POLLIN, 0};
    if (::poll(&wait, 1, 20'000) != 1)
        return -1;
    return child_.wait();
}

std::string Shown::said() {
    std::array<char, 4096> some{};
    for (;;) {
        const ssize_t got = ::read(child_.error.get(), some.data(), some.size());
        if (got <= 0)
            return said_;
        said_.append(some.data(), static_cast<std::size_t>(got));
    }
}

void keep_shot(const rfb::ViewersScreen& screen, const std::string& name) {
    const char* folder = std::getenv("BATON_SHOTS"); // NOLINT(concurrency-mt-unsafe)
    if (folder == nullptr)
        return;
    (void)process::run({{"import", "-display", screen.display(), "-window", "root",
                         std::string(folder) + "/" + name + ".png"}});
}

} // namespace baton::viewer
