#include "player/masks.h"

#include "player/mounts.h"

#include <algorithm>
#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <memory>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include <unordered_map>
#include <unordered_set>

namespace baton::player {

namespace {

class Masker {
  public:
    Masker(int layer, const std::string& at, const Masks& masks) : layer_(layer) {
        for (const auto& path : masks.paths) {
            if (!path.starts_with(at + "/"))
                continue;
            const auto slash = path.rfind('/');
            if (path.find('*') == std::string::npos)
                names_.insert(path);
            else
                patterns_[path.substr(0, slash)].push_back(path.substr(slash + 1));
        }
        // one folder inside such a path counts as well as the path itself
        unreadable_ =
            std::any_of(masks.unreadable.begin(), masks.unreadable.end(), [&](const auto& folder) {
                return at == folder || at.starts_with(folder + "/");
            });
        at_ = at;
    }

    Result<void> walk(int folder, const std::string& relative) {
        const int own = ::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        const std::unique_ptr<DIR, int (*)(DIR*)> entries(own < 0 ? nullptr : ::fdopendir(own),
                                                          ::closedir);
        if (!entries)
            return fail_errno(errno, "cannot read the folder " + at_ + "/" + relative);
        while (const auto* entry = ::readdir(entries.get())) { // NOLINT(concurrency-mt-unsafe)
            const std::string name = entry->d_name;
            // a link is seen unless it is named: what it points at is looked at where it is
            const bool plain_link = entry->d_type == DT_LNK &&
                                    !named(relative.empty() ? at_ : at_ + "/" + relative, name);
            if (name != "." && name != ".." && !plain_link)
                BATON_TRY(look(folder, relative, name));
        }
        return {};
    }

    [[nodiscard]] std::size_t count() const { return count_; }

    [[nodiscard]] bool idle() const { return !unreadable_ && names_.empty() && patterns_.empty(); }

  private:
    [[nodiscard]] bool named(const std::string& parent, const std::string& name) const {
        if (names_.contains(parent + "/" + name))
            return true;
        const auto found = patterns_.find(parent);
        return found != patterns_.end() &&
               std::any_of(found->second.begin(), found->second.end(), [&](const auto& pattern) {
                   return ::fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
               });
    }

    [[nodiscard]] bool hidden(const struct stat& status) const {
        if (S_ISLNK(status.st_mode))
            return false; // what it points at is looked at where it is
        if (S_ISDIR(status.st_mode))
            return unreadable_ && (status.st_mode & (S_IROTH | S_IXOTH)) != (S_IROTH | S_IXOTH);
        return !S_ISREG(status.st_mode) || (unreadable_ && (status.st_mode & S_IROTH) == 0);
    }

    Result<void> look(int folder, const std::string& relative, const std::string& name) {
        struct stat status{};
        if (::fstatat(folder, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
            return errno == ENOENT ? Result<void>{}
                                   : fail_errno(errno, "cannot look at " + at_ + "/" + relative);
        const auto path = relative.empty() ? name : relative + "/" + name;
        const auto parent = relative.empty() ? at_ : at_ + "/" + relative;
        if (named(parent, name) || hidden(status))
            return white_out(folder, relative, name);
        if (!S_ISDIR(status.st_mode))
            return {};
        const Descriptor inner(
            ::openat(folder, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        if (!inner.open())
            return white_out(folder, relative, name);
        return walk(inner.get(), path);
    }

    Result<void> white_out(int folder, const std::string& relative, const std::string& name) {
        BATON_TRY(make_parents(folder, relative));
        const auto path = relative.empty() ? name : relative + "/" + name;
        if (::mknodat(layer_, path.c_str(), S_IFCHR, ::makedev(0, 0)) != 0)
            return fail_errno(errno, "cannot mask " + at_ + "/" + path);
        ++count_;
        return {};
    }

    /// `folder` is the lower one of `relative`; its parents are reached through "..".
    Result<void> make_parents(int folder, const std::string& relative) {
        if (relative.empty() || made_.contains(relative))
            return {};
        const Descriptor above(::openat(folder, "..", O_PATH | O_DIRECTORY | O_CLOEXEC));
        const auto slash = relative.rfind('/');
        BATON_TRY(
            make_parents(above.get(), slash == std::string::npos ? "" : relative.substr(0, slash)));
        struct stat status{};
        if (::fstatat(folder, "", &status, AT_EMPTY_PATH) != 0 ||
            ::mkdirat(layer_, relative.c_str(), 0700) != 0 ||
            ::fchownat(layer_, relative.c_str(), status.st_uid, status.st_gid, 0) != 0 ||
            ::fchmodat(layer_, relative.c_str(), status.st_mode & 07777, 0) != 0)
            return fail_errno(errno, "cannot mask what is in " + at_ + "/" + relative);
        made_.insert(relative);
        return {};
    }

    int layer_;
    std::string at_;
    bool unreadable_ = false;
    std::unordered_set<std::string> names_;
    std::unordered_map<std::string, std::vector<std::string>> patterns_; ///< by folder
    std::unordered_set<std::string> made_;
    std::size_t count_ = 0;
};

} // namespace

Result<std::size_t> mask(int lower, int layer, const std::string& at, const Masks& masks) {
    Masker masker(layer, at, masks);
    if (masker.idle())
        return 0;
    BATON_TRY(masker.walk(lower, ""));
    return masker.count();
}

} // namespace baton::player
