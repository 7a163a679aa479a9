#include "deskreader/walk.h"

#include <cstring>
#include <exception>
#include <memory>
#include <optional>
#include <set>
#include <sys/stat.h>
#include <vector>

// it does not say itself that it is C
extern "C" {
#include <com_err.h>
}

// its macros are C that the house's warnings do not take
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wold-style-cast"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wconversion"
#include <ext2fs/ext2fs.h>
#pragma GCC diagnostic pop

namespace baton::deskreader {

namespace {

constexpr std::size_t deepest = 512;
constexpr const char* origin = "user.overlay.origin";
constexpr const char* opaque = "user.overlay.opaque";

struct Failure {
    Error error;
};

[[noreturn]] void broken(const std::string& what, errcode_t code) {
    throw Failure{Error{Errc::corrupt, what + ": " + ::error_message(code), "", 0}};
}

/// Names are bytes; what no terminal should see, and what is no text, becomes '?'.
std::string text_of(const char* name, std::size_t length) {
    std::string text(name, length);
    for (char& c : text)
        if (static_cast<unsigned char>(c) < ' ' || static_cast<unsigned char>(c) >= 0x7f)
            c = '?';
    return text;
}

struct Name {
    std::string text;
    ext2_ino_t inode = 0;
};

class Walker {
  public:
    Walker(ext2_filsys files, std::int64_t most, const Sink& sink)
        : files_(files), left_(most), sink_(sink) {}

    void run();

  private:
    std::vector<Name> names(ext2_ino_t folder);
    std::optional<ext2_ino_t> child(ext2_ino_t folder, const std::string& name);
    ext2_inode inode(ext2_ino_t number);
    bool has(ext2_ino_t number, const char* attribute);
    void base(ext2_ino_t folder, const std::string& name);
    void layer(ext2_ino_t folder, const std::string& name);
    void layer_folder(ext2_ino_t folder, const std::string& layer, const std::string& path,
                      std::size_t depth);
    void sum(ext2_ino_t folder, const std::string& name);
    void sum_folder(ext2_ino_t folder, Sum& sum, std::size_t depth);

    /// A hostile file system may have folders in a circle.
    bool first_time(ext2_ino_t number) { return seen_.insert(number).second; }

