#include "hypervisor/qemu_process.h"

#include <fmt/format.h>

#include <cerrno>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sys/resource.h>

namespace baton::hypervisor {

namespace fs = std::filesystem;

pid_t find_qemu(const std::string& uuid) {
    // libvirt's command line for QEMU has "-uuid" and the domain's UUID as two of its words
    const std::string wanted = std::string("-uuid") + '\0' + uuid + '\0';
    std::error_code error;
    for (const fs::directory_entry& entry : fs::directory_iterator("/proc", error)) {
        const std::string name = entry.path().filename();
        pid_t pid = 0;
        const auto parsed = std::from_chars(name.data(), name.data() + name.size(), pid);
        if (parsed.ec != std::errc{} || parsed.ptr != name.data() + name.size())
            continue;
        std::ifstream file(entry.path() / "cmdline", std::ios::binary);
        const std::string words((std::istreambuf_iterator<char>(file)), {});
        if (words.find(wanted) != std::string::npos)
            return pid;
    }
    return 0;
}

Result<void> limit_file_size(pid_t process, std::int64_t bytes) {
    const rlimit limit{static_cast<rlim_t>(bytes), static_cast<rlim_t>(bytes)};
    if (::prlimit(process, RLIMIT_FSIZE, &limit, nullptr) != 0)
        return fail_errno(errno,
                          fmt::format("cannot limit what QEMU (process {}) writes", process));
    return {};
}

} // namespace baton::hypervisor
