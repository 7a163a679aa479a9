#include "desk/new_file.h"

#include "desk/image.h"

#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <unistd.h>
#include <utility>

namespace baton::desk {

namespace fs = std::filesystem;

Result<NewFile> NewFile::create(const std::string& path, std::int64_t bytes) {
    std::error_code error;
    const fs::path target(path);
    if (target.filename().empty())
        return fail(Errc::invalid_argument, "'" + path + "' is no name for a file");
    if (fs::exists(fs::symlink_status(target, error)))
        return fail(Errc::already_exists, path + " is there already",
                    "choose another name, or remove it first");
    auto random = new_desk_id();
    if (!random)
        return tl::unexpected(random.error());
    NewFile file;
    file.path_ = path;
    const auto working = target.parent_path() / ("." + random->value + ".new");
    file.file_ =
        process::Descriptor(::open(working.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!file.file_.open())
        return fail_errno(errno, "cannot make the file " + path);
    file.working_ = working.string();
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

} // namespace baton::desk