    ext2_filsys files_;
    std::int64_t left_;
    const Sink& sink_;
    std::set<ext2_ino_t> seen_;
};

std::vector<Name> Walker::names(ext2_ino_t folder) {
    struct Found {
        std::vector<Name> names;
        std::int64_t* left;
    } found{{}, &left_};

    const auto note = [](ext2_ino_t, int, ext2_dir_entry* entry, int, int, char*, void* data) {
        auto& into = *static_cast<Found*>(data);
        const auto length = static_cast<std::size_t>(::ext2fs_dirent_name_len(entry));
        auto name = text_of(entry->name, length);
        if (entry->inode == 0 || name == "." || name == ".." || name.empty())
            return 0;
        if (--*into.left < 0)
            return int{DIRENT_ABORT};
        into.names.push_back({std::move(name), entry->inode});
        return 0;
    };
    const auto code = ::ext2fs_dir_iterate2(files_, folder, 0, nullptr, note, &found);
    if (code != 0)
        broken("a folder cannot be read", code);
    if (left_ < 0)
        throw Failure{Error{Errc::refused, "it has more names than are looked at", "", 0}};
    return std::move(found.names);
}

std::optional<ext2_ino_t> Walker::child(ext2_ino_t folder, const std::string& name) {
    ext2_ino_t number = 0;
    const auto code = ::ext2fs_lookup(files_, folder, name.c_str(), static_cast<int>(name.size()),
                                      nullptr, &number);
    if (code == EXT2_ET_FILE_NOT_FOUND)
        return std::nullopt;
    if (code != 0)
        broken("the folder of " + name + " cannot be read", code);
    if (!S_ISDIR(inode(number).i_mode))
        return std::nullopt;
    return number;
}

ext2_inode Walker::inode(ext2_ino_t number) {
    ext2_inode result{};
    const auto code = ::ext2fs_read_inode(files_, number, &result);
    if (code != 0)
        broken("an inode cannot be read", code);
    return result;
}

bool Walker::has(ext2_ino_t number, const char* attribute) {
    ext2_xattr_handle* opened = nullptr;
    if (const auto code = ::ext2fs_xattrs_open(files_, number, &opened); code != 0)
        broken("attributes cannot be read", code);
    const std::unique_ptr<ext2_xattr_handle, void (*)(ext2_xattr_handle*)> handle(
        opened, [](ext2_xattr_handle* one) { ::ext2fs_xattrs_close(&one); });
    if (const auto code = ::ext2fs_xattrs_read(handle.get()); code != 0)
        broken("attributes cannot be read", code);
    void* value = nullptr;
    std::size_t length = 0;
    if (::ext2fs_xattr_get(handle.get(), attribute, &value, &length) != 0)
        return false;
    ::ext2fs_free_mem(static_cast<void*>(&value));
    return true;
}

void Walker::layer(ext2_ino_t folder, const std::string& name) {
    layer_folder(folder, name, "", 0);
}

void Walker::layer_folder(ext2_ino_t folder, const std::string& layer, const std::string& path,
                          std::size_t depth) {
    if (depth > deepest || !first_time(folder))
        throw Failure{Error{Errc::corrupt, "its folders go round in a circle", "", 0}};
    for (const auto& name : names(folder)) {
        const auto what = inode(name.inode);
        Entry entry;
        entry.layer = layer;
        entry.path = path.empty() ? name.text : path + "/" + name.text;
        entry.kind = S_ISREG(what.i_mode)   ? "file"
                     : S_ISDIR(what.i_mode) ? "folder"
                     : S_ISLNK(what.i_mode) ? "link"
                     : S_ISCHR(what.i_mode) ? "gone" // nobody inside can make any other device
                                            : "other";
        if (S_ISREG(what.i_mode))
            entry.size_bytes = static_cast<std::int64_t>(EXT2_I_SIZE(&what));
        if (!S_ISCHR(what.i_mode))
            entry.copied = has(name.inode, origin);
        if (S_ISDIR(what.i_mode))
            entry.covers = has(name.inode, opaque);
        sink_.entry(entry);
        if (S_ISDIR(what.i_mode))
            layer_folder(name.inode, layer, entry.path, depth + 1);
    }
}

void Walker::sum(ext2_ino_t folder, const std::string& name) {
    Sum result;
    result.folder = name;
    sum_folder(folder, result, 0);
    sink_.sum(result);
}

void Walker::sum_folder(ext2_ino_t folder, Sum& sum, std::size_t depth) {
    if (depth > deepest || !first_time(folder))
        throw Failure{Error{Errc::corrupt, "its folders go round in a circle", "", 0}};
    for (const auto& name : names(folder)) {
        const auto what = inode(name.inode);
        if (S_ISDIR(what.i_mode)) {
            sum_folder(name.inode, sum, depth + 1);
            continue;
        }
        ++sum.files;
        if (S_ISREG(what.i_mode) && (what.i_links_count < 2 || first_time(name.inode)))
            sum.size_bytes += static_cast<std::int64_t>(EXT2_I_SIZE(&what));
    }
}

/// docs/formats/desk-image.md: "usr" and "etc" are layers, "var" is a tree beside layers.
void Walker::base(ext2_ino_t folder, const std::string& name) {
    for (const auto& part : names(folder)) {
        const auto at = name + "/" + part.text;
        if (!S_ISDIR(inode(part.inode).i_mode))
            continue;
        if (const auto upper = child(part.inode, "upper"))
            layer(*upper, at);
        if (const auto tree = child(part.inode, "tree"))
            sum(*tree, at + "/tree");
        const auto over = child(part.inode, "over");
        for (const auto& one : over ? names(*over) : std::vector<Name>{})
            if (S_ISDIR(inode(one.inode).i_mode))
                if (const auto upper = child(one.inode, "upper"))
                    layer(*upper, at + "/over/" + one.text);
    }
}

void Walker::run() {
    if (const auto forwarded = child(EXT2_ROOT_INO, "fwd"))
        for (const auto& name : names(*forwarded))
            if (S_ISDIR(inode(name.inode).i_mode))
                sum(name.inode, "fwd/" + name.text);
    if (const auto bases = child(EXT2_ROOT_INO, "cow"))
        for (const auto& name : names(*bases))
            if (S_ISDIR(inode(name.inode).i_mode))
                base(name.inode, "cow/" + name.text);
}

} // namespace

Result<void> walk(const std::string& image, std::int64_t offset_bytes, std::int64_t most_entries,
                  const Sink& sink) {
    ::initialize_ext2_error_table();
    ext2_filsys opened = nullptr;
    const auto place = "offset=" + std::to_string(offset_bytes);
    const auto code = ::ext2fs_open2(image.c_str(), place.c_str(), EXT2_FLAG_64BITS, 0, 0,
                                     ::unix_io_manager, &opened);
    if (code != 0)
        return fail(Errc::corrupt,
                    std::string("the file system cannot be opened: ") + ::error_message(code));
    const std::unique_ptr<struct_ext2_filsys, void (*)(ext2_filsys)> files(
        opened, [](ext2_filsys one) { ::ext2fs_free(one); });
    try {
        Walker(files.get(), most_entries, sink).run();
    } catch (const Failure& failure) {
        return tl::unexpected(failure.error);
    }
    return {};
}

} // namespace baton::deskreader
