#include "player/id_range.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>
#include <string>

namespace baton::player {

namespace {

constexpr std::uint64_t begin = 0x70000000;
/// systemd's ids of foreign images begin here.
constexpr std::uint64_t end = 0x7FFE0000;
constexpr std::uint64_t slots = (end - begin) / IdRange::count;
/// More desks than that are not open at once; the other slots are to step aside into.
constexpr std::uint64_t stride = 1000;

bool number(std::string_view text, std::uint64_t& value) {
    const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && at == text.data() + text.size() && !text.empty();
}

std::string contents(const char* path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

} // namespace

std::vector<TakenIds> parse_subordinate_ids(std::string_view text) {
    std::vector<TakenIds> taken;
    while (!text.empty()) {
        const auto stop = std::min(text.find('\n'), text.size());
        const auto line = text.substr(0, stop);
        text.remove_prefix(std::min(stop + 1, text.size()));
        const auto first = line.find(':');
        const auto second = line.find(':', first == line.npos ? first : first + 1);
        TakenIds ids;
        if (second != line.npos && number(line.substr(first + 1, second - first - 1), ids.first) &&
            number(line.substr(second + 1), ids.count) && ids.count > 0)
            taken.push_back(ids);
    }
    return taken;
}

Result<IdRange> choose_ids(unsigned loop, const std::vector<TakenIds>& taken) {
    for (std::uint64_t slot = loop; loop < stride && slot < slots; slot += stride) {
        const std::uint64_t first = begin + slot * IdRange::count;
        const auto overlaps = [&](const TakenIds& other) {
            // other.first + other.count may wrap: compare by subtraction
            return other.first < first + IdRange::count &&
                   (first < other.first || first - other.first < other.count);
        };
        if (std::none_of(taken.begin(), taken.end(), overlaps))
            return IdRange{static_cast<std::uint32_t>(first)};
    }
    return fail(Errc::refused, "no 65536 user ids are free for this desk",
                "close other desks, or give back ranges in /etc/subuid and /etc/subgid");
}

Result<IdRange> ids_for(unsigned loop) {
    auto taken = parse_subordinate_ids(contents("/etc/subuid"));
    const auto groups = parse_subordinate_ids(contents("/etc/subgid"));
    taken.insert(taken.end(), groups.begin(), groups.end());
    return choose_ids(loop, taken);
}

} // namespace baton::player
