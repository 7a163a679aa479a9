#include "desk/new_file.h"

#include "desk/image.h"

#include <cerrno>
#include <chrono>
#include <fcntl.h>
#include <filesystem>
#include <string_view>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace baton::desk {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view working_end = ".new";
/// One that is younger may not have been locked yet by who makes it.
constexpr std::chrono::minutes surely_locked{1};

/// What programs that were killed left in the folder: nobody holds it locked.
void remove_left_behind(const fs::path& folder) {
    std::error_code error;
    const auto now = fs::file_time_type::clock::now();
    for (fs::directory_iterator it(folder.empty() ? "." : folder, error), end; it != end && !error;
         it.increment(error)) {
        const auto name = it->path().filename().string();
        if (name.size() != 1 + 36 + working_end.size() || name[0] != '.' ||
            !name.ends_with(working_end) || !valid_desk_id(name.substr(1, 36)))
            continue;
        std::error_code unreadable;
        const auto written = it->last_write_time(unreadable);
        const process::Descriptor file(
            ::open(it->path().c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
        if (!unreadable && now - written > surely_locked && file.open() &&
            ::flock(file.get(), LOCK_EX | LOCK_NB) == 0)
            ::unlink(it->path().c_str());
    }
}

} // namespace

Result<NewFile> NewFile::create(const std::string& path, std::int64_t bytes) {
    std::error_code error;
    const fs::path target(path);
    if (target.filename().empty())
        return fail(Errc::invalid_argument, "'" + path + "' is no name for a file");
    if (fs::exists(fs::symlink_status(target, error)))
        return fail(Errc::already_exists, path + " is there already",
                    "choose another name, or remove it first");
    return make(path, bytes);
}

Result<NewFile> NewFile::instead_of(const std::string& path, std::int64_t bytes) {
    std::error_code error;
    const auto real = fs::canonical(path, error);
    if (error)
        return fail_errno(error.value(), "cannot open " + path);
    return make(real.string(), bytes);
}

Result<NewFile> NewFile::make(const std::string& path, std::int64_t bytes) {
    const fs::path target(path);
    remove_left_behind(target.parent_path());
    auto random = new_desk_id();
    if (!random)
        return tl::unexpected(random.error());
    NewFile file;
    file.path_ = path;
    const auto working = target.parent_path() / ("." + random->value + std::string(working_end));
    file.file_ =
        process::Descriptor(::open(working.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!file.file_.open())
        return fail_errno(errno, "cannot make the file " + path);
    file.working_ = working.string();
    ::flock(file.fd(), LOCK_EX | LOCK_NB);
    if (::ftruncate(file.fd(), bytes) != 0)
        return fail_errno(errno,
                          "cannot give " + path + " a size of " + std::to_string(bytes) + " bytes",
                          "the file system it lies on may not take files as large");
    return file;
}

NewFile::NewFile(NewFile&& other) noexcept
    : file_(std::move(other.file_)),
      path_(std::move(other.path_)),
      working_(std::exchange(other.working_, {})) {}

NewFile::~NewFile() {
    if (!working_.empty())
        ::unlink(working_.c_str());
}

Result<void> NewFile::commit() {
    if (::fsync(fd()) != 0)
        return fail_errno(errno, "cannot make " + path_ + " durable");
    if (::renameat2(AT_FDCWD, working_.c_str(), AT_FDCWD, path_.c_str(), RENAME_NOREPLACE) != 0)
        return fail_errno(errno, "cannot name the new file " + path_);
    working_.clear();
    return sync_folder_of(path_);
}

Result<void> NewFile::replace() {
    struct stat before{};
    if (::stat(path_.c_str(), &before) != 0)
        return fail_errno(errno, "cannot look at " + path_);
    // not everybody may give a file away, and not every file system has owners
    [[maybe_unused]] const int given = ::fchown(fd(), before.st_uid, before.st_gid);
    [[maybe_unused]] const int allowed = ::fchmod(fd(), before.st_mode & 07777);
    if (::fsync(fd()) != 0)
        return fail_errno(errno, "cannot make " + path_ + " durable");
    if (::rename(working_.c_str(), path_.c_str()) != 0)
        return fail_errno(errno, "cannot put the new " + path_ + " in the place of the old one");
    working_.clear();
    return sync_folder_of(path_);
}

} // namespace baton::desk
