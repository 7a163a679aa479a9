#pragma once

#include "model/error.h"
#include "player/blueprint.h"
#include "player/channel.h"
#include "player/id_range.h"
#include "player/program.h"

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace baton::player {

/// The namespaces of one open desk and the first process in them (init). Everything inside ends
/// with that process; that process ends with this object's process, also at kill -9.
///
/// To be made while the program has one thread: the first process is a copy of it that goes on
/// without an exec.
class Environment {
  public:
    /// Makes the namespaces. The first process waits for enter(). `arguments`: the memory of the
    /// program's own arguments, overwritten in the copy: the PC's paths are nobody's business
    /// inside; every other descriptor is closed in it. `desktop`: what a
    /// Program::desktop becomes.
    static Result<Environment> make(const Blueprint& blueprint, std::span<char> arguments,
                                    DesktopStart desktop = nullptr);
    ~Environment();
    Environment(Environment&&) noexcept;
    Environment& operator=(Environment&&) = delete;

    /// Who the ids inside are on the PC. Once, before the layers.
    Result<void> map_ids(IdRange ids);

    /// The base's layers, in the order of blueprint.layers, from the folder `root`.
    Result<void> give_layers(int root, const std::vector<std::string>& layers);

    /// Instead: a whole system, mounted and attached nowhere. Its owners are mapped here.
    Result<void> give_base(const Descriptor& mount);

    /// The mounted desk. Its owners are mapped here.
    Result<void> give_desk(const Descriptor& mount);

    /// Waits until it is assembled, or says why not. Gives notes for the person.
    Result<std::vector<std::string>> wait_ready(std::chrono::milliseconds deadline);

    /// The owner's session bus and services, before the first program.
    Result<void> begin_services();

    /// Ends of the desk's display, each for the player to give to who serves or uses it.
    struct DisplaySockets {
        Descriptor server; ///< listening where the desk's programs find their X server (DISPLAY=:0)
        Descriptor client; ///< connected to it
    };

    /// Makes the desk's display, and the owner's file of cookies for it (the bytes of an Xauthority
    /// file). Before the first program.
    Result<DisplaySockets> begin_display(const std::string& cookies);

    /// Asks for a program; what becomes of it is heard over channel(). `files`: its standard input,
    /// output and error. A terminal among them is replaced by one of the desk's own.
    Result<std::int64_t> run(const Program& program, const std::vector<int>& files);

    Result<void> signal(std::int64_t program, int number);

    /// SIGTERM to everybody, after `grace` SIGKILL; waits for the end of all of it.
    Result<void> end(std::chrono::milliseconds grace);

    [[nodiscard]] Channel& channel() { return channel_; }

    /// For what joins the namespaces (a network, a display): as /proc/PID/ns/... from outside.
    [[nodiscard]] pid_t init() const { return init_; }

    [[nodiscard]] int pidfd() const { return pidfd_.get(); } ///< readable when all has ended

  private:
    Environment(Channel channel) : channel_(std::move(channel)) {}

    Channel channel_;
    Descriptor pidfd_;
    Descriptor users_; ///< the user namespace
    pid_t init_ = -1;
    std::int64_t last_program_ = 0;
};

} // namespace baton::player
