#include "history/tending.h"

#include "history/keys.h"

#include <algorithm>

namespace baton::history {
namespace {

constexpr Seconds minute_length = 60;
constexpr Seconds minutes_per_hour = 60;
/// A minute is packed when it has been over for so long: what is under way arrives before.
constexpr Seconds patience = 3;
/// How often the size is looked at, in minutes.
constexpr std::int64_t size_check_every = 10;

Result<std::vector<Slot>> stored_minute(Sql& sql, std::int64_t key) {
    Result<std::vector<Slot>> slots;
    BATON_TRY(sql.run("SELECT data FROM seconds WHERE id = ?", {Value{key}},
                      [&](const Answer& row) { slots = unpack_minute(row.text(0)); }));
    return slots;
}

} // namespace

Result<Tended> Tending::tend(Sql& sql, Directory& directory, Seconds now, int most_minutes) {
    Tended tended;
    rolled_ = 0;
    const std::int64_t end = (now - patience) / minute_length;
    while (true) {
        std::int64_t first = 0;
        BATON_TRY(sql.run("SELECT id FROM recent ORDER BY id LIMIT 1", {},
                          [&](const Answer& row) { first = row.integer(0); }));
        const std::int64_t minute = second_of_recent(first) / minute_length;
        if (first == 0 || minute >= end)
            break;
        if (tended.minutes_packed == most_minutes) {
            tended.minutes_waiting = static_cast<int>(end - minute);
            break;
        }
        BATON_TRY(sql.begin());
        const auto packed = [&]() -> Result<void> {
            BATON_TRY(pack(sql, directory, minute));
            BATON_TRY(roll_hours(sql, directory, minute));
            BATON_TRY(forget(sql, directory, minute));
            return sql.commit();
        }();
        if (!packed) {
            sql.roll_back();
            static_cast<void>(directory.load(sql));
            return tl::unexpected(packed.error());
        }
        BATON_TRY(watch_size(sql, minute));
        BATON_TRY(sql.tidy());
        ++tended.minutes_packed;
    }
    tended.hours_rolled = rolled_;
    tended.shortened = shortened_ < 1;
    return tended;
}

Result<void> Tending::pack(Sql& sql, Directory& directory, std::int64_t minute) {
    const std::vector<Value> range{Value{recent_key(minute * minute_length, 0)},
                                   Value{recent_key((minute + 1) * minute_length, 0)}};
    std::map<std::int64_t, std::vector<Slot>> subjects;
    BATON_TRY(sql.run("SELECT id, data FROM recent WHERE id >= ? AND id < ? ORDER BY id", range,
                      [&](const Answer& row) {
                          const auto values = unpack_row(row.text(1));
                          if (!values) // left out: the gap is visible
                              return;
                          const Seconds at = second_of_recent(row.integer(0));
                          subjects[subject_of_recent(row.integer(0))].push_back(
                              {static_cast<int>(at % minute_length), *values});
                      }));
    for (auto& [subject, slots] : subjects)
        BATON_TRY(pack_subject(sql, directory, subject, minute, std::move(slots)));
    return sql.run("DELETE FROM recent WHERE id >= ? AND id < ?", range);
}

Result<void> Tending::pack_subject(Sql& sql, Directory& directory, std::int64_t subject,
                                   std::int64_t minute, std::vector<Slot> slots) {
    const auto found = directory.all().find(subject);
    if (found == directory.all().end())
        return {};
    Directory::Known& known = found->second;
    const Value key{period_key(subject, minute)};
    // what was caught up late joins what is there
    if (known.subject.last_seen >= minute * minute_length) {
        const auto stored = stored_minute(sql, period_key(subject, minute));
        if (!stored && stored.error().code != Errc::corrupt)
            return tl::unexpected(stored.error());
        if (stored) {
            for (const Slot& old : *stored)
                if (std::none_of(slots.begin(), slots.end(),
                                 [&](const Slot& slot) { return slot.second == old.second; }))
                    slots.push_back(old);
            std::sort(slots.begin(), slots.end(),
                      [](const Slot& a, const Slot& b) { return a.second < b.second; });
        }
    }
    std::vector<Row> rows;
    rows.reserve(slots.size());
    for (const Slot& slot : slots)
        rows.push_back(slot.row);
    const std::string block = pack_minute(slots);
    const std::string summary = pack_roll_up(roll_up(rows));
    BATON_TRY(sql.run("REPLACE INTO seconds (id, data) VALUES (?, ?)", {key, Value{Bytes{block}}}));
    BATON_TRY(
        sql.run("REPLACE INTO minutes (id, data) VALUES (?, ?)", {key, Value{Bytes{summary}}}));
    const Seconds last = minute * minute_length + slots.back().second;
    if (last > known.subject.last_seen) {
        BATON_TRY(sql.run("UPDATE subject SET last_seen = ? WHERE id = ?",
                          {Value{last}, Value{subject}}));
        known.subject.last_seen = last;
    }
    if (!known.session.empty())
        BATON_TRY(
            sql.run("UPDATE stay SET until = ? WHERE session = ? AND subject = ? AND until < ?",
                    {Value{last}, Value{known.session}, Value{subject}, Value{last}}));
    return {};
}

Result<void> Tending::roll_hours(Sql& sql, Directory& directory, std::int64_t minute) {
    for (auto& [subject, known] : directory.all()) {
        // one sixtieth of all in each minute, so that no minute has much to do
        if (subject % minutes_per_hour != minute % minutes_per_hour)
            continue;
        const std::int64_t until =
            std::min(minute / minutes_per_hour,
                     known.subject.last_seen / (minute_length * minutes_per_hour) + 1);
        for (; known.rolled < until; ++known.rolled) {
            std::vector<Row> rows;
            BATON_TRY(sql.run("SELECT data FROM seconds WHERE id >= ? AND id < ?",
                              {Value{period_key(subject, known.rolled * minutes_per_hour)},
                               Value{period_key(subject, (known.rolled + 1) * minutes_per_hour)}},
                              [&](const Answer& row) {
                                  if (const auto slots = unpack_minute(row.text(0)))
                                      for (const Slot& slot : *slots)
                                          rows.push_back(slot.row);
                              }));
            if (rows.empty())
                continue;
            const std::string summary = pack_roll_up(roll_up(rows));
            BATON_TRY(sql.run("REPLACE INTO hours (id, data) VALUES (?, ?)",
                              {Value{period_key(subject, known.rolled)}, Value{Bytes{summary}}}));
            ++rolled_;
        }
        BATON_TRY(sql.run("UPDATE subject SET rolled = ? WHERE id = ?",
                          {Value{known.rolled}, Value{subject}}));
    }
    return {};
}

Result<void> Tending::forget(Sql& sql, Directory& directory, std::int64_t minute) {
    const auto cut = [&](std::chrono::seconds kept, Seconds length) {
        return (minute * minute_length - kept.count()) / length;
    };
    const auto seconds = std::chrono::seconds(
        static_cast<Seconds>(static_cast<double>(retention_.seconds.count()) * shortened_));
    const auto drop = [&](const char* text, std::int64_t subject, std::int64_t until) {
        return sql.run(text, {Value{period_key(subject, 0)}, Value{period_key(subject, until)}});
    };
    std::vector<std::int64_t> over;
    for (const auto& [subject, known] : directory.all()) {
        BATON_TRY(drop("DELETE FROM seconds WHERE id >= ? AND id < ?", subject,
                       cut(seconds, minute_length)));
        if (subject % minutes_per_hour != minute % minutes_per_hour)
            continue;
        BATON_TRY(drop("DELETE FROM minutes WHERE id >= ? AND id < ?", subject,
                       cut(retention_.minutes, minute_length)));
        BATON_TRY(drop("DELETE FROM hours WHERE id >= ? AND id < ?", subject,
                       cut(retention_.hours, minute_length * minutes_per_hour)));
        if (known.subject.last_seen < minute * minute_length - retention_.hours.count())
            over.push_back(subject);
    }
    for (const std::int64_t subject : over)
        BATON_TRY(directory.forget(sql, subject));
    if (minute % minutes_per_hour == 0) // whose desktop was never measured, or is forgotten
        BATON_TRY(sql.run("DELETE FROM person WHERE connected < ? AND session NOT IN (SELECT "
                          "session FROM stay)",
                          {Value{minute * minute_length - retention_.hours.count()}}));
    return {};
}

Result<void> Tending::watch_size(Sql& sql, std::int64_t minute) {
    if (minute % size_check_every != 0)
        return {};
    const auto size = sql.used_and_file_bytes();
    if (!size)
        return tl::unexpected(size.error());
    if (size->first > retention_.most_bytes)
        shortened_ = std::max(0.01, shortened_ * 0.9);
    else if (size->first < retention_.most_bytes / 10 * 8)
        shortened_ = std::min(1.0, shortened_ * 1.02);
    return {};
}

} // namespace baton::history
