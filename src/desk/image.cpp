#include "desk/image.h"

#include "desk/encrypt.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

namespace baton::desk {

namespace {

/// QEMU's block/file-posix.c: a program holds a shared lock on byte 100+i for each permission i it
/// uses, and on 200+i for each that it lets nobody else use; then it looks whether somebody holds
/// the opposite.
constexpr off_t used_base = 100;
constexpr off_t unshared_base = 200;
constexpr unsigned permission_read = 1U << 0;   // consistent read
constexpr unsigned permission_write = 1U << 1;  // write
constexpr unsigned permission_resize = 1U << 3; // resize
constexpr unsigned permissions_all = 0x0f;

struct Permissions {
    unsigned used = 0;
    unsigned unshared = 0;
};

Permissions permissions_of(Access access) {
    if (access == Access::write)
        return {permissions_all, permissions_all};
    return {permission_read, permission_write | permission_resize};
}

struct flock byte_lock(short type, off_t byte) {
    struct flock lock{};
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    lock.l_start = byte;
    lock.l_len = 1;
    return lock;
}

Result<void> lock_bytes(int fd, off_t base, unsigned bits, const std::string& path) {
    for (unsigned i = 0; i < 4; ++i) {
        if ((bits >> i & 1U) == 0)
            continue;
        auto lock = byte_lock(F_RDLCK, base + static_cast<off_t>(i));
        if (::fcntl(fd, F_OFD_SETLK, &lock) == 0)
            continue;
        if (errno == EAGAIN || errno == EACCES)
            return fail(Errc::busy, "the desk image " + path + " is locked by another program",
                        "end that program first");
        return fail(Errc::unsupported,
                    "the desk image " + path + " lies on a file system that cannot lock it",
                    "keep desks on a local file system", errno);
    }
    return {};
}

/// Whether nobody holds `bits` over `base`.
Result<void> look_for_others(int fd, off_t base, unsigned bits, const std::string& path) {
    for (unsigned i = 0; i < 4; ++i) {
        if ((bits >> i & 1U) == 0)
            continue;
        auto lock = byte_lock(F_WRLCK, base + static_cast<off_t>(i));
        if (::fcntl(fd, F_OFD_GETLK, &lock) != 0)
            return fail_errno(errno, "cannot look who has the desk image " + path + " open");
        if (lock.l_type != F_UNLCK)
            return fail(Errc::busy, "the desk image " + path + " is in use by another program",
                        "close its session, or wait until its desktop or player has let go of it");
    }
    return {};
}

Result<void> write_all(int fd, std::span<const std::uint8_t> bytes, std::int64_t offset,
                       const std::string& path) {
    while (!bytes.empty()) {
        const ssize_t n = ::pwrite(fd, bytes.data(), bytes.size(), offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return fail_errno(n < 0 ? errno : ENOSPC,
                              "cannot write the header of the desk image " + path,
                              "see that there is space left and that it may be written");
        bytes = bytes.subspan(static_cast<std::size_t>(n));
        offset += n;
    }
    if (::fdatasync(fd) != 0)
        return fail_errno(errno, "cannot make the header of the desk image " + path + " durable");
    return {};
}

/// As much as there is, up to bytes.size().
Result<std::size_t> read_at(int fd, std::span<std::uint8_t> bytes, std::int64_t offset,
                            const std::string& path) {
    std::size_t done = 0;
    while (done < bytes.size()) {
        const ssize_t n = ::pread(fd, bytes.data() + done, bytes.size() - done,
                                  offset + static_cast<std::int64_t>(done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_errno(errno, "cannot read the desk image " + path);
        if (n == 0)
            break;
        done += static_cast<std::size_t>(n);
    }
    return done;
}

Result<ParsedHeader> read_header(int fd, const std::string& path) {
    std::array<Slot, 2> slots{};
    std::array<std::size_t, 2> lengths{};
    for (std::size_t i = 0; i < slots.size(); ++i) {
        auto length = read_at(fd, slots[i], slot_offsets[i], path);
        if (!length)
            return tl::unexpected(length.error());
        lengths[i] = *length;
    }
    auto parsed =
        parse_header(std::span(slots[0]).first(lengths[0]), std::span(slots[1]).first(lengths[1]));
    if (!parsed)
        return tl::unexpected(parsed.error().in("the desk image " + path));
    for (auto& warning : parsed->warnings)
        warning.insert(0, path + ": ");
    return parsed;
}

Result<void> check_length(int fd, const Header& header, const std::string& path) {
    struct stat status{};
    if (::fstat(fd, &status) != 0)
        return fail_errno(errno, "cannot read the size of the desk image " + path);
    const std::int64_t wanted = data_offset + header.size_bytes;
    if (status.st_size < wanted)
        return fail(Errc::corrupt,
                    "the desk image " + path + " is cut short: " + std::to_string(status.st_size) +
                        " of " + std::to_string(wanted) + " bytes are there",
                    "copy it again from where it came, or take it from a backup");
    return {};
}

/// Whether the name still is this file's: whoever replaced it while the lock was waited for would
/// leave us with a file that nobody finds again.
Result<void> still_named(const struct stat& opened, const std::string& path) {
    struct stat now{};
    if (::stat(path.c_str(), &now) == 0 && now.st_dev == opened.st_dev &&
        now.st_ino == opened.st_ino)
        return {};
    return fail(Errc::busy, "the desk image " + path + " was replaced at this moment", "try again");
}

/// Breaks off a blocking call of this thread by SIGALRM when the time is over.
class WaitLimit {
  public:
    explicit WaitLimit(std::chrono::milliseconds deadline) {
        struct sigaction wake{};
        wake.sa_handler = [](int) {};
        ::sigaction(SIGALRM, &wake, &before_);
        sigset_t alarm;
        sigemptyset(&alarm);
        sigaddset(&alarm, SIGALRM);
        ::pthread_sigmask(SIG_UNBLOCK, &alarm, &mask_);
        // again and again: the first may come just before the call that it is to break off
        const itimerval timer{{0, 100'000},
                              {deadline.count() / 1000, deadline.count() % 1000 * 1000 + 1}};
        ::setitimer(ITIMER_REAL, &timer, nullptr);
    }

    ~WaitLimit() {
        const itimerval none{};
        ::setitimer(ITIMER_REAL, &none, nullptr);
        ::pthread_sigmask(SIG_SETMASK, &mask_, nullptr);
        ::sigaction(SIGALRM, &before_, nullptr);
    }

    WaitLimit(const WaitLimit&) = delete;
    WaitLimit& operator=(const WaitLimit&) = delete;

  private:
    struct sigaction before_{};
    sigset_t mask_{};
};

} // namespace

Result<void> lock_image(int fd, Access access, const std::string& path) {
    if (access == Access::look)
        return {};
    const auto permissions = permissions_of(access);
    BATON_TRY(lock_bytes(fd, used_base, permissions.used, path));
    BATON_TRY(lock_bytes(fd, unshared_base, permissions.unshared, path));
    BATON_TRY(look_for_others(fd, unshared_base, permissions.used, path));
    return look_for_others(fd, used_base, permissions.unshared, path);
}

Result<Image> Image::open(const std::string& path, Access access) {
    Image image;
    image.path_ = path;
    const int flags = access == Access::write ? O_RDWR : O_RDONLY;
    image.file_ = process::Descriptor(::open(path.c_str(), flags | O_CLOEXEC | O_NONBLOCK));
    if (!image.file_.open())
        return fail_errno(errno, "cannot open the desk image " + path);
    struct stat status{};
    if (::fstat(image.fd(), &status) != 0 || !S_ISREG(status.st_mode))
        return fail(Errc::invalid_argument, path + " is not a file");
    if (access == Access::write && (status.st_mode & 0222) == 0)
        return fail(Errc::refused, path + " is a copy that stays as it is: nobody may write to it",
                    "go back to it with: baton desk restore; or make one of your own: baton desk "
                    "export");
    BATON_TRY(lock_image(image.fd(), access, path));
    if (access != Access::look)
        BATON_TRY(still_named(status, path));
    auto parsed = read_header(image.fd(), path);
    if (!parsed && looks_encrypted(path))
        return fail(Errc::unsupported, "the desk image " + path + " is encrypted",
                    "open it with baton-play, which asks for its passphrase, or make an image of "
                    "it that is not: baton desk export --decrypt");
    if (!parsed)
        return tl::unexpected(parsed.error());
    image.parsed_ = std::move(*parsed);
    BATON_TRY(check_length(image.fd(), image.header(), path));
    return image;
}

Result<Image> Image::without_header(const std::string& path, Access access) {
    Image image;
    image.path_ = path;
    image.content_offset_ = 0;
    const int flags = access == Access::write ? O_RDWR : O_RDONLY;
    image.file_ = process::Descriptor(::open(path.c_str(), flags | O_CLOEXEC | O_NONBLOCK));
    struct stat status{};
    if (!image.file_.open() || ::fstat(image.fd(), &status) != 0)
        return fail_errno(errno, "cannot open the desk " + path);
    BATON_TRY(lock_image(image.fd(), access, path));
    auto& header = image.parsed_.header;
    header.size_bytes = status.st_size;
    const auto superblock = image.superblock();
    if (!superblock)
        return tl::unexpected(superblock.error());
    header.id = desk_id_from(superblock->uuid);
    return image;
}

Result<process::Descriptor> Image::another() const {
    const auto name = "/proc/self/fd/" + std::to_string(fd());
    const int flags = ::fcntl(fd(), F_GETFL);
    process::Descriptor file(::open(name.c_str(), (flags & O_ACCMODE) | O_CLOEXEC));
    if (!file.open())
        return fail_errno(errno, "cannot open the desk image " + path_ + " once more");
    return file;
}

Result<void> Image::wait_until_free(const process::Descriptor& file, const std::string& path,
                                    std::chrono::milliseconds deadline) {
    // everybody who has the image open, however, holds a shared lock on this byte
    auto lock = byte_lock(F_WRLCK, used_base);
    const WaitLimit limit(deadline);
    if (::fcntl(file.get(), F_OFD_SETLKW, &lock) == 0)
        return {};
    return fail(errno == EINTR ? Errc::timeout : Errc::io,
                "the desk image " + path + " is still in use", "see who has it open: lsof", errno);
}

Result<Image> Image::wait_for_others(process::Descriptor file, const std::string& path,
                                     Access access, std::chrono::milliseconds deadline) {
    BATON_TRY(wait_until_free(file, path, deadline));
    Image image;
    image.path_ = path;
    image.file_ = std::move(file);
    BATON_TRY(lock_image(image.fd(), access, path));
    auto parsed = read_header(image.fd(), path);
    if (!parsed)
        return tl::unexpected(parsed.error());
    image.parsed_ = std::move(*parsed);
    return image;
}

Result<std::int64_t> Image::allocated_bytes() const {
    struct stat status{};
    if (::fstat(fd(), &status) != 0)
        return fail_errno(errno, "cannot read the size of the desk image " + path_);
    return static_cast<std::int64_t>(status.st_blocks) * 512;
}

Result<void> Image::change(const Header& header) {
    if (content_offset_ == 0) {
        parsed_.header = header;
        return {};
    }
    auto writes = plan_change(parsed_, header);
    if (!writes)
        return tl::unexpected(writes.error().in("the desk image " + path_));
    for (const auto& write : *writes)
        BATON_TRY(write_all(fd(), write.bytes, write.offset, path_));
    parsed_ = ParsedHeader{header, parsed_.sequence + 1, 0, {}};
    return {};
}

Result<Superblock> Image::superblock() const {
    std::array<std::uint8_t, superblock_span> bytes{};
    auto length = read_at(fd(), bytes, content_offset_, path_);
    if (!length)
        return tl::unexpected(length.error());
    auto read = read_superblock(std::span(bytes).first(*length), header().size_bytes);
    if (!read)
        return tl::unexpected(read.error().in("the desk image " + path_ + " is damaged"));
    return read;
}

Result<void> Image::sync() {
    if (::fdatasync(fd()) != 0)
        return fail_errno(errno, "cannot make the desk image " + path_ + " durable",
                          "look at the disk: what was written last may be lost");
    return {};
}

Result<void> write_first_header(int fd, const Header& header, const std::string& path) {
    auto writes = plan_change(std::nullopt, header);
    if (!writes)
        return tl::unexpected(writes.error().in("the desk image " + path));
    for (const auto& write : *writes)
        BATON_TRY(write_all(fd, write.bytes, write.offset, path));
    return {};
}

Result<void> sync_folder_of(const std::string& path) {
    auto folder = std::filesystem::path(path).parent_path().string();
    if (folder.empty())
        folder = ".";
    const process::Descriptor fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd.open() || ::fsync(fd.get()) != 0)
        return fail_errno(errno, "cannot make the folder " + folder + " durable");
    return {};
}

WallTime wall_now() {
    return std::chrono::time_point_cast<std::chrono::milliseconds>(
        std::chrono::system_clock::now());
}

Result<DeskId> new_desk_id() {
    std::array<std::uint8_t, 16> random{};
    if (::getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size()))
        return fail_errno(errno, "the system gives no random numbers");
    return desk_id_from(random);
}

} // namespace baton::desk
