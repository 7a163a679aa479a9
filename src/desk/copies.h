#pragma once

#include "desk/header.h"
#include "desk/image.h"
#include "desk/pack.h"
#include "model/error.h"

#include <cstdint>
#include <string>
#include <vector>

/// Copies that belong to a desk: how it was at a moment (a snapshot), and the one that travels
/// while the desk stays at home (a check-out). Each comes into being all at once or not at all;
/// killed at any moment, a desk is as it was before or as it is afterwards.
///
/// All refuse with Errc::busy a desk that somebody uses, or whose lease somebody has not given
/// back. `image` is a path; links are followed.
namespace baton::desk {

struct Snapshot {
    std::string name;
    std::string path; ///< an image like any other, read-only
    WallTime made{};
    std::uint64_t generation = 0; ///< of the desk at that moment
    std::int64_t allocated_bytes = 0;
    bool shared = false; ///< take_snapshot alone: its blocks are the desk's own until one changes
};

/// Where they are kept: the folder "<image>.snapshots" beside the image.
std::string snapshot_folder(const std::string& image);

/// Keeps how the desk is now, by reflink where the file system can, else by a sparse copy. Errc::
/// already_exists, Errc::full, Errc::invalid_argument (check_name).
Result<Snapshot> take_snapshot(const std::string& image, const std::string& name);

/// Those of this desk, the oldest first. A file that is no snapshot of it is passed over.
Result<std::vector<Snapshot>> list_snapshots(const std::string& image);

/// Errc::not_found names those there are.
Result<void> remove_snapshot(const std::string& image, const std::string& name);
/// For who removes the desk.
Result<void> remove_snapshots(const std::string& image);

/// Makes the desk what it was; what came since is gone. Its generation goes on. Errc::not_found;
/// Errc::refused: it is checked out.
Result<Header> restore_snapshot(const std::string& image, const std::string& name);

/// Copies the desk into the new file `to` and marks it as taken away to `place` (check_name): until
/// the copy comes back nobody opens it. Killed between the two, the desk is as before and the copy
/// is one that cannot come back. Errc::refused: it is away already.
Result<Copied> check_out(const std::string& image, const std::string& to, const std::string& place);

/// The mark alone: for a copy that was made otherwise, has the check-out id `journey`, and is of
/// that generation. Errc::conflict: the desk has changed since; Errc::corrupt: it is marked as
/// damaged. Repeated: nothing happens.
Result<Header> mark_checked_out(const std::string& image, const std::string& journey,
                                std::uint64_t generation, const std::string& place);

/// Gives the travelling copy its check-out id.
Result<void> begin_journey(const std::string& copy, const std::string& journey);

/// Whether `copy` is the one that left when `home` was checked out, and home has not changed since.
/// Pure. Errc::conflict says how the two grew apart; neither is ever merged into the other.
Result<void> may_come_back(const Header& copy, const Header& home);

/// Takes the travelling copy in, in the place of the image: checked by e2fsck, its content read
/// back, its changes and the end of the check-out in one step. Then the copy is marked as the one
/// that stays behind (`place`). Errc::conflict (may_come_back), Errc::corrupt.
Result<Header> check_in(const std::string& copy, const std::string& image,
                        const std::string& place);

/// The travelling copy, held so that nobody opens it while it comes back to a desk server.
Result<Image> hold_copy(const std::string& copy);

/// Marks the held copy as the one that stays behind, now that the desk is at `place`.
Result<void> leave_behind(Image& copy, const std::string& place);

/// The travelling copy is lost: the desk is used again as it was. A copy that turns up later is not
/// taken in any more. Errc::conflict: it is not checked out.
Result<Header> call_off(const std::string& image);

} // namespace baton::desk
