#include "osimage/files.h"

#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace baton::osimage {

namespace {

std::string folder_of(const std::string& path) {
    auto parent = std::filesystem::path(path).parent_path().string();
    return parent.empty() ? "." : parent;
}

Result<void> write_all(int fd, std::string_view text, const std::string& path) {
    while (!text.empty()) {
        const ssize_t n = ::write(fd, text.data(), text.size());
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_errno(errno, "cannot write " + path);
        text.remove_prefix(static_cast<std::size_t>(n));
    }
    return {};
}

} // namespace

OpenFile::~OpenFile() {
    if (fd_ >= 0)
        ::close(fd_);
}

Result<OpenFile> open_file(const std::string& path, int flags, mode_t mode) {
    const int fd = ::open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0)
        return fail_errno(errno, "cannot open " + path);
    return OpenFile(fd);
}

Result<std::string> read_file(const std::string& path, std::size_t limit) {
    auto file = open_file(path, O_RDONLY);
    if (!file)
        return tl::unexpected(file.error());
    std::string text(limit + 1, '\0');
    std::size_t got = 0;
    while (got < text.size()) {
        const ssize_t n = ::read(file->get(), text.data() + got, text.size() - got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_errno(errno, "cannot read " + path);
        if (n == 0)
            break;
        got += static_cast<std::size_t>(n);
    }
    if (got > limit)
        return fail(Errc::corrupt, path + " is longer than " + std::to_string(limit) + " bytes");
    text.resize(got);
    return text;
}

Result<void> write_file(const std::string& path, std::string_view text, mode_t mode) {
    const auto fresh = path + ".new";
    ::unlink(fresh.c_str());
    const auto written = [&]() -> Result<void> {
        auto file = open_file(fresh, O_WRONLY | O_CREAT | O_EXCL, 0600);
        if (!file)
            return tl::unexpected(file.error());
        BATON_TRY(write_all(file->get(), text, fresh));
        if (::fchmod(file->get(), mode) != 0 || ::fsync(file->get()) != 0)
            return fail_errno(errno, "cannot finish " + fresh);
        if (::rename(fresh.c_str(), path.c_str()) != 0)
            return fail_errno(errno, "cannot put " + path + " into its place");
        return sync_path(folder_of(path));
    }();
    if (!written)
        ::unlink(fresh.c_str());
    return written;
}

Result<void> sync_path(const std::string& path) {
    auto file = open_file(path, O_RDONLY);
    if (!file)
        return tl::unexpected(file.error());
    if (::fsync(file->get()) != 0)
        return fail_errno(errno, "cannot write " + path + " to the disk");
    return {};
}

Result<void> make_folder(const std::string& path) {
    std::error_code wrong;
    std::filesystem::create_directories(path, wrong);
    if (wrong)
        return fail_errno(wrong.value(), "cannot make the folder " + path);
    return {};
}

Result<void> remove_tree(const std::string& path) {
    std::error_code wrong;
    std::filesystem::remove_all(path, wrong);
    if (wrong)
        return fail_errno(wrong.value(), "cannot remove " + path);
    return {};
}

Result<std::optional<OpenFile>> try_lock(const std::string& path, LockKind kind) {
    auto file = open_file(path, O_RDONLY);
    if (!file)
        return tl::unexpected(file.error());
    const int operation = (kind == LockKind::shared ? LOCK_SH : LOCK_EX) | LOCK_NB;
    if (::flock(file->get(), operation) == 0)
        return std::optional<OpenFile>(std::move(*file));
    if (errno == EWOULDBLOCK)
        return std::optional<OpenFile>();
    return fail_errno(errno, "cannot lock " + path);
}

Result<OpenFile> wait_lock(const std::string& path, const std::function<void()>& waiting) {
    bool told = false;
    while (true) {
        auto file = open_file(path, O_RDONLY | O_CREAT, 0644);
        if (!file)
            return tl::unexpected(file.error());
        if (::flock(file->get(), LOCK_EX | LOCK_NB) != 0) {
            if (waiting && !std::exchange(told, true))
                waiting();
            while (::flock(file->get(), LOCK_EX) != 0)
                if (errno != EINTR)
                    return fail_errno(errno, "cannot lock " + path);
        }
        // whoever had it may have removed the file: then this is a lock on nothing
        struct stat locked{};
        struct stat there{};
        if (::fstat(file->get(), &locked) == 0 && ::stat(path.c_str(), &there) == 0 &&
            locked.st_ino == there.st_ino && locked.st_dev == there.st_dev)
            return file;
    }
}

} // namespace baton::osimage
