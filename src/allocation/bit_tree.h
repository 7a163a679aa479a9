#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace baton::allocation {

/// A set of small numbers with 64-way summaries above it: set, clear, first and last in
/// O(log64 n), which is four steps for sixteen million. Not thread-safe.
class BitTree {
  public:
    static constexpr std::size_t none = std::numeric_limits<std::size_t>::max();

    /// Numbers from 0 to `size` - 1 may be set. Never shrinks; what is set stays.
    void grow(std::size_t size) {
        if (size <= size_)
            return;
        size_ = size;
        std::size_t words = (size + 63) / 64;
        for (std::size_t row = 0;; ++row) {
            if (row == rows_.size()) {
                rows_.emplace_back();
                if (row > 0) // a new top: sums up what was the single word below it
                    summarize(row, words);
            }
            rows_[row].resize(words);
            if (words == 1)
                break;
            words = (words + 63) / 64;
        }
    }

    /// Nothing is set.
    void clear() {
        for (auto& row : rows_)
            std::ranges::fill(row, 0);
    }

    [[nodiscard]] bool empty() const { return rows_.empty() || rows_.back()[0] == 0; }

    [[nodiscard]] bool test(std::size_t i) const { return (rows_[0][i / 64] >> (i % 64)) & 1U; }

    void set(std::size_t i) {
        for (auto& row : rows_) {
            const bool was_empty = row[i / 64] == 0;
            row[i / 64] |= std::uint64_t{1} << (i % 64);
            if (!was_empty)
                return;
            i /= 64;
        }
    }

    void clear(std::size_t i) {
        for (auto& row : rows_) {
            row[i / 64] &= ~(std::uint64_t{1} << (i % 64));
            if (row[i / 64] != 0)
                return;
            i /= 64;
        }
    }

    /// The smallest member that is at least `i`, or none.
    [[nodiscard]] std::size_t first(std::size_t i = 0) const {
        if (i >= size_)
            return none;
        for (std::size_t row = 0; row < rows_.size(); ++row) {
            const std::size_t word = i / 64;
            if (word < rows_[row].size()) {
                const std::uint64_t rest = rows_[row][word] & (~std::uint64_t{0} << (i % 64));
                if (rest != 0)
                    return descend(row, word * 64 + std::countr_zero(rest),
                                   [](std::uint64_t bits) { return std::countr_zero(bits); });
            }
            i = word + 1;
        }
        return none;
    }

    /// The largest member, or none.
    [[nodiscard]] std::size_t last() const {
        if (rows_.empty() || rows_.back()[0] == 0)
            return none;
        const auto highest = [](std::uint64_t bits) { return 63 - std::countl_zero(bits); };
        return descend(rows_.size() - 1, highest(rows_.back()[0]), highest);
    }

    /// The largest member below `i` in its word of 64, or none: a good guess at the next last(),
    /// without a look elsewhere.
    [[nodiscard]] std::size_t near_below(std::size_t i) const {
        const std::uint64_t rest = rows_[0][i / 64] & ((std::uint64_t{1} << (i % 64)) - 1);
        return rest == 0 ? none : i / 64 * 64 + 63 - std::countl_zero(rest);
    }

  private:
    template <class Pick>
    [[nodiscard]] std::size_t descend(std::size_t row, std::size_t i, Pick pick) const {
        while (row-- > 0)
            i = i * 64 + pick(rows_[row][i]);
        return i;
    }

    void summarize(std::size_t row, std::size_t words) {
        rows_[row].resize((words + 63) / 64);
        for (std::size_t i = 0; i < rows_[row - 1].size(); ++i)
            if (rows_[row - 1][i] != 0)
                rows_[row][i / 64] |= std::uint64_t{1} << (i % 64);
    }

    std::size_t size_ = 0;
    std::vector<std::vector<std::uint64_t>> rows_; ///< [0] the members, each above sums up 64 words
};

} // namespace baton::allocation
