#pragma once

#include "desk/header.h"
#include "model/error.h"
#include "process/run.h"

#include <string>
#include <vector>

namespace baton::desk {

struct CreateOrder {
    std::string path;  ///< of the new file; nothing may be there
    std::string owner; ///< the person's login name; their home is fwd/home/<owner>
    std::int64_t size_bytes = default_size.bytes();
    unsigned uid = 1000; ///< of the person inside desktops
    unsigned gid = 1000;
    std::string skeleton =
        "/etc/skel"; ///< what a new home begins with; empty or not there: nothing
};

/// The folders of a new desk, parents first, and whether they are the person's (else root's).
struct Folder {
    std::string path; ///< "fwd/home/kim"
    bool persons = false;
};

std::vector<Folder> layout(const std::string& owner);

/// mke2fs of the file system at its offset in `file`, filled with the folder `tree`.
process::Command make_file_system_command(const std::string& file, const DeskId& id,
                                          std::int64_t size_bytes, const std::string& tree);

/// Makes a new desk: a sparse file with header, ext4 and the folders of the layout. All at once or
/// not at all: written under another name, made durable, then named. Needs no privileges.
/// Errc::already_exists, Errc::full, Errc::invalid_argument.
Result<Header> create(const CreateOrder& order);

} // namespace baton::desk
