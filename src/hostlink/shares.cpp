#include "hostlink/shares.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

namespace baton::hostlink {

using monitor::ShareChange;
using monitor::ShareRule;

ShareKeeper::ShareKeeper(Ports ports, bool wanted)
    : ports_(std::move(ports)), state_(wanted ? CpuSharesState::untried : CpuSharesState::off) {}

ShareKeeper::~ShareKeeper() {
    *life_ = nullptr;
}

CpuSharesTold ShareKeeper::status() const {
    CpuSharesTold told;
    told.state = state_;
    told.why = why_;
    return told;
}

void ShareKeeper::begin_anew() {
    if (state_ == CpuSharesState::off)
        return;
    ++turn_;
    busy_ = false;
    seen_.clear();
    rule_ = ShareRule();
    state_ = CpuSharesState::untried;
    why_.clear();
}

void ShareKeeper::take(const monitor::Reading& reading) {
    if (busy_ || state_ == CpuSharesState::off || state_ == CpuSharesState::unsupported)
        return;
    Round round;
    std::set<DesktopId> present;
    for (const monitor::DesktopReading& desktop : reading.desktops) {
        const DesktopId& id = desktop.who.desktop;
        if (id.empty() || desktop.who.state != monitor::DomainState::running)
            continue;
        present.insert(id);
        if (!seen_.contains(id))
            round.fresh.push_back(id);
    }
    seen_ = std::move(present);
    if (auto plan = rule_.take(reading))
        round.plan = std::move(*plan);
    if (!round.fresh.empty() || !round.plan.changes.empty())
        carry_out(std::move(round));
}

void ShareKeeper::carry_out(Round round) {
    busy_ = true;
    ports_.workers("cpu shares", [life = life_, &hypervisor = ports_.hypervisor,
                                  &clock = ports_.clock, turn = turn_,
                                  round = std::move(round)]() mutable {
        Done all;
        for (const DesktopId& desktop : round.fresh)
            all.fresh.push_back(hypervisor.set_cpu_weight(desktop, ShareRule::equal_weight));
        for (const ShareChange& change : round.plan.changes)
            all.changes.push_back(hypervisor.set_cpu_weight(change.desktop, change.weight));
        all.round = std::move(round);
        clock.post([life, turn, all = std::move(all)] {
            if (auto* keeper = *life; keeper != nullptr && keeper->turn_ == turn)
                keeper->done(all);
        });
    });
}

void ShareKeeper::done(const Done& done) {
    busy_ = false;
    const Error* refusal = nullptr;
    for (const auto* results : {&done.fresh, &done.changes})
        for (const auto& result : *results)
            if (!result && result.error().code == Errc::unsupported)
                refusal = &result.error();
    if (refusal != nullptr)
        return become(CpuSharesState::unsupported, refusal->message());
    for (std::size_t i = 0; i < done.fresh.size(); ++i)
        if (!done.fresh[i]) // ended meanwhile, or to be tried at the next reading
            seen_.erase(done.round.fresh[i]);
        else
            become(CpuSharesState::on, "");
    CpuSharesTold told;
    told.news = true;
    for (std::size_t i = 0; i < done.changes.size(); ++i) {
        const ShareChange& change = done.round.plan.changes[i];
        if (!done.changes[i]) {
            rule_.undo(change);
            if (done.changes[i].error().code != Errc::not_found)
                spdlog::warn("{}", done.changes[i].error().message());
            continue;
        }
        become(CpuSharesState::on, "");
        told.changes.push_back({change.desktop, change.was, change.weight});
    }
    if (told.changes.empty())
        return;
    told.state = CpuSharesState::on;
    told.why = done.round.plan.reason;
    ports_.tell(told);
}

void ShareKeeper::become(CpuSharesState state, const std::string& why) {
    if (state_ == state)
        return;
    state_ = state;
    why_ = why;
    if (state == CpuSharesState::unsupported)
        spdlog::warn("CPU shares stay equal on this host: {}", why);
    CpuSharesTold told = status();
    told.news = state == CpuSharesState::unsupported;
    ports_.tell(told);
}

} // namespace baton::hostlink
