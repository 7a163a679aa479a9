#pragma once

#include "history/query.h"
#include "monitor/sizing.h"

#include <boost/json/object.hpp>

#include <optional>
#include <string>
#include <vector>

/// How much memory each person needs, out of what was kept of their desktops: the sizing rule of
/// monitor/sizing.h over minutes.
namespace baton::history {

struct AdviceWanted {
    std::string session; ///< only this one; empty: everybody
    std::vector<Mebibytes> sizes{Mebibytes(512), Mebibytes(1024), Mebibytes(2048), Mebibytes(4096),
                                 Mebibytes(8192)}; ///< ascending
    std::vector<monitor::CurvePoint> curve;        ///< empty: none is known
    double tolerance = 0.05;                       ///< share of the throughput that may be given up
};

/// One person with one OS image; a VM that is nobody's stands for itself.
struct AdviceFor {
    std::string who, image;
    std::optional<Mebibytes> present;
    monitor::Advice advice;
};

/// By name and image. Empty: nothing was measured in that time.
Result<std::vector<AdviceFor>> advise(Samples& samples, const AdviceWanted& wanted,
                                      const Span& span);

/// `people`, `gain_mib`, `spread`: as `baton advise --json` and `GET /v1/advice` say it.
boost::json::object to_json(const std::vector<AdviceFor>& all);

} // namespace baton::history
