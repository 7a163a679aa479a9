#pragma once

#include "api/latest.h"
#include "handoff/ports.h"
#include "store/store.h"

#include <functional>

namespace baton::controller {

/// What hosts do about their CPU shares is kept for `baton host show`, and every redistribution is
/// an event with its reason. On the engine's executor.
class ShareNews {
  public:
    struct Doors {
        store::Store& store;
        handoff::Clock& clock;
        api::Latest& latest;
        std::function<void()> events_grew;
        std::function<void(const Error&)> complain;
    };

    explicit ShareNews(Doors doors) : doors_(std::move(doors)) {}

    void take(const HostId& host, const CpuSharesTold& told);

  private:
    Doors doors_;
};

} // namespace baton::controller
