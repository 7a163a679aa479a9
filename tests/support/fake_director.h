#pragma once

#include "gateway/ports.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace baton::testing {

/// Says who may look from two lists, and keeps what it is told. Thread-safe.
class FakeDirector : public gateway::Director {
  public:
    void add_user(const std::string& name, const std::string& password,
                  const gateway::Grant& grant) {
        const std::lock_guard lock(mutex_);
        users_[name] = {password, grant};
    }

    /// Good once.
    void add_ticket(const std::string& ticket, const gateway::Grant& grant) {
        const std::lock_guard lock(mutex_);
        tickets_[ticket] = grant;
    }

    /// Everybody is answered so; nullopt: as the lists say.
    void answer_all(std::optional<Error> error) {
        const std::lock_guard lock(mutex_);
        everybody_ = std::move(error);
    }

    /// Answers wait until release().
    void hold() {
        const std::lock_guard lock(mutex_);
        holding_ = true;
    }

    void release() {
        std::deque<std::function<void()>> held;
        {
            const std::lock_guard lock(mutex_);
            holding_ = false;
            held.swap(held_);
        }
        for (const auto& answer : held)
            answer();
    }

    [[nodiscard]] std::size_t asked() const {
        const std::lock_guard lock(mutex_);
        return asked_;
    }

    [[nodiscard]] std::vector<gateway::News> news() const {
        const std::lock_guard lock(mutex_);
        return news_;
    }

    /// Waits until so much news of a kind has come.
    template <class Kind>
    [[nodiscard]] bool wait_for_news(std::size_t count) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, std::chrono::seconds(20), [&] {
            return static_cast<std::size_t>(
                       std::count_if(news_.begin(), news_.end(), [](const gateway::News& one) {
                           return std::holds_alternative<Kind>(one);
                       })) >= count;
        });
    }

    [[nodiscard]] bool wait_until_asked(std::size_t times) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, std::chrono::seconds(20), [&] { return asked_ >= times; });
    }

    void login(const UserName& user, const std::string& password, const std::string& /*client*/,
               gateway::Done<gateway::Grant> done) override {
        std::unique_lock lock(mutex_);
        Result<gateway::Grant> answer =
            fail(Errc::unauthenticated, "no user has this name and password");
        const auto found = users_.find(user.value);
        if (found != users_.end() && found->second.first == password)
            answer = found->second.second;
        give(std::move(lock), std::move(answer), std::move(done));
    }

    void redeem(const std::string& ticket, const std::string& /*client*/,
                gateway::Done<gateway::Grant> done) override {
        std::unique_lock lock(mutex_);
        Result<gateway::Grant> answer = fail(Errc::unauthenticated, "there is no such ticket");
        if (const auto found = tickets_.find(ticket); found != tickets_.end()) {
            answer = found->second;
            tickets_.erase(found);
        }
        give(std::move(lock), std::move(answer), std::move(done));
    }

    void tell(const gateway::News& news) override {
        const std::lock_guard lock(mutex_);
        news_.push_back(news);
        changed_.notify_all();
    }

  private:
    void give(std::unique_lock<std::mutex> lock, Result<gateway::Grant> answer,
              gateway::Done<gateway::Grant> done) {
        ++asked_;
        changed_.notify_all();
        if (everybody_)
            answer = tl::unexpected(*everybody_);
        if (holding_) {
            held_.push_back([done = std::move(done), answer = std::move(answer)] { done(answer); });
            return;
        }
        lock.unlock();
        done(std::move(answer));
    }

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::map<std::string, std::pair<std::string, gateway::Grant>> users_;
    std::map<std::string, gateway::Grant> tickets_;
    std::optional<Error> everybody_;
    bool holding_ = false;
    std::deque<std::function<void()>> held_;
    std::size_t asked_ = 0;
    std::vector<gateway::News> news_;
};

} // namespace baton::testing
