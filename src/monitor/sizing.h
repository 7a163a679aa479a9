#pragma once

#include "model/error.h"
#include "model/size.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// How much memory a person needs: the sizing rule of paper 2 (SETMOV, section 3.6) made for more
/// than one afternoon's measurement. Pure.
///
/// 1. base = 1.15 x the 90th percentile of the daily peaks of what the guest cannot give back, the
///    days weighted by a half-life of 24 h;
/// 2. a shortage of page cache asks for one size more, at once;
/// 3. where it is known how fast the disk is read at each size, the smallest size that is at least
///    base and gives (1 - tolerance) of what the largest gives;
/// 4. less only after 24 quiet hours, one size at a time, and only when 10 % are to spare.
namespace baton::monitor {

/// Peaks of memory by size, older ones counting less. Memory is constant: buckets grow by 5 %.
class DecayingHistogram {
  public:
    explicit DecayingHistogram(double half_life_hours = 24) : half_life_hours_(half_life_hours) {}

    /// `hour`: of the observation, any epoch; observations may come in any order.
    void add(double hour, double mebibytes, double weight = 1);
    /// 0 to 1. The upper end of the bucket in which it lies; nothing: no observation yet.
    [[nodiscard]] std::optional<double> percentile(double share) const;

    [[nodiscard]] bool empty() const { return total_ <= 0; }

  private:
    void rescale(double to_hour);

    static constexpr int buckets = 256;
    double half_life_hours_;
    double reference_hour_ = 0;
    double total_ = 0;
    std::vector<double> weights_ = std::vector<double>(buckets, 0.0);
};

/// Read throughput with `memory`, at the working set that matters.
struct CurvePoint {
    Mebibytes memory;
    double megabytes_per_second = 0;
};

struct SizingRule {
    double percentile = 0.90;
    double headroom = 1.15;
    double curve_tolerance = 0.05; ///< at least 0.0293, or the paper's choice is not reproduced
    double quiet_hours = 24;
    double hysteresis = 0.10;
    /// Shortage: some task waited for memory for more than this share of the time, ...
    double pressure_percent = 5;
    /// ... or, when the guest tells no pressure, it read back from swap or faulted this often.
    double swap_in_bytes_per_second = 64.0 * 1024;
    double major_faults_per_second = 20;
};

/// One look at a desktop.
struct NeedSample {
    double hour = 0;                        ///< hours since any epoch
    std::optional<double> need_mebibytes{}; ///< available - usable
    std::optional<double> pressure_percent{}, swap_in_bytes_per_second{}, major_faults_per_second{};
};

struct Advice {
    std::optional<Mebibytes> size; ///< nothing: no size is large enough, or nothing was measured
    double base_mebibytes = 0;     ///< rule 1
    double peak_mebibytes = 0;     ///< the largest need that was seen
    bool shortage = false;         ///< rule 2 raised it
    bool waits_quietly = false;    ///< rule 4 keeps it where it is
    std::string why;               ///< one sentence with the figures
};

/// Watches one person with one OS image. Sizes ascend.
class Sizing {
  public:
    Sizing(std::vector<Mebibytes> sizes, SizingRule rule = {});

    /// In the order of time.
    void observe(const NeedSample& sample);

    void set_curve(std::vector<CurvePoint> curve) { curve_ = std::move(curve); }

    /// What `present` should become at `hour`.
    [[nodiscard]] Advice advise(double hour, std::optional<Mebibytes> present) const;

  private:
    void close_day();
    [[nodiscard]] bool short_of_cache(const NeedSample& sample) const;
    [[nodiscard]] std::optional<Mebibytes> smallest(double mebibytes) const;

    std::vector<Mebibytes> sizes_;
    SizingRule rule_;
    DecayingHistogram peaks_;
    std::vector<CurvePoint> curve_;
    double day_ = -1, day_peak_ = 0, day_peak_hour_ = 0;
    double peak_ = 0;
    std::optional<double> first_hour_, last_shortage_; ///< hours
    std::vector<double> last_need_of_size_;            ///< hour in which each size was last needed
};

/// Rule 3 alone: the smallest size of the curve that is at least `base` and reads with at least
/// (1 - tolerance) of the largest size's throughput. Errc::invalid_argument: fewer than two points,
/// or one that is no number.
Result<Mebibytes> from_curve(std::vector<CurvePoint> curve, Mebibytes base, double tolerance);

/// "MEMORY,MB_PER_S" a line ("4GiB,2473.9"); '#' begins a comment.
Result<std::vector<CurvePoint>> parse_curve(std::string_view text);

/// How differently people need memory. The first paper assumes that they hardly do.
struct Spread {
    std::size_t people = 0;
    double least = 0, median = 0, greatest = 0; ///< MiB
    double variation = 0;                       ///< standard deviation / mean
    double greatest_to_least = 0;
};

Spread spread_of(std::vector<double> needs_mebibytes);

} // namespace baton::monitor
