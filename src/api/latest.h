#pragma once

#include "model/cpu_shares.h"
#include "monitor/rates.h"

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

namespace baton::api {

using ReadingPtr = std::shared_ptr<const monitor::Reading>;

/// The last reading of every host. Any thread.
class Latest {
  public:
    struct Entry {
        ReadingPtr reading;
        monitor::Moment heard; ///< by the clock of whoever keeps this, not the host's
    };

    void put(ReadingPtr reading, monitor::Moment heard) {
        const std::scoped_lock lock(mutex_);
        const HostId host = reading->host; // the right side of an assignment comes first
        entries_[host] = {std::move(reading), heard};
    }

    void forget(const HostId& host) {
        const std::scoped_lock lock(mutex_);
        entries_.erase(host);
        shares_.erase(host);
    }

    void put(const HostId& host, CpuSharesTold shares) {
        const std::scoped_lock lock(mutex_);
        shares_[host] = std::move(shares);
    }

    /// As the host said when it connected, or later.
    [[nodiscard]] std::optional<CpuSharesTold> cpu_shares(const HostId& host) const {
        const std::scoped_lock lock(mutex_);
        const auto found = shares_.find(host);
        return found == shares_.end() ? std::nullopt : std::optional(found->second);
    }

    /// By the hosts' names.
    [[nodiscard]] std::vector<Entry> all() const {
        const std::scoped_lock lock(mutex_);
        std::vector<Entry> list;
        list.reserve(entries_.size());
        for (const auto& [host, entry] : entries_)
            list.push_back(entry);
        return list;
    }

  private:
    mutable std::mutex mutex_;
    std::map<HostId, Entry> entries_;
    std::map<HostId, CpuSharesTold> shares_;
};

} // namespace baton::api
