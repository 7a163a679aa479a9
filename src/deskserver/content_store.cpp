#include "deskserver/content_store.h"

#include "desk/pack.h"
#include "net/digest.h"
#include "process/child.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

namespace baton::deskserver {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t id_bytes = 16;
constexpr std::chrono::hours longest_life{24};

bool valid_id(std::string_view id) {
    return id.size() == 2 * id_bytes && std::all_of(id.begin(), id.end(), [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
           });
}

/// A file that is gone with this.
struct Remover {
    std::string path;

    explicit Remover(std::string where) : path(std::move(where)) {}

    Remover(const Remover&) = delete;
    Remover& operator=(const Remover&) = delete;

    ~Remover() { ::unlink(path.c_str()); }
};

std::int64_t length_of(int fd) {
    struct stat status{};
    return ::fstat(fd, &status) == 0 ? status.st_size : 0;
}

} // namespace

Result<ContentStore> ContentStore::open(const std::string& folder) {
    std::error_code error;
    fs::remove_all(folder, error);
    fs::create_directories(folder, error);
    if (!error)
        fs::permissions(folder, fs::perms(0700), error);
    if (error)
        return fail_errno(error.value(), "cannot make the folder " + folder);
    return ContentStore(folder);
}

Result<Content> ContentStore::pack(DeskServer& server, const DeskName& name) {
    remove_old();
    Content content{net::random_hex(id_bytes), 0, {}};
    const auto to = folder_ + "/" + content.id;
    BATON_TRY(server.with_idle_file(name, [&](const std::string& image) -> Result<void> {
        auto packed = desk::pack(image, to);
        if (!packed)
            return tl::unexpected(packed.error());
        content.sha256 = packed->content_sha256;
        return {};
    }));
    std::error_code error;
    content.bytes = static_cast<std::int64_t>(fs::file_size(to, error));
    return content;
}

Result<Content> ContentStore::begin() {
    remove_old();
    Content content{net::random_hex(id_bytes), 0, {}};
    const auto path = folder_ + "/" + content.id;
    const process::Descriptor file(
        ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!file.open())
        return fail_errno(errno, "cannot make the file " + path);
    return content;
}

Result<Content> ContentStore::append(const std::string& id, std::int64_t offset,
                                     std::string_view bytes) {
    auto path = this->path(id);
    if (!path)
        return tl::unexpected(path.error());
    const process::Descriptor file(::open(path->c_str(), O_WRONLY | O_CLOEXEC));
    if (!file.open())
        return fail_errno(errno, "cannot open the content " + id);
    const auto length = length_of(file.get());
    if (offset < 0 || offset > length)
        return fail(Errc::conflict,
                    "the content " + id + " has " + std::to_string(length) + " bytes; a piece at " +
                        std::to_string(offset) + " would leave a gap",
                    "go on at its end");
    while (!bytes.empty()) {
        const ssize_t n = ::pwrite(file.get(), bytes.data(), bytes.size(), offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return fail_errno(n < 0 ? errno : ENOSPC, "cannot keep the content " + id);
        bytes.remove_prefix(static_cast<std::size_t>(n));
        offset += n;
    }
    return Content{id, length_of(file.get()), {}};
}

Result<DeskView> ContentStore::take_in(DeskServer& server, const DeskName& name,
                                       const std::string& id) {
    auto path = this->path(id);
    if (!path)
        return tl::unexpected(path.error());
    const auto image = *path + ".desk";

    const Remover unpacked(image);
    if (auto done = desk::unpack(*path, image); !done)
        return tl::unexpected(done.error());
    auto view = server.adopt_file(name, image);
    if (view)
        static_cast<void>(remove(id));
    return view;
}

Result<DeskView> ContentStore::bring_back(DeskServer& server, const DeskName& name,
                                          const std::string& id) {
    auto path = this->path(id);
    if (!path)
        return tl::unexpected(path.error());
    const auto header = desk::packed_header(*path);
    if (!header)
        return tl::unexpected(header.error());
    BATON_TRY(server.may_come_back(name, *header));
    const auto image = *path + ".desk";
    const Remover unpacked(image);
    const auto copied = desk::unpack(*path, image);
    if (!copied)
        return tl::unexpected(copied.error());
    auto view = server.check_in(name, image, copied->content_sha256);
    if (view)
        static_cast<void>(remove(id));
    return view;
}

Result<std::string> ContentStore::path(const std::string& id) const {
    auto path = folder_ + "/" + id;
    if (!valid_id(id) || ::access(path.c_str(), F_OK) != 0)
        return fail(Errc::not_found, "there is no such content",
                    "it is kept for a day only; begin again");
    return path;
}

Result<void> ContentStore::remove(const std::string& id) {
    auto path = this->path(id);
    if (path && ::unlink(path->c_str()) != 0)
        return fail_errno(errno, "cannot remove the content " + id);
    return {};
}

void ContentStore::remove_old() const {
    std::error_code error;
    const auto now = fs::file_time_type::clock::now();
    for (const auto& entry : fs::directory_iterator(folder_, error)) {
        const auto written = entry.last_write_time(error);
        if (!error && now - written > longest_life)
            fs::remove(entry.path(), error);
    }
}

} // namespace baton::deskserver
