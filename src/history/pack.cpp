#include "history/pack.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace baton::history {
namespace {

// A block: version, number of metrics, 60 bits of the seconds that are there (8 bytes), then for
// each metric the width of a value (1 byte) and the least value + 1 (6 bytes; 0: no value at all),
// then for each metric 60 values of that width: value - least + 1, 0 for none. Width 0: all the
// same. Numbers are big-endian, because SQL can read them so.
constexpr char version = 1;
constexpr std::size_t bitmap_at = 2;
constexpr std::size_t directory_at = 10;
constexpr std::size_t base_bytes = 6;
constexpr std::size_t entry_bytes = 1 + base_bytes;

void put(std::string& out, std::uint64_t value, std::size_t bytes) {
    for (std::size_t i = bytes; i > 0; --i)
        out.push_back(static_cast<char>(value >> (8 * (i - 1)) & 0xff));
}

std::uint64_t take(std::string_view bytes, std::size_t at, std::size_t count) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < count; ++i)
        value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
    return value;
}

std::size_t bytes_for(std::uint64_t value) {
    return static_cast<std::size_t>((std::bit_width(value) + 7) / 8);
}

struct Column {
    std::uint64_t base = 0;
    std::size_t width = 0;
};

Column column_of(const std::vector<Slot>& slots, std::size_t metric) {
    std::int64_t least = largest_value;
    std::int64_t greatest = -1;
    bool gaps = false;
    for (const Slot& slot : slots) {
        const std::int64_t value = slot.row.values[metric];
        if (value == none) {
            gaps = true;
            continue;
        }
        least = std::min(least, value);
        greatest = std::max(greatest, value);
    }
    if (greatest < 0)
        return {};
    const auto base = static_cast<std::uint64_t>(least) + 1;
    if (least == greatest && !gaps)
        return {base, 0};
    return {base, bytes_for(static_cast<std::uint64_t>(greatest - least) + 1)};
}

/// Numbers of seven bits a byte, the last one without its top bit.
void put_number(std::string& out, std::uint64_t value) {
    while (value >= 0x80) {
        out.push_back(static_cast<char>(value | 0x80));
        value >>= 7;
    }
    out.push_back(static_cast<char>(value));
}

class Reader {
  public:
    explicit Reader(std::string_view bytes) : bytes_(bytes) {}

    std::uint64_t number() {
        std::uint64_t value = 0;
        for (unsigned shift = 0; shift < 63; shift += 7) {
            if (bytes_.empty())
                break;
            const auto byte = static_cast<unsigned char>(bytes_.front());
            bytes_.remove_prefix(1);
            value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
            if (byte < 0x80)
                return value;
        }
        broken_ = true;
        return 0;
    }

    [[nodiscard]] bool whole() const { return !broken_ && bytes_.empty(); }

    [[nodiscard]] bool broken() const { return broken_; }

  private:
    std::string_view bytes_;
    bool broken_ = false;
};

tl::unexpected<Error> damaged(std::string_view what) {
    return fail(Errc::corrupt, "the samples database holds a damaged " + std::string(what),
                "what is damaged is left out; new samples are not affected");
}

bool in_range(std::uint64_t value) {
    return value <= static_cast<std::uint64_t>(largest_value);
}

std::uint64_t bits_of(const Row& row) {
    std::uint64_t bits = 0;
    for (std::size_t i = 0; i < metric_count; ++i)
        if (row.values[i] != none)
            bits |= std::uint64_t{1} << i;
    return bits;
}

} // namespace

std::string pack_row(const Row& row) {
    std::string out;
    out.reserve(48);
    put_number(out, bits_of(row));
    for (const std::int64_t value : row.values)
        if (value != none)
            put_number(out, static_cast<std::uint64_t>(value));
    return out;
}

Result<Row> unpack_row(std::string_view bytes) {
    Reader reader(bytes);
    Row row;
    const std::uint64_t bits = reader.number();
    if (bits >> metric_count != 0)
        return damaged("row");
    for (std::size_t i = 0; i < metric_count; ++i) {
        if ((bits >> i & 1) == 0)
            continue;
        const std::uint64_t value = reader.number();
        if (!in_range(value))
            return damaged("row");
        row.values[i] = static_cast<std::int64_t>(value);
    }
    if (!reader.whole())
        return damaged("row");
    return row;
}

std::string pack_minute(const std::vector<Slot>& slots) {
    std::array<Column, metric_count> columns;
    std::size_t width = 0;
    for (std::size_t i = 0; i < metric_count; ++i) {
        columns[i] = column_of(slots, i);
        width += columns[i].width;
    }
    std::uint64_t bitmap = 0;
    for (const Slot& slot : slots)
        bitmap |= std::uint64_t{1} << slot.second;

    std::string out;
    out.reserve(directory_at + metric_count * entry_bytes + slots_per_minute * width);
    out.push_back(version);
    out.push_back(static_cast<char>(metric_count));
    put(out, bitmap, 8);
    for (const Column& column : columns) {
        put(out, column.width, 1);
        put(out, column.base, base_bytes);
    }
    for (std::size_t i = 0; i < metric_count; ++i) {
        if (columns[i].width == 0)
            continue;
        std::array<std::uint64_t, slots_per_minute> codes{};
        for (const Slot& slot : slots)
            if (const std::int64_t value = slot.row.values[i]; value != none)
                codes[static_cast<std::size_t>(slot.second)] =
                    static_cast<std::uint64_t>(value) + 2 - columns[i].base;
        for (const std::uint64_t code : codes)
            put(out, code, columns[i].width);
    }
    return out;
}

