#pragma once

#include "handoff/engine.h"
#include "monitor/rates.h"
#include "monitor/sizing.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace baton::controller {

/// What each person needs with each OS image, by the sizing rule over the readings that have come
/// since this controller was started: what the policy "advised" looks up when somebody gets a
/// desktop. On the engine's executor.
class Needs {
  public:
    /// `sizes`: those there are, ascending. Fewer hours than `least_hours` of measurement advise
    /// nothing.
    explicit Needs(std::vector<Mebibytes> sizes, double least_hours = 1)
        : sizes_(std::move(sizes)), least_hours_(least_hours) {}

    void take(const monitor::Reading& reading, const handoff::Engine& engine);
    /// One look at what the person used. `hour`: since any epoch, ascending.
    void observe(const UserName& user, const OsImageId& image, const monitor::NeedSample& sample);

    [[nodiscard]] std::optional<handoff::AdvisedFloor> find(const UserName& user,
                                                            const OsImageId& image) const;

  private:
    struct Person {
        monitor::Sizing sizing;
        double first_hour = 0, last_hour = 0;
    };

    struct Holder {
        UserName user;
        OsImageId image;
    };

    std::vector<Mebibytes> sizes_;
    double least_hours_;
    std::map<std::pair<std::string, std::string>, Person> people_;
    std::map<SessionId, Holder> holders_; ///< of the sessions in the last readings
};

/// The sizes that allocation gives, ascending.
std::vector<Mebibytes> sizes_of(const allocation::Settings& settings);

} // namespace baton::controller
