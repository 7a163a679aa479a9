#pragma once

#include "handoff/ports.h"
#include "net/http.h"

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

/// Both sides of a link in one thread and in simulated time, with a connection between them that a
/// test can cut anywhere.
namespace baton::testing {

/// Time that passes when it is told to, and the executor of both sides.
class HandClock : public handoff::Clock {
  public:
    [[nodiscard]] WallTime wall() const override {
        return WallTime(std::chrono::milliseconds(1'800'000'000'000)) +
               std::chrono::duration_cast<std::chrono::milliseconds>(now_);
    }

    [[nodiscard]] std::chrono::nanoseconds monotonic() const override { return now_; }

    TimerId after(std::chrono::nanoseconds delay, std::function<void()> action) override {
        timers_.emplace(std::pair(now_ + delay, ++last_), std::move(action));
        return last_;
    }

    void cancel(TimerId timer) override {
        std::erase_if(timers_, [&](const auto& entry) { return entry.first.second == timer; });
    }

    void post(std::function<void()> action) override { queue_.push_back(std::move(action)); }

    bool step() {
        if (queue_.empty())
            return false;
        auto action = std::move(queue_.front());
        queue_.pop_front();
        action();
        return true;
    }

    /// Runs the next timer that is due within `by`; false: the time has passed.
    bool advance_to_next(std::chrono::nanoseconds until) {
        if (timers_.empty() || timers_.begin()->first.first > until) {
            now_ = std::max(now_, until);
            return false;
        }
        now_ = timers_.begin()->first.first;
        auto action = std::move(timers_.begin()->second);
        timers_.erase(timers_.begin());
        action();
        return true;
    }

    [[nodiscard]] std::size_t timers() const { return timers_.size(); }

  private:
    std::chrono::nanoseconds now_{0};
    TimerId last_ = 0;
    std::deque<std::function<void()>> queue_;
    std::map<std::pair<std::chrono::nanoseconds, TimerId>, std::function<void()>> timers_;
};

/// One end of a link in memory.
class PipeEnd : public net::WebSocket {
  public:
    /// Messages to either side are counted in `left`; the one that brings it below zero is lost,
    /// with the link.
    struct Pipe {
        std::deque<std::function<void()>> queue;
        std::vector<std::string> transcript;
        int left = 1'000'000;
        bool cut = false;
        std::weak_ptr<PipeEnd> ends[2];
    };

    PipeEnd(std::shared_ptr<Pipe> pipe, int side, net::Peer peer)
        : pipe_(std::move(pipe)), side_(side), peer_(std::move(peer)) {}

    ~PipeEnd() override { cut(*pipe_, "dropped"); }

    PipeEnd(const PipeEnd&) = delete;
    PipeEnd& operator=(const PipeEnd&) = delete;

    void send(std::string text) override {
        if (pipe_->cut)
            return;
        if (pipe_->left-- <= 0)
            return cut(*pipe_, "cut by the test");
        pipe_->transcript.push_back((side_ == 0 ? "dialler: " : "controller: ") + text);
        pipe_->queue.push_back([pipe = pipe_, other = 1 - side_, text = std::move(text)] {
            if (const auto end = pipe->ends[other].lock(); end && end->on_message_)
                end->on_message_(text);
        });
    }

    void close() override { cut(*pipe_, "closed"); }

    [[nodiscard]] const net::Peer& peer() const override { return peer_; }

    void listen(std::function<void(std::string)> on_message,
                std::function<void(std::string)> on_close) override {
        on_message_ = std::move(on_message);
        on_close_ = std::move(on_close);
    }

    /// What was sent before is still delivered, as on a real connection.
    static void cut(Pipe& pipe, const std::string& why) {
        if (std::exchange(pipe.cut, true))
            return;
        for (const auto& weak : pipe.ends)
            pipe.queue.push_back([weak, why] {
                if (const auto end = weak.lock(); end && end->on_close_)
                    std::exchange(end->on_close_, nullptr)(why);
            });
    }

  private:
    std::shared_ptr<Pipe> pipe_;
    int side_;
    net::Peer peer_;
    std::function<void(std::string)> on_message_;
    std::function<void(std::string)> on_close_;
};

} // namespace baton::testing