Result<std::vector<Slot>> unpack_minute(std::string_view bytes) {
    if (bytes.size() < directory_at || bytes[0] != version)
        return damaged("minute");
    // written by a Baton that knew fewer metrics: the rest is none
    const auto metrics = static_cast<std::size_t>(static_cast<unsigned char>(bytes[1]));
    if (metrics > metric_count || bytes.size() < directory_at + metrics * entry_bytes)
        return damaged("minute");
    const std::uint64_t bitmap = take(bytes, bitmap_at, 8);
    if (bitmap >> slots_per_minute != 0)
        return damaged("minute");
    std::vector<Slot> slots;
    slots.reserve(static_cast<std::size_t>(std::popcount(bitmap)));
    for (int second = 0; second < slots_per_minute; ++second)
        if ((bitmap >> second & 1) != 0)
            slots.push_back({second, {}});
    std::size_t at = directory_at + metrics * entry_bytes;
    for (std::size_t i = 0; i < metrics; ++i) {
        const std::size_t entry = directory_at + i * entry_bytes;
        const std::size_t width = take(bytes, entry, 1);
        const std::uint64_t base = take(bytes, entry + 1, base_bytes);
        if (width > base_bytes || bytes.size() - at < width * slots_per_minute)
            return damaged("minute");
        for (Slot& slot : slots) {
            const std::size_t place = at + width * static_cast<std::size_t>(slot.second);
            const std::uint64_t code = width == 0 ? 1 : take(bytes, place, width);
            if (base == 0 || code == 0)
                continue;
            const std::uint64_t value = base - 1 + code - 1;
            if (!in_range(value))
                return damaged("minute");
            slot.row.values[i] = static_cast<std::int64_t>(value);
        }
        at += width * slots_per_minute;
    }
    if (at != bytes.size())
        return damaged("minute");
    return slots;
}

RollUp roll_up(const std::vector<Row>& rows) {
    RollUp result;
    result.rows = static_cast<std::int64_t>(rows.size());
    std::vector<std::int64_t> values;
    values.reserve(rows.size());
    for (std::size_t i = 0; i < metric_count; ++i) {
        values.clear();
        double sum = 0;
        for (const Row& row : rows) {
            if (row.values[i] == none)
                continue;
            values.push_back(row.values[i]);
            sum += static_cast<double>(row.values[i]);
        }
        if (values.empty())
            continue;
        const std::size_t rank = (values.size() * 95 + 99) / 100 - 1;
        const auto middle = values.begin() + static_cast<std::ptrdiff_t>(rank);
        const auto [least, greatest] = std::minmax_element(values.begin(), values.end());
        Summary& summary = result.of[i];
        summary.least = *least;
        summary.greatest = *greatest;
        summary.mean = std::llround(sum / static_cast<double>(values.size()));
        std::nth_element(values.begin(), middle, values.end());
        summary.p95 = *middle;
    }
    return result;
}

// Two bits a metric: 0 no value, 1 all four are the same, 2 four numbers: least, mean - least,
// p95 - least, greatest - p95.
std::string pack_roll_up(const RollUp& roll_up) {
    std::uint64_t kinds = 0;
    for (std::size_t i = 0; i < metric_count; ++i) {
        const Summary& one = roll_up.of[i];
        const std::uint64_t kind = one.least == none ? 0 : one.least == one.greatest ? 1 : 2;
        kinds |= kind << (2 * i);
    }
    std::string out;
    out.reserve(64);
    put_number(out, static_cast<std::uint64_t>(roll_up.rows));
    put_number(out, kinds);
    for (const Summary& one : roll_up.of) {
        if (one.least == none)
            continue;
        put_number(out, static_cast<std::uint64_t>(one.least));
        if (one.least == one.greatest)
            continue;
        put_number(out, static_cast<std::uint64_t>(one.mean - one.least));
        put_number(out, static_cast<std::uint64_t>(one.p95 - one.least));
        put_number(out, static_cast<std::uint64_t>(one.greatest - one.p95));
    }
    return out;
}

Result<RollUp> unpack_roll_up(std::string_view bytes) {
    Reader reader(bytes);
    RollUp result;
    const std::uint64_t rows = reader.number();
    const std::uint64_t kinds = reader.number();
    if (!in_range(rows) || kinds >> (2 * metric_count) != 0)
        return damaged("roll-up");
    result.rows = static_cast<std::int64_t>(rows);
    for (std::size_t i = 0; i < metric_count; ++i) {
        const std::uint64_t kind = kinds >> (2 * i) & 3;
        if (kind == 0)
            continue;
        const std::uint64_t least = reader.number();
        const std::uint64_t mean = kind == 2 ? least + reader.number() : least;
        const std::uint64_t p95 = kind == 2 ? least + reader.number() : least;
        const std::uint64_t greatest = kind == 2 ? p95 + reader.number() : least;
        if (reader.broken() || !in_range(mean) || !in_range(greatest) || kind == 3)
            return damaged("roll-up");
        if (kind == 2 &&
            (least == greatest || mean < least || mean > greatest || p95 < least || p95 > greatest))
            return damaged("roll-up");
        result.of[i] = {static_cast<std::int64_t>(least), static_cast<std::int64_t>(mean),
                        static_cast<std::int64_t>(greatest), static_cast<std::int64_t>(p95)};
    }
    if (!reader.whole())
        return damaged("roll-up");
    return result;
}

} // namespace baton::history
