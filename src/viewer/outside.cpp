#include "viewer/outside.h"

#include <algorithm>
#include <ctime>
#include <fcntl.h>
#include <fstream>
#include <unistd.h>

namespace baton::viewer {

std::optional<std::string> MessageFile::look() {
    if (path_.empty())
        return std::nullopt;
    std::error_code missing;
    const auto now = std::filesystem::last_write_time(path_, missing);
    if (missing || now == seen_)
        return std::nullopt;
    seen_ = now;
    std::string text(longest, '\0');
    std::ifstream file(path_);
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(file.gcount()));
    text.resize(std::min(text.find('\n'), text.size()));
    std::erase_if(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
    return text;
}

void PhaseReport::tell(std::string_view phase) const {
    if (path_.empty())
        return;
    timespec since{};
    ::clock_gettime(CLOCK_BOOTTIME, &since);
    const auto ms = static_cast<long long>(since.tv_sec) * 1000 + since.tv_nsec / 1'000'000;
    const std::string line = std::string(phase) + " " + std::to_string(ms) + "\n";
    const int fd = ::open(path_.c_str(), O_WRONLY | O_APPEND | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return;
    // a report that is lost is a figure that is missing, and nothing else
    [[maybe_unused]] const auto written = ::write(fd, line.data(), line.size());
    ::close(fd);
}

} // namespace baton::viewer
