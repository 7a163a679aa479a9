#include "programs/baton/building.h"

#include <fmt/format.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <signal.h>
#include <unistd.h>

namespace baton::cli {

namespace fs = std::filesystem;

int interruption() {
    static std::array<int, 2> ends{-1, -1};
    if (ends[0] < 0 && ::pipe(ends.data()) == 0) {
        struct sigaction action{};
        action.sa_handler = [](int) {
            [[maybe_unused]] const auto told = ::write(ends[1], "x", 1);
        };
        action.sa_flags = SA_RESTART;
        ::sigaction(SIGINT, &action, nullptr);
        ::sigaction(SIGTERM, &action, nullptr);
    }
    return ends[0];
}

ProgressLine::ProgressLine() : terminal_(::isatty(STDERR_FILENO) == 1) {}

ProgressLine::~ProgressLine() {
    if (drawn_)
        fmt::print(stderr, "\r\x1b[K");
}

void ProgressLine::show(int percent, const std::string& text) {
    if (!terminal_ || (percent == percent_ && text == text_))
        return;
    percent_ = percent;
    text_ = text;
    drawn_ = true;
    fmt::print(stderr, "\r\x1b[K{:3} %  {}", percent, text);
    std::fflush(stderr);
}

osimage::Progress ProgressLine::of_bytes(const std::string& what) {
    return [this, what](std::int64_t done, std::int64_t total) {
        show(total == 0 ? 100 : static_cast<int>(done * 100 / total), what);
    };
}

fs::path own_folder() {
    std::error_code wrong;
    return fs::read_symlink("/proc/self/exe", wrong).parent_path();
}

std::string shared_folder(const char* variable, const std::string& name) {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): nothing of ours changes the environment
    if (const char* given = std::getenv(variable); given != nullptr)
        return given;
    return (own_folder().parent_path() / "share/baton" / name).string();
}

std::string moment(const std::string& created) {
    return created.size() > 20 ? created.substr(0, 19) + "Z" : created;
}

} // namespace baton::cli
