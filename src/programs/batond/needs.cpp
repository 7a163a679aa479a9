#include "programs/batond/needs.h"

#include <fmt/format.h>

#include <chrono>

namespace baton::controller {

namespace {

constexpr double bytes_per_mebibyte = 1024.0 * 1024.0;
/// Sessions are looked up once; more than that are not remembered.
constexpr std::size_t most_holders = 100'000;

} // namespace

void Needs::take(const monitor::Reading& reading, const handoff::Engine& engine) {
    const double hour =
        std::chrono::duration<double, std::ratio<3600>>(reading.wall.time_since_epoch()).count();
    for (const monitor::DesktopReading& desktop : reading.desktops) {
        const SessionId& session = desktop.who.session;
        if (session.empty() || !desktop.rates.memory_used_bytes)
            continue;
        auto holder = holders_.find(session);
        if (holder == holders_.end()) {
            const auto view = engine.session(session);
            if (!view)
                continue;
            if (holders_.size() >= most_holders)
                holders_.clear();
            holder = holders_.emplace(session, Holder{view->row.user, view->row.image}).first;
        }
        monitor::NeedSample sample;
        sample.hour = hour;
        sample.need_mebibytes = *desktop.rates.memory_used_bytes / bytes_per_mebibyte;
        sample.pressure_percent = desktop.rates.pressure.memory_some_percent;
        sample.swap_in_bytes_per_second = desktop.rates.swap_in_bytes_per_second;
        sample.major_faults_per_second = desktop.rates.major_faults_per_second;
        observe(holder->second.user, holder->second.image, sample);
    }
}

void Needs::observe(const UserName& user, const OsImageId& image,
                    const monitor::NeedSample& sample) {
    const auto [entry, is_new] = people_.try_emplace(
        {user.value, image.value}, Person{monitor::Sizing(sizes_), sample.hour, sample.hour});
    entry->second.last_hour = sample.hour;
    entry->second.sizing.observe(sample);
}

std::optional<handoff::AdvisedFloor> Needs::find(const UserName& user,
                                                 const OsImageId& image) const {
    const auto found = people_.find({user.value, image.value});
    if (found == people_.end())
        return std::nullopt;
    const Person& person = found->second;
    if (person.last_hour - person.first_hour < least_hours_)
        return std::nullopt;
    const auto advice = person.sizing.advise(person.last_hour, std::nullopt);
    if (advice.size)
        return handoff::AdvisedFloor{*advice.size, advice.why};
    if (advice.base_mebibytes > 0 && !sizes_.empty()) // more than there is: the largest
        return handoff::AdvisedFloor{sizes_.back(), advice.why};
    return std::nullopt;
}

std::vector<Mebibytes> sizes_of(const allocation::Settings& settings) {
    std::vector<Mebibytes> sizes;
    for (unsigned level = settings.levels; level-- > 0;)
        sizes.push_back(settings.largest.halved(level));
    return sizes;
}

} // namespace baton::controller
