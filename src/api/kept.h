#pragma once

#include "history/recorder_figures.h"

#include <functional>
#include <memory>
#include <string>

namespace baton::api {

/// The samples database beside the running controller: what was measured, and how keeping it goes.
class Kept {
  public:
    struct State {
        std::string where; ///< for people: without a password; empty: samples are not kept
        history::RecorderFigures figures;
    };

    /// Is given the samples, good until it returns, or why they cannot be read now. Returns whether
    /// they could be: otherwise the next one gets another connection.
    using Read = std::function<bool(Result<std::reference_wrapper<history::Samples>>)>;

    virtual ~Kept() = default;
    /// Any thread.
    [[nodiscard]] virtual State state() const = 0;
    /// On a thread that only reads samples: a slow database holds up nobody else. False: too many
    /// wait already, and `read` is not called.
    virtual bool read(Read read) = 0;
};

} // namespace baton::api
