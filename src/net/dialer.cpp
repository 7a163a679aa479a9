#include "net/dialer.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <random>
#include <thread>

namespace baton::net {

std::chrono::milliseconds Backoff::next(double chance) {
    const auto step = next_;
    next_ = std::min(next_ * 2, most_);
    return step / 2 + std::chrono::milliseconds(static_cast<std::int64_t>(
                          chance * static_cast<double>((step - step / 2).count())));
}

namespace {

class ThreadDialer : public Dialer {
  public:
    ThreadDialer(Serve serve, Dial dial, DialerSettings settings)
        : serve_(std::move(serve)),
          dial_(std::move(dial)),
          backoff_(settings.first, settings.most),
          thread_([this] { run(); }) {}

    ~ThreadDialer() override {
        {
            const std::lock_guard lock(shared_->mutex);
            shared_->stopping = true;
        }
        shared_->changed.notify_all();
        thread_.join();
    }

    ThreadDialer(const ThreadDialer&) = delete;
    ThreadDialer& operator=(const ThreadDialer&) = delete;

  private:
    /// Outlives the dialer with the word of the last link's end.
    struct Shared {
        std::mutex mutex;
        std::condition_variable changed;
        bool stopping = false;
        std::optional<LinkEnd> end;
    };

    void run() {
        std::mt19937_64 random(std::random_device{}());
        std::uniform_real_distribution<double> chance(0.0, 1.0);
        while (true) {
            const auto why = one_link();
            std::unique_lock lock(shared_->mutex);
            if (why && !shared_->stopping)
                complain(*why);
            if (shared_->changed.wait_for(lock, backoff_.next(chance(random)),
                                          [this] { return shared_->stopping; }))
                return;
        }
    }

    /// Dials, serves until the end. What is worth telling about it.
    std::optional<Error> one_link() {
        auto link = dial_();
        if (!link)
            return link.error();
        {
            const std::lock_guard lock(shared_->mutex);
            if (shared_->stopping)
                return std::nullopt;
            shared_->end.reset();
        }
        serve_(std::move(*link), [shared = shared_](LinkEnd end) {
            const std::lock_guard lock(shared->mutex);
            shared->end = std::move(end);
            shared->changed.notify_all();
        });
        std::unique_lock lock(shared_->mutex);
        shared_->changed.wait(lock, [this] { return shared_->stopping || shared_->end; });
        if (shared_->stopping)
            return std::nullopt;
        if (shared_->end->welcomed)
            backoff_.reset();
        else if (shared_->end->why.code != Errc::unavailable)
            backoff_.slow();
        return shared_->end->why;
    }

    /// Once, not at every try.
    void complain(const Error& why) {
        const auto text = why.message();
        if (text != last_complaint_)
            spdlog::warn("no link to the controller: {}", text);
        last_complaint_ = text;
    }

    const Serve serve_;
    const Dial dial_;
    Backoff backoff_;
    std::string last_complaint_;
    std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
    std::thread thread_;
};

} // namespace

std::unique_ptr<Dialer> Dialer::start(Serve serve, Dial dial, DialerSettings settings) {
    return std::make_unique<ThreadDialer>(std::move(serve), std::move(dial), settings);
}

} // namespace baton::net
