#pragma once

#include "model/error.h"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// The desk's place in a guest's tree of files: which of its folders appear where, in which order
/// they come and go, and what is done about programs that will not let go.
namespace baton::guest {

inline constexpr std::string_view desk_folder = "/run/baton/desk";
/// Everything of a desk belongs to this user and group, in every desktop and in the player.
inline constexpr std::uint32_t desk_uid = 1000;

struct Forward {
    std::string_view inside; ///< below desk_folder
    std::string_view at;
    bool persons = true; ///< the person may write right into it
};

/// What a desktop sees of a desk (docs/formats/desk-image.md); `cow/` is for the player alone.
inline constexpr std::array<Forward, 4> forwards{{
    {"fwd/home", "/home", false},
    {"fwd/opt", "/opt"},
    {"fwd/usrlocal", "/usr/local"},
    {"fwd/srv", "/srv"},
}};

/// The system calls that mounting takes. Real: programs/baton_guest; tests have a fake.
class MountCalls {
  public:
    virtual ~MountCalls() = default;

    /// Makes the folder if there is none. Errc::conflict when something else is in its place.
    virtual Result<void> make_folder(const std::string& path) = 0;
    /// Gives the folder itself, not what is in it, to the person.
    virtual Result<void> give_to_person(const std::string& path) = 0;
    virtual Result<void> mount_ext4(const std::string& device, const std::string& at,
                                    bool read_only) = 0;
    virtual Result<void> bind(const std::string& from, const std::string& to) = 0;
    /// Errc::busy: somebody holds a file of it.
    virtual Result<void> unmount(const std::string& at) = 0;
    /// Takes it out of the tree at once; it stays mounted for who holds it.
    virtual Result<void> detach(const std::string& at) = 0;
    virtual Result<void> flush(const std::string& at) = 0;
    /// Kills every program outside the session that holds a file of the file system at `at`, and
    /// waits until it is gone.
    virtual void kill_holders(const std::string& at) = 0;
    /// Flushes the journal and ends every further access to the file system (EXT4_IOC_SHUTDOWN).
    virtual Result<void> cut_off(const std::string& at) = 0;
    /// The person's home with what a new one holds (/etc/skel), theirs; nothing if it is there.
    virtual Result<void> make_home(const std::string& path) = 0;
};

class DeskMount {
  public:
    explicit DeskMount(MountCalls& calls) : calls_(calls) {}

    /// All or nothing. On a read-only desk, folders that it does not have are left out.
    Result<void> mount(const std::string& device, bool read_only, const std::string& person);

    /// Flushes and unmounts. A program that holds a file open is killed; if even that does not
    /// help, the file system is flushed, cut off and taken out of the tree. After success nothing
    /// writes to the disk any more.
    Result<void> unmount();

    [[nodiscard]] bool mounted() const { return !mounted_.empty(); }

  private:
    Result<void> mount_all(const std::string& device, bool read_only, const std::string& person);

    MountCalls& calls_;
    std::vector<std::string> mounted_; ///< in the order of mounting
};

} // namespace baton::guest
