#pragma once

#include "desk/check.h"
#include "desk/image.h"
#include "model/error.h"
#include "player/backing.h"
#include "player/loop.h"

#include <chrono>
#include <functional>
#include <optional>
#include <string>

/// A desk's image in a player's hands: locked against every other program, looked at before the
/// kernel sees it, its lease taken, and given back in order (docs/formats/desk-image.md).
namespace baton::player {

struct HoldOrder {
    std::string path;
    std::string holder;          ///< this PC's name in the lease (holder_name)
    bool break_lease = false;    ///< take a lease that another PC or a host holds
    std::string remember;        ///< Policy::remember
    bool without_header = false; ///< see desk::Image::without_header
    /// Told what is worth telling: "its journal was replayed", "the last player here was killed".
    std::function<void(const std::string&)> note = [](const std::string&) {};
};

/// "pc7-1f0a33c0": the PC's host name and a hash of its machine-id, so that two PCs of one name are
/// not taken for each other. Fits the header's name rule.
std::string holder_name();
/// The same, pure.
std::string holder_name(const std::string& host_name, const std::string& machine_id);

/// Whether the desk with this header may be taken: it is ready, nobody else has its lease, and it
/// is no copy that stayed while the desk is away. Pure. Errc::corrupt, Errc::busy (names who and
/// since when), Errc::refused.
Result<void> may_take(const desk::Header& header, const std::string& holder, bool break_lease,
                      const std::string& path);

class HeldDesk {
  public:
    /// Opens, locks and looks; nothing is written yet but what a replay of the journal writes.
    /// Errc::busy, Errc::corrupt, Errc::not_found, as Image::open and desk::check.
    static Result<HeldDesk> open(const HoldOrder& order);

    HeldDesk(HeldDesk&&) = default;

    [[nodiscard]] const desk::Header& header() const { return image_->header(); }

    /// Attaches the file system as a loop device. Before the lease is taken nobody may write to it.
    Result<LoopDevice> attach();

    /// Writes the lease: durable when this returns.
    Result<void> take_lease();

    /// When everything that used the loop device has ended: waits until the kernel has let go of
    /// the file (it has then been unmounted in order), gives the lease back and makes it durable.
    /// Errc::timeout: something still uses it; the lease stays. Errc::io: see Backing; the lease
    /// stays as well.
    Result<void> give_back(std::chrono::milliseconds deadline);

    /// What the image lies on; none if that cannot go away.
    [[nodiscard]] const std::optional<Backing>& backing() const { return backing_; }

    [[nodiscard]] bool was_known() const { return known_; }

  private:
    HeldDesk() = default;

    HoldOrder order_;
    std::optional<desk::Image> image_;
    process::Descriptor waiting_; ///< see Image::another
    std::optional<Backing> backing_;
    desk::Lease lease_;
    bool known_ = false;
};

} // namespace baton::player
