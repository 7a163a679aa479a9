#pragma once

#include "desk/image.h"
#include "model/error.h"

#include <chrono>
#include <string>
#include <vector>

namespace baton::desk {

enum class Verdict : std::uint8_t {
    clean,     ///< header and file system are in order
    unsettled, ///< was not let go of in order; its journal makes it whole at the next use
    repaired,  ///< was damaged, and is in order now
    damaged,   ///< do not use
};

std::string_view to_string(Verdict verdict);

struct CheckReport {
    Verdict verdict = Verdict::damaged;
    std::vector<std::string> findings; ///< for a person, in the order they were made
    Header header;
    Superblock superblock;
};

struct CheckOrder {
    bool repair = false; ///< replay the journal and let e2fsck mend what it can
    bool mark = false;   ///< write the verdict into the header, so that a damaged desk is refused
    std::chrono::milliseconds deadline{600'000};
};

/// Looks at header, length and file system (e2fsck in a sandbox; nothing is mounted). With repair
/// the image is written, the damaged copy of a header too; it implies mark. A damaged file system
/// is a report, not an error. Errc::busy: in use; Errc::corrupt: the header itself is destroyed or
/// the file is cut short.
Result<CheckReport> check(const std::string& path, const CheckOrder& order);

/// The same for an image that the caller holds open (Access::write for a repair or a mark): nobody
/// else gets at it between the check and what the caller does next.
Result<CheckReport> check(Image& image, const CheckOrder& order);

/// e2fsck's command in the sandbox. Pass 0: only look; 1: what is safe; 2: whatever it takes;
/// 3: the same, from the first copy of the superblock.
std::vector<std::string> check_words(int pass, std::int64_t content_offset = data_offset);

struct ListedFile {
    std::string name;
    std::string kind; ///< "file", "folder", "link", "other"
    unsigned mode = 0;
    unsigned uid = 0;
    unsigned gid = 0;
    std::int64_t size_bytes = 0;
    bool operator==(const ListedFile&) const = default;
};

/// A folder of the desk by debugfs in the sandbox: "/fwd/home/kim". Control characters in names
/// become '?'. Errc::not_found, Errc::busy.
Result<std::vector<ListedFile>> list_files(const std::string& path, const std::string& folder);

/// The same of an image that is held already.
Result<std::vector<ListedFile>> list_files(const Image& image, const std::string& folder);

/// The lines of debugfs's `ls -p`. Pure.
std::vector<ListedFile> parse_listing(std::string_view text);

} // namespace baton::desk
