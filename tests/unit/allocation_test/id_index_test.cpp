#include "allocation/id_index.h"

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <random>
#include <vector>

namespace {

using baton::allocation::IdIndex;

/// Members have names; what lies in a slot is the name of whoever was given it.
struct Members {
    IdIndex index;
    std::vector<int> slots = std::vector<int>(index.slots(), -1);
    std::map<int, std::uint64_t> hashes; ///< of who is there

    std::optional<std::uint32_t> find(int name, std::uint64_t hash) {
        return index.find(hash, [&](std::uint32_t slot) { return slots.at(slot) == name; });
    }

    void add(int name, std::uint64_t hash) {
        if (!index.has_room(hashes.size())) {
            index.clear_and_double();
            slots.assign(index.slots(), -1);
            for (const auto& [other, its] : hashes)
                slots.at(index.insert(its)) = other;
        }
        const std::uint32_t slot = index.insert(hash);
        ASSERT_EQ(slots.at(slot), -1) << "the slot was somebody's";
        slots.at(slot) = name;
        hashes[name] = hash;
    }

    void remove(int name) {
        const auto slot = find(name, hashes.at(name));
        ASSERT_TRUE(slot);
        index.erase(hashes.at(name), *slot);
        slots.at(*slot) = -1;
        hashes.erase(name);
    }
};

/// Hashes that differ in the bits under `mask` alone: the fewer, the more share a home and a tag.
void come_and_go(std::uint64_t mask, int events) {
    std::mt19937_64 random(mask);
    Members members;
    int next = 0;
    for (int i = 0; i < events; ++i) {
        const bool filling = i % 2000 < 1000;
        if (members.hashes.empty() || (random() % 10 < 7) == filling) {
            members.add(next++, random() & mask);
        } else {
            auto one = members.hashes.lower_bound(static_cast<int>(random() % next));
            if (one == members.hashes.end())
                one = members.hashes.begin();
            const auto [name, hash] = *one;
            members.remove(name);
            ASSERT_FALSE(members.find(name, hash));
        }
        if (::testing::Test::HasFatalFailure())
            return;
        if (i % 50 != 0)
            continue;
        for (const auto& [name, hash] : members.hashes)
            ASSERT_TRUE(members.find(name, hash)) << name << " is not found";
    }
    while (!members.hashes.empty())
        members.remove(members.hashes.begin()->first);
    EXPECT_FALSE(members.find(0, 0));
}

TEST(IdIndex, FindsWhoIsThereAndNobodyElse) {
    come_and_go(~std::uint64_t{0}, 20'000);
}

TEST(IdIndex, StandsHashesThatShareTheirHome) {
    come_and_go(std::uint64_t{0xff} << 56, 5'000);
    come_and_go(0x3, 5'000);
}

TEST(IdIndex, StandsOneHashForAll) {
    come_and_go(0, 5'000);
}

TEST(IdIndex, SaysWhereAnInsertGoesWhileTheHomeHasASlot) {
    IdIndex index;
    for (int i = 0; i < 7; ++i) {
        const auto likely = index.likely(42);
        EXPECT_EQ(index.insert(42), likely);
    }
}

} // namespace
