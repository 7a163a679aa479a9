#pragma once

#include "desk/tree.h"
#include "player/policy.h"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

/// What a desk changed over its bases (`baton desk diff`). Pure.
namespace baton::player {

enum class How : std::uint8_t { added, changed, removed };

std::string_view to_string(How how);

struct Change {
    How how = How::added;
    std::string path; ///< as it is seen inside, "/usr/bin/tool"
    std::string kind; ///< "file", "folder", "link", "other"; empty when removed
    std::int64_t size_bytes = 0;
    bool operator==(const Change&) const = default;
};

/// One folder of cow/.
struct BaseChanges {
    std::string base;
    /// Looked at with the base at hand. Without it, what replaced a file of the base whole (a
    /// package manager does) counts as added.
    bool compared = false;
    std::vector<Change> changes;      ///< by path
    std::vector<desk::FolderSum> own; ///< folder: as seen inside, "/var"
    [[nodiscard]] std::size_t count(How how) const;
    [[nodiscard]] std::int64_t size_bytes() const; ///< of what was added and changed
};

struct Changes {
    std::vector<desk::FolderSum> forwarded; ///< folder: as seen inside, "/home"
    std::vector<BaseChanges> bases;
};

/// `at_hand`: the base that `is_there` can answer for (a path inside is a path there); may be
/// empty.
Changes changes_of(const desk::Tree& tree, const Policy& policy, const std::string& at_hand,
                   const std::function<bool(const std::string& path)>& is_there);

} // namespace baton::player
