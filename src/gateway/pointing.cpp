#include "gateway/pointing.h"

#include <algorithm>
#include <utility>

namespace baton::gateway {

Pointing::Pointing(Core& core, SessionId session, Screen screen)
    : core_(core),
      session_(std::move(session)),
      screen_(std::move(screen)),
      timer_(core.executor()) {}

void Pointing::start(std::vector<std::shared_ptr<Viewer>> viewers, Done<Switched> done) {
    const auto alive = shared_from_this();
    done_.push_back(std::move(done));
    for (auto& viewer : viewers) {
        const bool there = viewer->shows(screen_);
        all_.push_back({std::move(viewer), there ? State::there : State::connecting});
    }
    within(core_.limits().screen_time);
    for (std::size_t which = 0; which < all_.size(); ++which)
        if (all_[which].state == State::connecting)
            all_[which].viewer->make_ready(
                screen_, [weak = weak_from_this(), which](const Result<void>& outcome) {
                    if (const auto self = weak.lock())
                        self->connected(which, outcome);
                });
    if (count(State::connecting) == 0)
        decide();
}

std::size_t Pointing::count(State state) const {
    return static_cast<std::size_t>(std::count_if(
        all_.begin(), all_.end(), [state](const One& one) { return one.state == state; }));
}

void Pointing::within(std::chrono::milliseconds time) {
    timer_.expires_after(time);
    timer_.async_wait([weak = weak_from_this()](error_code error) {
        const auto self = weak.lock();
        if (self && !error)
            self->late();
    });
}

void Pointing::late() {
    if (phase_ == Phase::cutting) {
        conclude(); // the pictures that have not come are not waited for
        return;
    }
    if (phase_ == Phase::over)
        return;
    if (!first_error_)
        first_error_ =
            Error{Errc::timeout,
                  "the screen of desktop " + screen_.desktop.value + " did not answer in time",
                  "the desktop or its host may be overloaded", 0};
    for (auto& one : all_)
        if (one.state == State::connecting)
            one.state = State::failed;
    decide();
}

void Pointing::connected(std::size_t which, const Result<void>& outcome) {
    if (phase_ != Phase::connecting || all_[which].state != State::connecting)
        return;
    const bool left = !outcome && outcome.error().code == Errc::cancelled;
    all_[which].state = outcome ? State::ready : left ? State::gone : State::failed;
    if (!outcome && !left && !first_error_)
        first_error_ = outcome.error();
    if (count(State::connecting) == 0)
        decide();
    else if (outcome && count(State::ready) == 1)
        within(core_.limits().straggler_time);
}

void Pointing::decide() {
    const std::size_t failed = count(State::failed);
    if (failed > 0 && count(State::ready) + count(State::there) == 0) {
        for (auto& one : all_)
            if (one.state == State::failed)
                one.viewer->give_up_next();
        end(tl::unexpected(*first_error_));
        return;
    }
    phase_ = Phase::cutting;
    cut_all();
}

void Pointing::cut_all() {
    within(core_.limits().screen_time);
    for (std::size_t which = 0; which < all_.size(); ++which) {
        One& one = all_[which];
        if (one.state == State::failed)
            one.viewer->follow(screen_);
        if (one.state != State::ready)
            continue;
        one.state = State::cutting;
        one.viewer->cut([weak = weak_from_this(), which](const Result<Viewer::Cut>& outcome) {
            if (const auto self = weak.lock())
                self->was_cut(which, outcome);
        });
    }
    if (phase_ == Phase::cutting && count(State::cutting) == 0)
        conclude();
}

void Pointing::was_cut(std::size_t which, const Result<Viewer::Cut>& outcome) {
    if (phase_ != Phase::cutting || all_[which].state != State::cutting)
        return;
    One& one = all_[which];
    if (outcome) {
        one.state = State::switched;
        switched_.cut_to_frame = std::max(switched_.cut_to_frame, outcome->cut_to_frame);
        switched_.frame_to_frame = std::max(switched_.frame_to_frame, outcome->frame_to_frame);
    } else if (outcome.error().code == Errc::cancelled) {
        one.state = State::gone;
        ++switched_.lost;
    } else {
        one.state = State::failed;
        first_error_ = outcome.error();
    }
    if (count(State::cutting) == 0 && count(State::ready) == 0)
        conclude();
}

void Pointing::conclude() {
    const bool nobody = count(State::switched) + count(State::there) + count(State::cutting) == 0;
    if (nobody && count(State::failed) > 0) {
        end(tl::unexpected(*first_error_));
        return;
    }
    for (auto& one : all_)
        if (one.state == State::failed)
            one.viewer->follow(screen_);
    const std::size_t stayed = all_.size() - count(State::gone);
    switched_.viewers = static_cast<unsigned>(stayed) + switched_.lost;
    end(switched_);
}

void Pointing::cancel(const Error& why) {
    if (phase_ == Phase::over)
        return;
    phase_ = Phase::over; // what viewers say from here on does not count
    for (auto& one : all_)
        if (one.state == State::connecting || one.state == State::ready)
            one.viewer->give_up_next();
    end(tl::unexpected(why));
}

void Pointing::end(const Result<Switched>& outcome) {
    const auto alive = shared_from_this();
    phase_ = Phase::over;
    timer_.cancel();
    all_.clear();
    for (const auto& done : std::exchange(done_, {}))
        done(outcome);
    if (const auto over = std::exchange(on_over, {}))
        over();
}

} // namespace baton::gateway
