#pragma once

#include "monitor/sample.h"

#include <cstddef>
#include <memory>
#include <vector>

namespace baton::sampling {

/// The counters of every network interface in one question to the kernel (RTM_GETSTATS); names and
/// addresses are asked for only when an interface has come or was changed. Of the network namespace
/// in which it was opened. One thread at a time.
class Links {
  public:
    static Result<Links> open();
    Links(Links&&) noexcept;
    Links& operator=(Links&&) noexcept;
    ~Links();

    /// Ascending by index. Errors: timeout (the kernel did not answer within a second), io.
    Result<void> read(std::vector<monitor::NetCounters>& interfaces);

  private:
    struct State;
    explicit Links(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

} // namespace baton::sampling
