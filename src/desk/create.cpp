#include "desk/create.h"

#include "desk/image.h"
#include "desk/new_file.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <string_view>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace baton::desk {

namespace {

constexpr const char* ext4_features =
    "none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,flex_bg,"
    "sparse_super,large_file,huge_file,dir_nlink,extra_isize,metadata_csum";

namespace fs = std::filesystem;

/// What an empty desk takes on the disk at least, with some air.
constexpr std::uint64_t room_needed = 16ULL * 1024 * 1024;

/// A folder that is gone with its owner.
class Scratch {
  public:
    explicit Scratch(std::string path) : path_(std::move(path)) {}

    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;

    ~Scratch() {
        std::error_code ignored;
        fs::remove_all(path_, ignored);
    }

    [[nodiscard]] const std::string& path() const { return path_; }

  private:
    std::string path_;
};

struct Entry {
    std::string path; ///< in the desk, "fwd/home/kim/.profile"
    bool persons = false;
};

bool speakable(const std::string& name) {
    return std::none_of(name.begin(), name.end(), [](char c) {
        return c == '"' || c == '\\' || static_cast<unsigned char>(c) < ' ' || c == 0x7f;
    });
}

/// Copies the skeleton of a home: files, folders and symbolic links, nothing else.
Result<std::vector<Entry>> copy_skeleton(const std::string& from, const fs::path& to,
                                         const std::string& inside) {
    std::vector<Entry> entries;
    std::error_code error;
    if (from.empty() || !fs::is_directory(from, error))
        return entries;
    for (fs::recursive_directory_iterator it(from, error), end; it != end && !error;
         it.increment(error)) {
        const auto relative = it->path().lexically_relative(from);
        if (!speakable(relative.string()))
            return fail(Errc::invalid_argument,
                        "the skeleton " + from + " has a file whose name a desk cannot take",
                        "rename it: " + relative.string());
        const auto status = it->symlink_status(error);
        if (fs::is_directory(status))
            fs::create_directory(to / relative, it->path(), error);
        else if (fs::is_symlink(status))
            fs::copy_symlink(it->path(), to / relative, error);
        else if (fs::is_regular_file(status))
            fs::copy_file(it->path(), to / relative, error);
        else
            continue;
        if (error)
            break;
        entries.push_back({inside + "/" + relative.string(), true});
    }
    if (error)
        return fail_errno(error.value(), "cannot copy the skeleton " + from);
    return entries;
}

Result<std::vector<Entry>> build_tree(const CreateOrder& order, const std::string& tree) {
    std::vector<Entry> entries;
    std::error_code error;
    for (const auto& folder : layout(order.owner)) {
        fs::create_directory(fs::path(tree) / folder.path, error);
        if (error)
            return fail_errno(error.value(), "cannot make the folders of a new desk in " + tree);
        // what mke2fs copies; a person's umask must not decide how a desk looks
        fs::permissions(fs::path(tree) / folder.path, fs::perms(0755), error);
        entries.push_back({folder.path, folder.persons});
    }
    const std::string home = "fwd/home/" + order.owner;
    auto copied = copy_skeleton(order.skeleton, fs::path(tree) / home, home);
    if (!copied)
        return copied;
    fs::permissions(fs::path(tree) / home, fs::perms(0700), error);
    entries.insert(entries.end(), copied->begin(), copied->end());
    return entries;
}

/// mke2fs took over our own owner numbers; what belongs to whom is said by debugfs, so that no
/// privilege is needed.
process::Command give_owners_command(const std::string& file, const std::vector<Entry>& entries,
                                     unsigned uid, unsigned gid) {
    process::Command command;
    command.words = {"debugfs", "-w", "-f", "-", file + "?offset=" + std::to_string(data_offset)};
    for (const auto& entry : entries) {
        const auto line = [&](const char* field, unsigned id) {
            command.input += std::string("set_inode_field \"/") + entry.path + "\" " + field + " " +
                             std::to_string(entry.persons ? id : 0) + "\n";
        };
        line("uid", uid);
        line("gid", gid);
    }
    command.environment = {"DEBUGFS_PAGER=__none__"};
    return command;
}

/// debugfs ends with 0 whatever happens: everything it says on standard error but its banner is a
/// failure.
Result<void> give_owners(const process::Command& command) {
    auto finished = process::run_checked(command, "preparing the new desk");
    if (!finished)
        return tl::unexpected(finished.error());
    std::string_view said = finished->error;
    if (said.starts_with("debugfs 1."))
        said.remove_prefix(std::min(said.size(), said.find('\n') + 1));
    if (!said.empty())
        return fail(Errc::io, "preparing the new desk: " + process::last_line(said));
    return {};
}

Result<void> check_space(const CreateOrder& order) {
    auto folder = fs::path(order.path).parent_path().string();
    if (folder.empty())
        folder = ".";
    struct statvfs space{};
    if (::statvfs(folder.c_str(), &space) != 0)
        return fail_errno(errno, "cannot make a desk in the folder " + folder);
    if (static_cast<std::uint64_t>(space.f_bavail) * space.f_frsize < room_needed)
        return fail(Errc::full, "no space is left in " + folder + " for a new desk",
                    "a new desk takes some 5 MiB and grows with its use; make room first");
    return {};
}

} // namespace

