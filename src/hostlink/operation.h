#pragma once

#include "hostlink/agent.h"
#include "hostlink/protocol.h"

#include <boost/json/object.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <utility>

/// Inside hostlink/ alone: one call that is carried out, as a state machine over the hypervisor's
/// events. Everything here runs on the executor, except the work given to blocking().
namespace baton::hostlink {

/// What operations need of the agent that they are part of.
class Bench {
  public:
    virtual ~Bench() = default;
    [[nodiscard]] virtual const AgentPorts& ports() const = 0;
    [[nodiscard]] virtual const AgentSettings& settings() const = 0;
    [[nodiscard]] virtual const Screens& screens() const = 0;
    /// The guest has said that it is ready since it was started.
    [[nodiscard]] virtual bool ready(const DesktopId& desktop) const = 0;
    /// From now on the desktop is one of ours: who it is for is told to its guest.
    virtual void expect(const handoff::StartOrder& order) = 0;
    /// Tells its guest who it is for, now.
    virtual void identify(const DesktopId& desktop) = 0;
    /// Its end is wanted (or not any more): no DesktopGone is said.
    virtual void expect_end(const DesktopId& desktop, bool wanted) = 0;
    virtual void forget(const DesktopId& desktop) = 0;
};

using Answer = Result<boost::json::object>;

class Operation : public std::enable_shared_from_this<Operation> {
  public:
    Operation(Bench& bench, DesktopId desktop) : bench_(bench), desktop_(std::move(desktop)) {}

    virtual ~Operation() = default;
    Operation(const Operation&) = delete;
    Operation& operator=(const Operation&) = delete;

    /// `done` once, on the executor, possibly before start() returns.
    void start(std::function<void(Answer)> done);
    void event(const hypervisor::Event& event);
    /// Ends with `why`, as soon as the call that is under way has come back.
    void cancel(Error why);

    /// Nothing of it is visible yet at the hypervisor: it may be dropped with its link.
    [[nodiscard]] virtual bool droppable() const { return false; }

    [[nodiscard]] bool started() const { return done_ != nullptr || finished_; }

    [[nodiscard]] const DesktopId& desktop() const { return desktop_; }

    /// The desktop that is being started, for a list that must not miss it.
    [[nodiscard]] virtual std::optional<DesktopInfo> starting() const { return std::nullopt; }

    [[nodiscard]] virtual bool is_stop() const { return false; }

  protected:
    virtual void begin() = 0;

    virtual void on_event(const hypervisor::Event& /*event*/) {}

    virtual void on_deadline() {}

    /// Runs `work` on `workers`, then `then(its result)` here, unless cancelled meanwhile.
    template <class Work, class Then>
    void blocking(const Workers& workers, const std::string& key, Work work, Then then) {
        ++busy_;
        auto self = shared_from_this();
        auto& clock = bench_.ports().clock;
        workers(key, [self, &clock, work = std::move(work), then = std::move(then)]() mutable {
            auto result = work();
            clock.post([self, result = std::move(result), then = std::move(then)]() mutable {
                --self->busy_;
                if (self->finished_)
                    return;
                if (self->cancelled_)
                    self->finish(tl::unexpected(*self->cancelled_));
                else
                    then(std::move(result));
            });
        });
    }

    /// On the desktop's own queue of hypervisor calls.
    template <class Work, class Then>
    void call(Work work, Then then) {
        blocking(bench_.ports().quick, desktop_.value, std::move(work), std::move(then));
    }

    void deadline_after(std::chrono::milliseconds time);
    void finish(Answer answer);

    [[nodiscard]] bool finished() const { return finished_; }

    /// While it is set, cancel() does not wait for the call under way.
    bool abandon_calls_ = false;

    Bench& bench_;
    const DesktopId desktop_;

  private:
    std::function<void(Answer)> done_;
    std::optional<handoff::Clock::TimerId> timer_;
    std::optional<Error> cancelled_;
    unsigned busy_ = 0;
    bool finished_ = false;
};

/// The operation for any call but List.
std::shared_ptr<Operation> make_operation(Bench& bench, const Call& call);

} // namespace baton::hostlink
