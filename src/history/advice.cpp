#include "history/advice.h"

#include <boost/json/array.hpp>

#include <algorithm>
#include <map>

namespace json = boost::json;

namespace baton::history {
namespace {

constexpr double mebibyte = 1024.0 * 1024.0;

struct Someone {
    std::string name, image;
    std::vector<Point> points; ///< ascending in time
};

class Everybody {
  public:
    Everybody(Samples& samples, const std::string& session, const Span& span)
        : samples_(samples), session_(session), span_(span) {}

    Result<std::vector<Someone>> find();

  private:
    Result<void> add_stays(std::map<std::int64_t, Subject>& subjects);
    Result<void> add(const std::string& name, const std::string& image, std::int64_t subject,
                     Seconds from, Seconds until);

    Samples& samples_;
    const std::string& session_;
    const Span& span_;
    std::map<std::pair<std::string, std::string>, Someone> found_;
};

Result<void> Everybody::add(const std::string& name, const std::string& image, std::int64_t subject,
                            Seconds from, Seconds until) {
    const auto points = samples_.read(subject, from, until, Resolution::minute);
    if (!points)
        return tl::unexpected(points.error());
    Someone& someone = found_[{name, image}];
    someone.name = name;
    someone.image = image;
    someone.points.insert(someone.points.end(), points->begin(), points->end());
    return {};
}

/// What is somebody's goes out of `subjects`.
Result<void> Everybody::add_stays(std::map<std::int64_t, Subject>& subjects) {
    std::map<std::string, Person> people;
    auto persons = samples_.people();
    if (!persons)
        return tl::unexpected(persons.error());
    for (Person& person : *persons)
        people[person.session] = std::move(person);
    const auto stays = samples_.stays();
    if (!stays)
        return tl::unexpected(stays.error());
    for (const Stay& stay : *stays) {
        subjects.erase(stay.subject);
        if (!session_.empty() && stay.session != session_)
            continue;
        const auto person = people.find(stay.session);
        const bool known = person != people.end();
        BATON_TRY(add(known ? person->second.user : stay.session, known ? person->second.image : "",
                      stay.subject, std::max(span_.from, stay.since),
                      std::min(span_.until, stay.until + 1)));
    }
    return {};
}

Result<std::vector<Someone>> Everybody::find() {
    auto all = samples_.subjects();
    if (!all)
        return tl::unexpected(all.error());
    std::map<std::int64_t, Subject> subjects;
    for (Subject& subject : *all)
        subjects[subject.id] = std::move(subject);
    BATON_TRY(add_stays(subjects));
    for (const auto& [id, subject] : subjects)
        if (session_.empty() && subject.kind == Kind::desktop)
            BATON_TRY(add(subject.name, "", id, span_.from, span_.until));
    std::vector<Someone> everybody;
    for (auto& [key, someone] : found_) {
        std::sort(someone.points.begin(), someone.points.end(),
                  [](const Point& a, const Point& b) { return a.at < b.at; });
        everybody.push_back(std::move(someone));
    }
    return everybody;
}

std::optional<double> largest_in_units(const Point& point, Metric metric) {
    const std::int64_t value = point.values[metric].greatest;
    if (value == none)
        return std::nullopt;
    return static_cast<double>(value) * info(metric).scale;
}

AdviceFor advice_for(const Someone& someone, const AdviceWanted& wanted) {
    monitor::SizingRule rule;
    rule.curve_tolerance = wanted.tolerance;
    monitor::Sizing sizing(wanted.sizes, rule);
    sizing.set_curve(wanted.curve);
    std::optional<Mebibytes> present;
    double hour = 0;
    for (const Point& point : someone.points) {
        hour = static_cast<double>(point.at) / 3600;
        monitor::NeedSample sample;
        sample.hour = hour;
        if (const auto need = largest_in_units(point, Metric::memory_used))
            sample.need_mebibytes = *need / mebibyte;
        sample.pressure_percent = largest_in_units(point, Metric::memory_pressure);
        sample.swap_in_bytes_per_second = largest_in_units(point, Metric::swap_in);
        sample.major_faults_per_second = largest_in_units(point, Metric::major_faults);
        if (const auto given = largest_in_units(point, Metric::memory_given))
            present = Mebibytes(static_cast<std::int64_t>(*given / mebibyte));
        sizing.observe(sample);
    }
    return {someone.name, someone.image, present, sizing.advise(hour, present)};
}

monitor::Spread spread_over(const std::vector<AdviceFor>& all) {
    std::vector<double> needs;
    for (const AdviceFor& one : all)
        if (one.advice.base_mebibytes > 0)
            needs.push_back(one.advice.base_mebibytes);
    return monitor::spread_of(needs);
}

/// What the pool would gain (or, negative, has to give), over those whose present size is known.
std::int64_t gain_of(const std::vector<AdviceFor>& all) {
    std::int64_t gain = 0;
    for (const AdviceFor& one : all)
        if (one.present && one.advice.size)
            gain += one.present->count - one.advice.size->count;
    return gain;
}

} // namespace

Result<std::vector<AdviceFor>> advise(Samples& samples, const AdviceWanted& wanted,
                                      const Span& span) {
    const auto everybody = Everybody(samples, wanted.session, span).find();
    if (!everybody)
        return tl::unexpected(everybody.error());
    std::vector<AdviceFor> all;
    for (const Someone& someone : *everybody)
        all.push_back(advice_for(someone, wanted));
    return all;
}

json::object to_json(const std::vector<AdviceFor>& all) {
    json::array people;
    const auto size = [](const std::optional<Mebibytes>& value) {
        return value ? json::value(value->count) : json::value(nullptr);
    };
    for (const AdviceFor& one : all)
        people.push_back(json::object{{"who", one.who},
                                      {"image", one.image},
                                      {"present_mib", size(one.present)},
                                      {"advised_mib", size(one.advice.size)},
                                      {"base_mib", one.advice.base_mebibytes},
                                      {"peak_mib", one.advice.peak_mebibytes},
                                      {"shortage", one.advice.shortage},
                                      {"waits", one.advice.waits_quietly},
                                      {"why", one.advice.why}});
    const monitor::Spread spread = spread_over(all);
    return {{"people", std::move(people)},
            {"gain_mib", gain_of(all)},
            {"spread", json::object{{"people", spread.people},
                                    {"least_mib", spread.least},
                                    {"median_mib", spread.median},
                                    {"greatest_mib", spread.greatest},
                                    {"greatest_to_least", spread.greatest_to_least},
                                    {"variation", spread.variation}}}};
}

} // namespace baton::history
