#include "history/sql_samples.h"

#include "history/directory.h"
#include "history/keys.h"
#include "history/schema.h"
#include "history/tending.h"

#include <algorithm>
#include <mutex>

namespace baton::history {
namespace {

/// Rows in one INSERT: fewer round trips to a server.
constexpr std::size_t batch = 50;
/// Keys in one question for the last minutes' rows.
constexpr std::size_t asked_at_once = 60;

std::string repeated(const std::string& head, const std::string& part, std::size_t times,
                     const std::string& tail) {
    std::string text = head;
    for (std::size_t i = 0; i < times; ++i)
        text += (i > 0 ? "," : "") + part;
    return text + tail;
}

Value number_or_null(std::int64_t value) {
    return value == none ? Value{} : Value{value};
}

Point point_of(Seconds at, const Row& row) {
    Point point{at, {}};
    point.values.rows = 1;
    for (std::size_t i = 0; i < metric_count; ++i)
        point.values.of[i] = {row.values[i], row.values[i], row.values[i], row.values[i]};
    return point;
}

class SqlSamples final : public Samples {
  public:
    SqlSamples(std::unique_ptr<Sql> sql, const Retention& retention)
        : sql_(std::move(sql)), tending_(retention) {}

    Result<void> start(bool read_only) {
        BATON_TRY(read_only ? check_schema(*sql_) : migrate(*sql_));
        return read_only ? Result<void>{} : directory_.load(*sql_);
    }

    Result<std::vector<std::int64_t>> enrol(const monitor::Reading& reading) override {
        const std::lock_guard lock(mutex_);
        BATON_TRY(refresh());
        return directory_.enrol(*sql_, reading);
    }

    Result<void> append(std::span<const Sample> samples) override {
        const std::lock_guard lock(mutex_);
        BATON_TRY(refresh());
        BATON_TRY(sql_->begin());
        const auto written = [&]() -> Result<void> {
            for (std::size_t at = 0; at < samples.size();) {
                const std::size_t count = samples.size() - at >= batch ? batch : 1;
                BATON_TRY(insert(samples.subspan(at, count)));
                at += count;
            }
            return sql_->commit();
        }();
        if (!written)
            sql_->roll_back();
        return written;
    }

    Result<void> annotate(const Person& person) override {
        const std::lock_guard lock(mutex_);
        return sql_->run(
            "REPLACE INTO person (session, user_name, image, connected) VALUES (?, ?, ?, ?)",
            {Value{person.session}, Value{person.user}, Value{person.image},
             Value{person.connected}});
    }

    Result<Tended> tend(Seconds now, int most_minutes) override {
        const std::lock_guard lock(mutex_);
        BATON_TRY(refresh());
        return tending_.tend(*sql_, directory_, now, most_minutes);
    }

    Result<std::vector<Subject>> subjects() override {
        const std::lock_guard lock(mutex_);
        Directory fresh; // another process may write
        BATON_TRY(fresh.load(*sql_));
        std::vector<Subject> all;
        for (auto& [id, known] : fresh.all())
            all.push_back(std::move(known.subject));
        return all;
    }

    Result<std::vector<Stay>> stays() override {
        const std::lock_guard lock(mutex_);
        std::vector<Stay> all;
        BATON_TRY(sql_->run("SELECT session, subject, since, until FROM stay ORDER BY session, "
                            "since, subject",
                            {}, [&](const Answer& row) {
                                all.push_back({std::string(row.text(0)), row.integer(1),
                                               row.integer(2), row.integer(3)});
                            }));
        return all;
    }

    Result<std::vector<Person>> people() override {
        const std::lock_guard lock(mutex_);
        std::vector<Person> all;
        BATON_TRY(sql_->run("SELECT session, user_name, image, connected FROM person ORDER BY "
                            "session",
                            {}, [&](const Answer& row) {
                                all.push_back({std::string(row.text(0)), std::string(row.text(1)),
                                               std::string(row.text(2)), row.integer(3)});
                            }));
        return all;
    }

    Result<std::vector<Point>> read(std::int64_t subject, Seconds from, Seconds until,
                                    Resolution resolution) override {
        const std::lock_guard lock(mutex_);
        if (from < 0 || from >= until)
            return std::vector<Point>{};
        if (resolution == Resolution::second)
            return read_seconds(subject, from, until);
        const Seconds length = length_of(resolution);
        std::vector<Point> points;
        BATON_TRY(
            sql_->run(resolution == Resolution::minute
                          ? "SELECT id, data FROM minutes WHERE id >= ? AND id < ? ORDER BY id"
                          : "SELECT id, data FROM hours WHERE id >= ? AND id < ? ORDER BY id",
                      {Value{period_key(subject, (from + length - 1) / length)},
                       Value{period_key(subject, (until + length - 1) / length)}},
                      [&](const Answer& row) {
                          if (auto values = unpack_roll_up(row.text(1)))
                              points.push_back({period_of(row.integer(0)) * length, *values});
                      }));
        return points;
    }