std::vector<Folder> layout(const std::string& owner) {
    return {
        {"fwd", false},
        {"fwd/home", false},
        {"fwd/opt", true},
        {"fwd/usrlocal", true},
        {"fwd/srv", true},
        {"fwd/usrlocal/bin", true},
        {"fwd/usrlocal/etc", true},
        {"fwd/usrlocal/games", true},
        {"fwd/usrlocal/include", true},
        {"fwd/usrlocal/lib", true},
        {"fwd/usrlocal/sbin", true},
        {"fwd/usrlocal/share", true},
        {"fwd/usrlocal/src", true},
        {"cow", false},
        {"fwd/home/" + owner, true},
    };
}

process::Command make_file_system_command(const std::string& file, const DeskId& id,
                                          std::int64_t size_bytes, const std::string& tree) {
    process::Command command;
    // every feature by name, and no configuration file: the machine that makes a desk must not
    // decide whether an older guest can read it
    command.words = {"mke2fs",
                     "-q",
                     "-F",
                     "-t",
                     "ext4",
                     "-b",
                     "4096",
                     "-I",
                     "256",
                     "-i",
                     "16384",
                     "-m",
                     "0",
                     "-J",
                     size_bytes < Mebibytes(512).bytes() ? "size=4" : "size=64",
                     "-O",
                     ext4_features,
                     "-U",
                     id.value,
                     "-L",
                     "baton-desk",
                     "-E",
                     "offset=" + std::to_string(data_offset) +
                         ",root_owner=0:0,nodiscard,assume_storage_prezeroed=1",
                     "-d",
                     tree,
                     file,
                     std::to_string(size_bytes / 1024) + "k"};
    command.environment = {"MKE2FS_CONFIG=/dev/null"};
    return command;
}

Result<Header> create(const CreateOrder& order) {
    BATON_TRY(check_size(order.size_bytes));
    BATON_TRY(check_name("owner", order.owner));
    BATON_TRY(check_space(order));
    auto id = new_desk_id();
    if (!id)
        return tl::unexpected(id.error());
    Header header;
    header.id = *id;
    header.owner = order.owner;
    header.created = wall_now();
    header.size_bytes = order.size_bytes;

    std::string tree_name = (fs::temp_directory_path() / "baton-desk-XXXXXX").string();
    if (::mkdtemp(tree_name.data()) == nullptr)
        return fail_errno(errno, "cannot make a folder in " + fs::temp_directory_path().string());
    const Scratch tree(tree_name);
    auto entries = build_tree(order, tree.path());
    if (!entries)
        return tl::unexpected(entries.error());

    auto file = NewFile::create(order.path, data_offset + order.size_bytes);
    if (!file)
        return tl::unexpected(file.error());
    const auto command =
        make_file_system_command(file->working_path(), header.id, order.size_bytes, tree.path());
    if (auto made = process::run_checked(command, "making the file system of the new desk");
        !made) {
        Error error = made.error();
        if (error.what.find("No space left") != std::string::npos)
            error.code = Errc::full;
        return tl::unexpected(error);
    }
    BATON_TRY(
        give_owners(give_owners_command(file->working_path(), *entries, order.uid, order.gid)));
    BATON_TRY(write_first_header(file->fd(), header, order.path));
    BATON_TRY(file->commit());
    return header;
}

} // namespace baton::desk
