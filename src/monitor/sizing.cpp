#include "monitor/sizing.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

namespace baton::monitor {
namespace {

/// Buckets begin at 16 MiB and grow by 5 %: 256 of them reach beyond 4 TiB.
constexpr double first_bucket_mebibytes = 16;
constexpr double growth = 1.05;
constexpr double hours_per_day = 24;

int bucket_of(double mebibytes, int buckets) {
    if (!(mebibytes > first_bucket_mebibytes))
        return 0;
    const double place = std::log(mebibytes / first_bucket_mebibytes) / std::log(growth);
    return std::min(buckets - 1, static_cast<int>(std::ceil(place - 1e-9)));
}

double upper_end(int bucket) {
    return first_bucket_mebibytes * std::pow(growth, bucket);
}

double mebibytes_of(Mebibytes size) {
    return static_cast<double>(size.count);
}

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(" \t\r");
    if (first == std::string_view::npos)
        return {};
    return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

} // namespace

void DecayingHistogram::rescale(double to_hour) {
    const double factor = std::exp2((reference_hour_ - to_hour) / half_life_hours_);
    for (double& weight : weights_)
        weight *= factor;
    total_ *= factor;
    reference_hour_ = to_hour;
}

void DecayingHistogram::add(double hour, double mebibytes, double weight) {
    if (!std::isfinite(mebibytes) || mebibytes < 0 || !(weight > 0))
        return;
    if (empty() || hour > reference_hour_)
        rescale(hour);
    const double counted = weight * std::exp2((hour - reference_hour_) / half_life_hours_);
    weights_[static_cast<std::size_t>(bucket_of(mebibytes, buckets))] += counted;
    total_ += counted;
}

std::optional<double> DecayingHistogram::percentile(double share) const {
    if (empty())
        return std::nullopt;
    double sum = 0;
    for (int bucket = 0; bucket < buckets; ++bucket) {
        sum += weights_[static_cast<std::size_t>(bucket)];
        if (sum >= total_ * share - total_ * 1e-12)
            return upper_end(bucket);
    }
    return upper_end(buckets - 1);
}

Sizing::Sizing(std::vector<Mebibytes> sizes, SizingRule rule)
    : sizes_(std::move(sizes)), rule_(rule) {
    std::sort(sizes_.begin(), sizes_.end());
    last_need_of_size_.assign(sizes_.size(), -1e18);
}

bool Sizing::short_of_cache(const NeedSample& sample) const {
    if (sample.pressure_percent)
        return *sample.pressure_percent > rule_.pressure_percent;
    return sample.swap_in_bytes_per_second.value_or(0) > rule_.swap_in_bytes_per_second ||
           sample.major_faults_per_second.value_or(0) > rule_.major_faults_per_second;
}

void Sizing::observe(const NeedSample& sample) {
    if (short_of_cache(sample))
        last_shortage_ = sample.hour;
    if (!sample.need_mebibytes || !std::isfinite(*sample.need_mebibytes) ||
        *sample.need_mebibytes < 0)
        return;
    const double need = *sample.need_mebibytes;
    if (!first_hour_)
        first_hour_ = sample.hour;
    const double day = std::floor(sample.hour / hours_per_day);
    if (day != day_) {
        close_day();
        day_ = day;
    }
    if (need >= day_peak_) {
        day_peak_ = need;
        day_peak_hour_ = sample.hour;
    }
    peak_ = std::max(peak_, need);
    // for rule 4: which size this moment would have needed, with what has to be to spare
    for (std::size_t i = 0; i < sizes_.size(); ++i)
        if (need * rule_.headroom > mebibytes_of(sizes_[i]) * (1 - rule_.hysteresis))
            last_need_of_size_[i] = sample.hour;
}

void Sizing::close_day() {
    if (day_peak_ > 0)
        peaks_.add(day_peak_hour_, day_peak_);
    day_peak_ = 0;
}

std::optional<Mebibytes> Sizing::smallest(double mebibytes) const {
    for (const Mebibytes size : sizes_)
        if (mebibytes_of(size) >= mebibytes)
            return size;
    return std::nullopt;
}

Advice Sizing::advise(double hour, std::optional<Mebibytes> present) const {
    Advice advice;
    DecayingHistogram peaks = peaks_; // and the day that is not over
    if (day_peak_ > 0)
        peaks.add(day_peak_hour_, day_peak_);
    const auto percentile = peaks.percentile(rule_.percentile);
    if (!percentile) {
        advice.why = "nothing has been measured yet";
        return advice;
    }
    advice.peak_mebibytes = peak_;
    // a bucket's upper end may lie above everything that was ever seen
    advice.base_mebibytes = std::min(*percentile, peak_) * rule_.headroom;
    advice.size = smallest(advice.base_mebibytes);
    advice.why = fmt::format("90 % of daily peaks are under {:.0f} MiB, and 15 % to spare make "
                             "{:.0f} MiB",
                             std::min(*percentile, peak_), advice.base_mebibytes);
    if (!curve_.empty()) {
        const Mebibytes base{static_cast<std::int64_t>(std::ceil(advice.base_mebibytes))};
        const auto chosen = from_curve(curve_, base, rule_.curve_tolerance);
        if (chosen && *chosen >= base) { // a curve that ends below the need says nothing about it
            advice.size = smallest(mebibytes_of(*chosen));
            advice.why += fmt::format("; by the curve {} read about as fast as the largest size",
                                      to_string(*chosen));
        }
    }
    if (present && last_shortage_ && hour - *last_shortage_ < rule_.quiet_hours) {
        const auto more = smallest(mebibytes_of(*present) + 1);
        if (more && (!advice.size || *more > *advice.size)) {
            advice.size = more;
            advice.shortage = true;
            advice.why += fmt::format("; short of page cache {:.1f} h ago: one size more than {}",
                                      hour - *last_shortage_, to_string(*present));
        }
    }
    if (!advice.size)
        advice.why += "; no size is that large";
    if (!present || !advice.size || *advice.size >= *present)
        return advice;
    // rule 4: one size down, and only when the smaller one would have been enough for long enough
    const auto here = std::lower_bound(sizes_.begin(), sizes_.end(), *present) - sizes_.begin();
    if (here == 0)
        return advice;
    const auto below = static_cast<std::size_t>(here - 1);
    // what was never watched is not quiet
    const double quiet = hour - std::max(first_hour_.value_or(hour), last_need_of_size_[below]);
    const bool spare =
        advice.base_mebibytes <= mebibytes_of(sizes_[below]) * (1 - rule_.hysteresis);
    if (quiet < rule_.quiet_hours || !spare) {
        advice.size = present;
        advice.waits_quietly = true;
        advice.why += fmt::format("; stays at {} until {} has been enough for {:.0f} h with 10 % "
                                  "to spare",
                                  to_string(*present), to_string(sizes_[below]), rule_.quiet_hours);
    } else {
        advice.size = sizes_[below];
    }
    return advice;
}

Result<Mebibytes> from_curve(std::vector<CurvePoint> curve, Mebibytes base, double tolerance) {
    std::sort(curve.begin(), curve.end(),
              [](const CurvePoint& a, const CurvePoint& b) { return a.memory < b.memory; });
    if (curve.size() < 2)
        return fail(Errc::invalid_argument, "a throughput curve needs two sizes or more");
    for (const CurvePoint& point : curve)
        if (!std::isfinite(point.megabytes_per_second) || point.megabytes_per_second <= 0)
            return fail(
                Errc::invalid_argument,
                fmt::format("the throughput at {} is no positive number", to_string(point.memory)));
    const double enough = (1 - tolerance) * curve.back().megabytes_per_second;
    for (const CurvePoint& point : curve)
        if (point.memory >= base && point.megabytes_per_second >= enough)
            return point.memory;
    return curve.back().memory;
}

Result<std::vector<CurvePoint>> parse_curve(std::string_view text) {
    std::vector<CurvePoint> curve;
    int number = 0;
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        ++number;
        line = trimmed(line.substr(0, line.find('#')));
        if (line.empty())
            continue;
        const auto comma = line.find(',');
        const auto wrong = [&] {
            return fail(Errc::invalid_argument,
                        fmt::format("line {} of the curve is not MEMORY,MB_PER_S", number),
                        "for example: 4GiB,2473.9");
        };
        if (comma == std::string_view::npos)
            return wrong();
        const auto memory = parse_mebibytes(std::string(trimmed(line.substr(0, comma))));
        const std::string_view speed = trimmed(line.substr(comma + 1));
        CurvePoint point;
        const auto read =
            std::from_chars(speed.data(), speed.data() + speed.size(), point.megabytes_per_second);
        if (!memory || read.ec != std::errc() || read.ptr != speed.data() + speed.size())
            return wrong();
        point.memory = *memory;
        curve.push_back(point);
    }
    return curve;
}

Spread spread_of(std::vector<double> needs) {
    Spread spread;
    spread.people = needs.size();
    if (needs.empty())
        return spread;
    std::sort(needs.begin(), needs.end());
    spread.least = needs.front();
    spread.greatest = needs.back();
    spread.median = (needs[(needs.size() - 1) / 2] + needs[needs.size() / 2]) / 2;
    const auto count = static_cast<double>(needs.size());
    const double mean = std::accumulate(needs.begin(), needs.end(), 0.0) / count;
    double squares = 0;
    for (const double need : needs)
        squares += (need - mean) * (need - mean);
    spread.variation = mean > 0 ? std::sqrt(squares / count) / mean : 0;
    spread.greatest_to_least = spread.least > 0 ? spread.greatest / spread.least : 0;
    return spread;
}

} // namespace baton::monitor
