#pragma once

#include "model/error.h"
#include "programs/baton_guest/loop.h"

#include <functional>
#include <string>
#include <sys/types.h>

namespace baton::guest_program {

/// The person's programs: all that their session starts, in a control group of its own, so that
/// none is missed when the session ends.
class Session {
  public:
    Session(Loop& loop, std::function<void()> ended) : loop_(loop), ended_(std::move(ended)) {}

    /// Makes the control group. Before the first start.
    Result<void> prepare();

    /// Runs `program` in a child that is in the control group: as root, before exec. When that
    /// child ends by itself, so does the session. `program` must not return.
    Result<void> start(const std::function<void()>& program);

    /// Runs `program` in the same way, before there is a session or beside it: what is there when
    /// the session begins belongs to it and ends with it. The child's process id.
    Result<pid_t> start_ahead(const std::function<void()>& program);

    void ask_to_end();
    void kill();

    /// All that ran has been told to end, and what ends now has not ended by itself.
    [[nodiscard]] bool ending() const { return ending_; }

    /// A child of this program has ended.
    void child_ended(pid_t pid);

    [[nodiscard]] bool running() const { return running_; }

  private:
    [[nodiscard]] Result<pid_t> fork_inside(const std::function<void()>& program) const;
    void look();
    void signal_all(int signal);

    Loop& loop_;
    std::function<void()> ended_;
    Fd group_;
    Fd events_;
    pid_t first_ = -1;
    bool running_ = false;
    bool ending_ = false;
};

/// In a child, as root: becomes the person, with HOME and what else a login sets, in `home`.
void become_person(const std::string& person, const std::string& home);

} // namespace baton::guest_program
