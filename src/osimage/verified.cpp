#include "osimage/verified.h"

#include "osimage/files.h"

#include <cerrno>
#include <sys/stat.h>
#include <unistd.h>

namespace baton::osimage {

namespace {

constexpr std::size_t longest_record = 16'384;

std::string moment(const timespec& time) {
    return std::to_string(time.tv_sec) + "." + std::to_string(time.tv_nsec);
}

/// Changes with every boot: after one, everything is verified again.
std::string boot_id() {
    auto text = read_file("/proc/sys/kernel/random/boot_id", 100);
    return text ? *text : std::string();
}

} // namespace

Result<std::string> fingerprint(const std::string& folder, const Manifest& manifest) {
    std::string print;
    for (const auto& file : manifest.files) {
        const auto path = folder + "/" + file.name;
        const std::string of = file.name + " of the OS image " + manifest.id.value;
        struct stat is{};
        if (::lstat(path.c_str(), &is) != 0) {
            if (errno == ENOENT)
                return fail(Errc::corrupt, of + " is missing",
                            "build or import the image again, or copy " + path +
                                " back from where it is whole");
            return fail_errno(errno, "cannot look at " + path);
        }
        if (!S_ISREG(is.st_mode))
            return fail(Errc::corrupt, of + " is not a plain file");
        if ((is.st_mode & 07777U) != 0444U)
            return fail(Errc::corrupt, of + " could have been written to: its mode is not 0444",
                        "verify it, then: chmod 0444 " + path);
        if (is.st_size != file.size_bytes)
            return fail(Errc::corrupt,
                        of + " is " + std::to_string(is.st_size) + " bytes long instead of " +
                            std::to_string(file.size_bytes),
                        "build or import the image again");
        print += file.name + " " + file.sha256 + " " + std::to_string(is.st_dev) + ":" +
                 std::to_string(is.st_ino) + " " + std::to_string(is.st_size) + " " +
                 moment(is.st_mtim) + " " + moment(is.st_ctim) + "\n";
    }
    return print;
}

bool was_verified(const std::string& record, const std::string& print) {
    struct stat is{};
    // anybody else's record is not believed
    if (::lstat(record.c_str(), &is) != 0 || !S_ISREG(is.st_mode) || is.st_uid != ::geteuid())
        return false;
    const auto boot = boot_id();
    const auto text = read_file(record, longest_record);
    return text && !boot.empty() && *text == boot + print;
}

void remember_verified(const std::string& record, const std::string& print) {
    (void)write_file(record, boot_id() + print, 0600);
}

} // namespace baton::osimage
