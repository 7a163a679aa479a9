/// What the allocator promises, for any hosts and any order of events, checked against machines
/// that know nothing of its bookkeeping (world.h).
#include "unit/allocation_properties/world.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <numeric>

namespace baton::allocation {

/// What rapidcheck prints of a counterexample.
std::ostream& operator<<(std::ostream& out, const Fleet& fleet) {
    out << fleet.settings.levels << " levels from " << fleet.settings.largest.count
        << " MiB, margin " << fleet.settings.margin << ", hosts of";
    for (const auto& host : fleet.hosts)
        out << " " << host.capacity.count;
    return out;
}

namespace {

/// S up to 64, M up to 6; small ones are as likely as large ones.
rc::Gen<Fleet> fleets(bool equal) {
    return rc::gen::exec([equal] {
        Fleet fleet;
        fleet.settings.levels = *rc::gen::inRange(1U, 7U);
        const std::int64_t unit = *rc::gen::element<std::int64_t>(1, 3, 512);
        fleet.settings.largest = Mebibytes(unit << (fleet.settings.levels - 1));
        fleet.settings.margin = *rc::gen::element(0U, 1U, 1U, 2U);
        const int most = *rc::gen::element(2, 3, 4, 8, 8, 16, 64);
        const int hosts = *rc::gen::inRange(1, most + 1);
        for (int i = 1; i <= hosts; ++i) {
            const std::int64_t capacity =
                equal ? fleet.settings.largest.count
                      : *rc::gen::inRange(unit, 3 * fleet.settings.largest.count + 1);
            fleet.hosts.push_back({HostId(fmt::format("host{}", i)), Mebibytes(capacity), true});
        }
        return fleet;
    });
}

rc::Gen<Fleet> any_fleet() {
    return rc::gen::mapcat(rc::gen::arbitrary<bool>(), [](bool equal) { return fleets(equal); });
}

rc::Gen<std::string> any_policy() {
    return rc::gen::element<std::string>("paper", "lazy", "advised");
}

enum class Op {
    join,
    join_many,
    leave,
    leave_many,
    finish,
    cancel,
    grow,
    grow_one,
    not_now,
    now,
    drain,
    undrain,
    evacuate,
    lose,
    bring_back,
    load,
    floor
};

struct Step {
    Op op;
    std::size_t which;
};

std::ostream& operator<<(std::ostream& out, const Step& step) {
    return out << static_cast<int>(step.op) << ":" << step.which;
}

rc::Gen<std::vector<Step>> steps(std::vector<Op> ops) {
    return rc::gen::scale(
        1.5, rc::gen::container<std::vector<Step>>(rc::gen::apply(
                 [](Op op, std::size_t which) { return Step{op, which}; },
                 rc::gen::elementOf(std::move(ops)), rc::gen::inRange<std::size_t>(0, 100'000))));
}

void perform(World& world, const Step& step) {
    const std::size_t capacity = world.allocator().capacity() + 1;
    switch (step.op) {
    case Op::join:
        world.join();
        break;
    case Op::join_many:
        for (std::size_t n = step.which % capacity; n > 0 && world.join(); --n)
            world.finish_all();
        break;
    case Op::leave:
        world.leave(step.which);
        break;
    case Op::leave_many:
        for (std::size_t n = step.which % (world.sessions() + 1); n > 0; --n)
            world.leave(step.which + n * 7);
        break;
    case Op::finish:
        world.finish(step.which);
        break;
    case Op::cancel:
        world.cancel(step.which);
        break;
    case Op::grow:
        world.grow(std::nullopt);
        break;
    case Op::grow_one:
        world.grow(step.which);
        break;
    case Op::not_now:
    case Op::now:
        world.set_movable(step.which, step.op == Op::now);
        break;
    case Op::drain:
    case Op::undrain:
        world.set_accepts(step.which, step.op == Op::undrain);
        break;
    case Op::evacuate:
        world.evacuate(step.which);
        break;
    case Op::lose:
        world.lose(step.which);
        break;
    case Op::bring_back:
        world.bring_back(step.which);
        break;
    case Op::floor:
        world.set_floor(step.which, static_cast<unsigned>(step.which % 7));
        break;
    case Op::load:
        world.set_load(step.which / load_count, static_cast<Load>(step.which % load_count));
        break;
    }
}

const std::vector<Op> everything{
    Op::join,       Op::join,   Op::join_many, Op::leave,    Op::leave,    Op::leave_many,
    Op::finish,     Op::finish, Op::cancel,    Op::grow,     Op::grow_one, Op::not_now,
    Op::now,        Op::drain,  Op::undrain,   Op::evacuate, Op::evacuate, Op::lose,
    Op::bring_back, Op::load,   Op::load,      Op::floor,    Op::floor};

const std::vector<Op> people{Op::join,       Op::join,   Op::join_many, Op::leave,  Op::leave,
                             Op::leave_many, Op::finish, Op::finish,    Op::cancel, Op::grow,
                             Op::grow_one,   Op::load,   Op::floor};

/// While somebody is larger than the smallest: a slot is free, or a handoff under way frees one.
void expect_room_for_the_next_handoff(const World& world) {
    RC_ASSERT(!world.anybody_larger_than_smallest() || world.slot_is_free() ||
              world.handoffs() > 0);
}

/// Until nobody is offered more memory.
std::size_t grow_all(World& world) {
    std::size_t grown = 0;
    for (; world.grow(std::nullopt); ++grown) {
        world.finish_all();
        RC_ASSERT(grown < 100'000U); // it ends
    }
    return grown;
}

// ---------------------------------------------------------------- at every instant

// World throws when a desktop is started in memory that is not free, old and new overlapping.
RC_GTEST_PROP(AllocationProperties, NoMemoryIsEverPromisedTwice, ()) {
    World world(*any_fleet(), *any_policy());
    for (const Step& step : *steps(everything)) {
        perform(world, step);
        world.check();
    }
}

RC_GTEST_PROP(AllocationProperties, ATraceGivesTheSamePlansAgain, ()) {
    const Fleet fleet = *any_fleet();
    const auto policy = *any_policy();
    const auto trace = *steps(everything);
    World first(fleet, policy);
    World second(fleet, policy);
    for (const Step& step : trace)
        perform(first, step);
    for (const Step& step : trace)
        perform(second, step);
    RC_ASSERT(first.transcript() == second.transcript());
}

RC_GTEST_PROP(AllocationProperties, ThereIsAlwaysRoomForTheNextHandoffOrOneIsUnderWay, ()) {
    World world(*any_fleet(), *any_policy());
    for (const Step& step : *steps(people)) {
        perform(world, step);
        expect_room_for_the_next_handoff(world);
    }
    world.finish_all();
    expect_room_for_the_next_handoff(world);
}

// However the memory was cut up before: after handoffs under way have ended, everybody fits.
RC_GTEST_PROP(AllocationProperties, NobodyIsRefusedBeforeThePlacesAreAllTaken, ()) {
    World world(*any_fleet(), *any_policy());
    for (const Step& step : *steps(people)) {
        const bool all_taken = world.sessions() == world.allocator().capacity();
        const bool waiting = world.handoffs() > 0;
        if (step.op == Op::join) {
            if (const bool joined = world.join(); !joined) {
                RC_ASSERT(all_taken || waiting);
                RC_ASSERT(world.last_refusal()->code == (all_taken ? Errc::refused : Errc::busy));
            } else {
                RC_ASSERT(!all_taken);
            }
        } else {
            perform(world, step);
        }
    }
    world.finish_all();
    while (world.join()) {
        RC_ASSERT(world.handoffs() <= 1U);
        world.finish_all();
    }
    RC_ASSERT(world.sessions() == world.allocator().capacity());
    RC_ASSERT(world.last_refusal()->code == Errc::refused);
}

// ---------------------------------------------------------------- only joining

RC_GTEST_PROP(AllocationProperties, WhileOnlyJoiningTheRuleOfThePaperHolds, ()) {
    const Fleet fleet = *any_fleet();
    World world(fleet, "paper");
    const auto slots = [&](unsigned level) {
        std::int64_t count = 0;
        for (const auto& host : fleet.hosts)
            count += host.capacity.count / fleet.settings.largest.halved(level).count;
        return count;
    };
    const std::int64_t all = slots(fleet.settings.levels - 1);
    const bool loads = *rc::gen::arbitrary<bool>();
    for (std::int64_t n = 1; n <= all; ++n) {
        if (loads) // they move desktops to other hosts, and change nothing else
            perform(world, {Op::load, *rc::gen::inRange<std::size_t>(0, 100'000)});
        const std::size_t before = world.begun();
        RC_ASSERT(world.join());
        RC_ASSERT(world.begun() - before <= 1U);
        world.finish_all();
        // the newcomer has C/2^m, and nobody has less or more than twice as much
        unsigned m = 0;
        while (m + 1 < fleet.settings.levels && n > slots(m) - 1)
            ++m;
        const Mebibytes due = fleet.settings.largest.halved(m);
        RC_ASSERT(world.allocator().find(world.nth(n - 1))->block.size == due);
        for (const auto& [size, count] : world.sizes())
            RC_ASSERT(count == 0 || size == due || size == due * 2);
        if (n == slots(m) - 1) // n = U(m): everybody has exactly C/2^m, and one slot is free
            RC_ASSERT(world.sizes().at(due) == n);
        RC_ASSERT((world.allocator().free_total() >= due) == (n < all));
    }
    world.check();
    RC_ASSERT(!world.join());
    RC_ASSERT(world.last_refusal()->code == Errc::refused);
    RC_ASSERT(world.last_refusal()->what.find(fmt::format("{} of {}", all, all)) !=
              std::string::npos);
}

// ---------------------------------------------------------------- hysteresis

RC_GTEST_PROP(AllocationProperties, OneWhoComesAndGoesCostsNoHandoffEachTime, ()) {
    Fleet fleet = *any_fleet();
    fleet.settings.margin = std::max(1U, fleet.settings.margin);
    World world(fleet, *any_policy());
    for (const Step& step :
         *steps({Op::join, Op::join_many, Op::leave, Op::leave_many, Op::load})) {
        perform(world, step);
        world.finish_all();
        grow_all(world);
    }
    if (world.sessions() == world.allocator().capacity())
        world.leave(0);
    const auto come_and_go = [&] {
        RC_ASSERT(world.join());
        world.finish_all();
        world.leave(world.sessions() - 1);
        grow_all(world);
    };
    come_and_go();
    const std::size_t settled = world.begun();
    for (int i = 0; i < 3; ++i)
        come_and_go();
    RC_ASSERT(world.begun() == settled);
}

RC_GTEST_PROP(AllocationProperties, WhoHasGrownDoesNotStandInTheWayOfTheNext, ()) {
    Fleet fleet = *any_fleet();
    const auto policy = *any_policy();
    // "lazy" gives a newcomer up to twice the size due, so that a larger margin is half of it
    fleet.settings.margin = policy == "lazy" ? 1U : *rc::gen::inRange(1U, 5U);
    World world(fleet, policy);
    for (const Step& step : *steps({Op::join, Op::join_many, Op::leave, Op::leave_many})) {
        perform(world, step);
        world.finish_all();
    }
    if (grow_all(world) == 0)
        return;
    for (unsigned i = 0; i < fleet.settings.margin; ++i) {
        const std::size_t before = world.begun();
        RC_ASSERT(world.join());
        RC_ASSERT(world.begun() == before);
    }
}

// ---------------------------------------------------------------- leaving

RC_GTEST_PROP(AllocationProperties, WhenEverybodyHasLeftAllIsAsNew, ()) {
    const Fleet fleet = *any_fleet();
    const auto policy = *any_policy();
    World used(fleet, policy);
    for (const Step& step : *steps(people))
        perform(used, step);
    while (used.sessions() > 0)
        used.leave(0);
    used.forget_loads();
    used.set_floor(0, fleet.settings.levels); // who comes next needs nothing either
    World fresh(fleet, policy);
    const auto blocks = [](World& world) {
        while (world.join())
            world.finish_all();
        std::vector<Block> all;
        for (const auto& placement : world.allocator().placements())
            all.push_back(placement.block);
        return all;
    };
    RC_ASSERT(blocks(used) == blocks(fresh));
}

// ---------------------------------------------------------------- hosts

RC_GTEST_PROP(AllocationProperties, AHostIsEmptiedWhenTheOthersHaveThePlaces, ()) {
    const Fleet fleet = *any_fleet();
    World world(fleet, *any_policy());
    for (const Step& step : *steps(people))
        perform(world, step);
    world.finish_all();
    const auto host = *rc::gen::inRange<std::size_t>(0, fleet.hosts.size());
    world.set_accepts(host, false);
    while (world.sessions() > world.allocator().capacity())
        world.leave(world.sessions() - 1);
    for (std::size_t moves = 0; !world.host_is_empty(host); ++moves) {
        RC_ASSERT(moves < 10'000U); // it ends
        std::size_t n = 0;
        while (!world.on_host(n, host))
            ++n;
        RC_ASSERT(world.evacuate(n));
        world.finish_all();
    }
    world.check();
}

RC_GTEST_PROP(AllocationProperties, WhatRunsIsFoundAgainAtStartUpInAnyOrder, ()) {
    const Fleet fleet = *any_fleet();
    const auto policy = *any_policy();
    World world(fleet, policy);
    for (const Step& step : *steps(people))
        perform(world, step);
    const auto found = world.found_at_start_up();
    std::vector<std::size_t> order(found.size());
    std::iota(order.begin(), order.end(), 0U);
    const auto keys =
        *rc::gen::container<std::vector<unsigned>>(found.size(), rc::gen::arbitrary<unsigned>());
    std::ranges::sort(order, {}, [&](std::size_t i) { return keys[i]; });

    const auto again = std::move(make_allocator(policy, fleet.settings, fleet.hosts)).value();
    for (const std::size_t i : order) {
        const auto& [session, block, coming] = found[i];
        RC_ASSERT(again->adopt(session, block.host, block.size, i + 1).has_value());
        if (coming)
            RC_ASSERT(again->adopt_handoff(session, coming->host, coming->size).has_value());
    }
    for (const auto& host : fleet.hosts)
        RC_ASSERT(again->used(host.id) == world.allocator().used(host.id));
    const auto placements = again->placements();
    RC_ASSERT(placements.size() == found.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
        const Block& expected = found[i].coming ? *found[i].coming : found[i].block;
        RC_ASSERT(placements[i].session == found[i].session);
        RC_ASSERT(placements[i].block.host == expected.host);
        RC_ASSERT(placements[i].block.size == expected.size);
        if (found[i].coming)
            RC_ASSERT(again->finish_handoff(found[i].session).has_value());
    }
}

} // namespace
} // namespace baton::allocation
