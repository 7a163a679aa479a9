#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace baton::player {

/// Rows of the paper's Table 1 that the steps of an opening stand for.
enum class Row : std::uint8_t {
    information, ///< "gathering environment information"
    image,       ///< "loading the registry hives": the person's state becomes reachable
    layer,       ///< "loading the kernel driver": the layer that redirects names
    desktop,     ///< "making the desktop object"
    environment, ///< "making up the environment": the first program runs
};

/// How long the steps took, one after another. Not thread-safe.
class Timings {
  public:
    using Clock = std::chrono::steady_clock;

    struct Step {
        Row row = Row::information;
        std::string name;
        std::chrono::duration<double, std::milli> took{};
    };

    /// Ends the step that began when the last one ended.
    void done(Row row, std::string name) {
        const auto now = Clock::now();
        steps_.push_back({row, std::move(name), now - last_});
        last_ = now;
    }

    [[nodiscard]] const std::vector<Step>& steps() const { return steps_; }

    [[nodiscard]] double milliseconds(Row row) const {
        double sum = 0;
        for (const auto& step : steps_)
            if (step.row == row)
                sum += step.took.count();
        return sum;
    }

  private:
    Clock::time_point last_ = Clock::now();
    std::vector<Step> steps_;
};

/// The paper's Table 1 beside this run's figures, and the Linux steps that stand for each row. Its
/// 1015.909 ms were measured on its own PC of 2009: shown, never divided by.
std::string table_1(const Timings& opening, const Timings& closing);

} // namespace baton::player
