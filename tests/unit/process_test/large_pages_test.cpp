#include "process/large_pages.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory_resource>
#include <sstream>
#include <string>
#include <vector>

namespace {

constexpr std::size_t page = std::size_t{2} << 20;

/// The flags that the kernel keeps of the mapping that `where` is in; none: nothing is mapped
/// there.
std::string flags_at(const void* where) {
    const auto address = reinterpret_cast<std::uintptr_t>(where);
    std::ifstream maps("/proc/self/smaps");
    bool here = false;
    for (std::string line; std::getline(maps, line);) {
        std::istringstream range(line);
        std::uintptr_t begin = 0;
        std::uintptr_t end = 0;
        char dash = 0;
        if (range >> std::hex >> begin >> dash >> end && dash == '-')
            here = begin <= address && address < end;
        else if (here && line.starts_with("VmFlags:"))
            return line + ' ';
    }
    return {};
}

TEST(LargePages, GivesLargeTablesWholePagesAndTakesThemBack) {
    auto& pages = baton::process::large_pages();
    void* const memory = pages.allocate(3 * page + 1);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory) % page, 0U);
    auto* const bytes = static_cast<unsigned char*>(memory);
    EXPECT_EQ(std::count(bytes, bytes + 3 * page + 1, 0), 3 * page + 1);
    std::fill_n(bytes, 3 * page + 1, 7);
    const std::string flags = flags_at(memory);
    EXPECT_FALSE(flags.empty());
    EXPECT_EQ(flags.find(" hg ") != std::string::npos,
              std::filesystem::exists("/sys/kernel/mm/transparent_hugepage"))
        << "the kernel was not asked for them, or has none: " << flags;
    pages.deallocate(memory, 3 * page + 1);
    EXPECT_EQ(flags_at(memory), "");
}

TEST(LargePages, KeepsWhatAVectorKeepsWhileItGrowsAcrossThem) {
    std::pmr::vector<std::uint64_t> numbers(&baton::process::large_pages());
    for (std::uint64_t i = 0; i < 4 * page / sizeof i; ++i)
        numbers.push_back(i);
    for (std::uint64_t i = 0; i < numbers.size(); ++i)
        ASSERT_EQ(numbers[i], i);
}

} // namespace
