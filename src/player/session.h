#pragma once

#include "player/base_image.h"
#include "player/desk_disk.h"
#include "player/environment.h"
#include "player/held_desk.h"
#include "player/timings.h"
#include "player/user_network.h"
#include "player/watch.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace baton::player {

struct PlayOrder {
    std::string desk;          ///< the image's path, or its address (place_of)
    Policy policy;             ///< with the network as asked for
    std::string pc_root = "/"; ///< the system that the desk is laid over
    std::string image;         ///< an OS image to lay it over instead; empty: none
    std::string images;        ///< the library that it is in; empty: the usual one
    DiskOrder disk;            ///< for a desk that is more than a file here
    bool break_lease = false;
    DesktopStart desktop = nullptr;   ///< see Environment::make
    bool services = true;             ///< start the owner's session bus and services
    std::vector<std::string> publish; ///< ports, as pasta_command takes them
    std::span<char> arguments;        ///< see Environment::make
    std::function<void(const std::string&)> note = [](const std::string&) {};
};

/// One open desk: its image, its environment, and the programs in it. open() to close() is what the
/// paper calls loading and unloading a uPC image. For one thread.
class Session {
  public:
    /// Everything up to a ready environment. When it fails, everything is as before.
    static Result<Session> open(const PlayOrder& order);
    Session(Session&&) = default;

    /// Ends everybody inside, unmounts, and gives the lease back. Errc::timeout when the kernel
    /// does not let go of the image. Errc::io when the disk with it is gone (watches()): the image
    /// is as it was last written, and its lease stays.
    Result<void> close(std::chrono::milliseconds grace);

    /// For whoever attends: an error of it is that the disk with the image is gone.
    [[nodiscard]] std::vector<Watch> watches() const;

    [[nodiscard]] Environment& environment() { return *environment_; }

    /// Tells the person something.
    void note(const std::string& text) const { note_(text); }

    /// What a desk that is elsewhere had to be read for open().
    [[nodiscard]] std::optional<std::int64_t> received_bytes() const { return received_; }

    [[nodiscard]] const Blueprint& blueprint() const { return blueprint_; }

    /// What open() and whoever runs the first program took; close() writes the second.
    [[nodiscard]] Timings& opening() { return opening_; }

    [[nodiscard]] const Timings& closing() const { return closing_; }

  private:
    Session() = default;
    Result<void> load(const PlayOrder& order);
    /// Ends everybody inside at once and lets go of everything.
    void abandon();
    /// Opens the base, and says what of it a desk sees.
    Result<Descriptor> survey(const PlayOrder& order);

    std::function<void(const std::string&)> note_ = [](const std::string&) {};
    Blueprint blueprint_;
    Timings opening_;
    Timings closing_;
    std::optional<std::int64_t> received_;
    std::optional<DeskDisk> disk_; ///< ends after the desk is given back
    std::optional<HeldDesk> desk_;
    std::optional<BaseImage> image_;         ///< ends after what looks into it
    std::optional<Environment> environment_; ///< ends before the desk is given back
    UserNetwork network_;                    ///< ends before the environment
};

} // namespace baton::player
