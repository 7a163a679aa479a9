#pragma once

#include "gateway/viewer.h"

namespace baton::gateway {

/// One Switchboard::point: connects every viewer of a session to the new screen, and switches them
/// when all are ready (or have had their time). None is ready: nothing has changed. Some are: those
/// are switched, and the others keep their last picture until the new screen can be had for them
/// too. Used on the gateway's thread alone.
class Pointing : public std::enable_shared_from_this<Pointing> {
  public:
    Pointing(Core& core, SessionId session, Screen screen);

    void start(std::vector<std::shared_ptr<Viewer>> viewers, Done<Switched> done);

    /// The same has been asked for again.
    void join(Done<Switched> done) { done_.push_back(std::move(done)); }

    /// Ends it: viewers that are not switched yet stay where they are.
    void cancel(const Error& why);

    [[nodiscard]] const Screen& screen() const { return screen_; }

    [[nodiscard]] bool over() const { return phase_ == Phase::over; }

    /// Called when it is over, behind `done`.
    std::function<void()> on_over;

  private:
    enum class Phase : std::uint8_t { connecting, cutting, over };
    enum class State : std::uint8_t { there, connecting, ready, failed, cutting, switched, gone };

    struct One {
        std::shared_ptr<Viewer> viewer;
        State state = State::connecting;
    };

    void connected(std::size_t which, const Result<void>& outcome);
    void decide();
    void cut_all();
    void was_cut(std::size_t which, const Result<Viewer::Cut>& outcome);
    void conclude();
    void end(const Result<Switched>& outcome);
    void within(std::chrono::milliseconds time);
    void late();
    [[nodiscard]] std::size_t count(State state) const;

    Core& core_;
    SessionId session_;
    Screen screen_;
    std::vector<Done<Switched>> done_;
    std::vector<One> all_;
    Phase phase_ = Phase::connecting;
    std::optional<Error> first_error_;
    Switched switched_;
    asio::steady_timer timer_;
};

} // namespace baton::gateway