    Result<Size> size() override {
        const std::lock_guard lock(mutex_);
        const auto bytes = sql_->used_and_file_bytes();
        if (!bytes)
            return tl::unexpected(bytes.error());
        Size size{bytes->first, bytes->second, 0};
        std::int64_t oldest = 0;
        std::vector<std::int64_t> ids;
        BATON_TRY(sql_->run("SELECT id FROM subject", {},
                            [&](const Answer& row) { ids.push_back(row.integer(0)); }));
        for (const std::int64_t id : ids)
            BATON_TRY(sql_->run(
                "SELECT id FROM seconds WHERE id >= ? AND id < ? ORDER BY id LIMIT 1",
                {Value{period_key(id, 0)}, Value{period_key(id + 1, 0)}}, [&](const Answer& row) {
                    const Seconds at = period_of(row.integer(0)) * slots_per_minute;
                    oldest = oldest == 0 ? at : std::min(oldest, at);
                }));
        size.oldest_second = oldest;
        return size;
    }

  private:
    /// Another connection: the server may have been given another database's copy meanwhile.
    Result<void> refresh() {
        if (!sql_->reconnected())
            return {};
        BATON_TRY(migrate(*sql_));
        return directory_.load(*sql_);
    }

    Result<void> insert(std::span<const Sample> samples) {
        static const std::string head =
            "REPLACE INTO recent (id, cpu, memory, disk, network, data) VALUES ";
        static const std::string one = repeated(head, "(?,?,?,?,?,?)", 1, "");
        static const std::string many = repeated(head, "(?,?,?,?,?,?)", batch, "");
        std::vector<std::string> packed;
        packed.reserve(samples.size());
        values_.clear();
        for (const Sample& sample : samples) {
            packed.push_back(pack_row(sample.row));
            values_.emplace_back(recent_key(sample.at, sample.subject));
            for (const Metric metric : {Metric::cpu, Metric::memory, Metric::disk, Metric::network})
                values_.push_back(number_or_null(sample.row[metric]));
            values_.emplace_back(Bytes{packed.back()});
        }
        return sql_->run(samples.size() == 1 ? one : many, values_);
    }

    Result<std::vector<Point>> read_seconds(std::int64_t subject, Seconds from, Seconds until) {
        std::vector<Point> points;
        BATON_TRY(sql_->run(
            "SELECT id, data FROM seconds WHERE id >= ? AND id < ? ORDER BY id",
            {Value{period_key(subject, from / slots_per_minute)},
             Value{period_key(subject, (until + slots_per_minute - 1) / slots_per_minute)}},
            [&](const Answer& row) {
                const auto slots = unpack_minute(row.text(1));
                if (!slots) // left out: the gap is visible
                    return;
                const Seconds start = period_of(row.integer(0)) * slots_per_minute;
                for (const Slot& slot : *slots)
                    if (start + slot.second >= from && start + slot.second < until)
                        points.push_back(point_of(start + slot.second, slot.row));
            }));
        const std::size_t packed = points.size();
        BATON_TRY(read_recent(subject, from, until, points));
        if (packed > 0 && packed < points.size() && points[packed].at <= points[packed - 1].at)
            std::stable_sort(points.begin(), points.end(),
                             [](const Point& a, const Point& b) { return a.at < b.at; });
        return points;
    }

    Result<void> read_recent(std::int64_t subject, Seconds from, Seconds until,
                             std::vector<Point>& points) {
        std::int64_t first = 0;
        std::int64_t last = -1;
        BATON_TRY(sql_->run("SELECT id FROM recent ORDER BY id LIMIT 1", {},
                            [&](const Answer& row) { first = row.integer(0); }));
        BATON_TRY(sql_->run("SELECT id FROM recent ORDER BY id DESC LIMIT 1", {},
                            [&](const Answer& row) { last = row.integer(0); }));
        if (last < 0)
            return {};
        from = std::max(from, second_of_recent(first));
        until = std::min(until, second_of_recent(last) + 1);
        static const std::string question = repeated("SELECT id, data FROM recent WHERE id IN (",
                                                     "?", asked_at_once, ") ORDER BY id");
        for (Seconds at = from; at < until; at += static_cast<Seconds>(asked_at_once)) {
            std::vector<Value> keys;
            keys.reserve(asked_at_once);
            for (std::size_t i = 0; i < asked_at_once; ++i)
                keys.emplace_back(
                    recent_key(std::min(at + static_cast<Seconds>(i), until - 1), subject));
            BATON_TRY(sql_->run(question, keys, [&](const Answer& row) {
                if (const auto values = unpack_row(row.text(1)))
                    points.push_back(point_of(second_of_recent(row.integer(0)), *values));
            }));
        }
        return {};
    }

    std::mutex mutex_;
    std::unique_ptr<Sql> sql_;
    Directory directory_;
    Tending tending_;
    std::vector<Value> values_;
};

} // namespace

Seconds length_of(Resolution resolution) {
    switch (resolution) {
    case Resolution::second:
        return 1;
    case Resolution::minute:
        return slots_per_minute;
    case Resolution::hour:
        return 3600;
    }
    return 1;
}

Result<std::unique_ptr<Samples>> open_samples(std::unique_ptr<Sql> sql, const Retention& retention,
                                              bool read_only) {
    auto samples = std::make_unique<SqlSamples>(std::move(sql), retention);
    BATON_TRY(samples->start(read_only));
    return samples;
}

Result<std::unique_ptr<Samples>> open(const std::string& where, const Retention& retention,
                                      bool read_only) {
    return where.starts_with("mysql://") ? open_mariadb(where, retention, read_only)
                                         : open_sqlite(where, retention, read_only);
}

} // namespace baton::history
