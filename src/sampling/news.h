#pragma once

#include "sampling/domain_facts.h"

#include <mutex>
#include <optional>
#include <string>
#include <sys/types.h>
#include <utility>
#include <variant>
#include <vector>

/// What libvirt's threads have to say to the one that samples, which never waits for them.
namespace baton::sampling {

/// A domain runs, or something about it has changed.
struct Found {
    DomainFacts facts;
    std::optional<pid_t> pid; ///< none: not a process of this host
};

struct Gone {
    std::string uuid;
};

/// The hypervisor was asked.
struct Told {
    std::string uuid;
    monitor::DesktopSample sample;
};

struct ConnectionNews {
    bool connected = false;
    std::string why; ///< it is not
};

using News = std::variant<Found, Gone, Told, ConnectionNews>;

/// Any thread.
class Mailbox {
  public:
    void put(News news) {
        const std::scoped_lock lock(mutex_);
        news_.push_back(std::move(news));
    }

    [[nodiscard]] std::vector<News> take() {
        const std::scoped_lock lock(mutex_);
        return std::exchange(news_, {});
    }

  private:
    std::mutex mutex_;
    std::vector<News> news_;
};

} // namespace baton::sampling
