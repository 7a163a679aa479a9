#include "history/codec.h"

#include <boost/json/array.hpp>
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <cmath>
#include <ctime>

namespace json = boost::json;

namespace baton::history {
namespace {

constexpr std::size_t most_points = 1'000'000;
constexpr double largest_in_json = 9e15; // whole numbers of a double
constexpr const char* parts[] = {"min", "mean", "max", "p95"};

Metric metric_at(std::size_t index) {
    return static_cast<Metric>(index);
}

/// Hundredths at most, without zeros at the end; empty: cannot be told.
std::string number_text(const std::optional<double>& value) {
    return value ? fmt::format("{}", std::round(*value * 100) / 100) : std::string();
}

json::value json_number(const std::optional<double>& value) {
    return value ? json::value(std::round(*value * 100) / 100) : json::value(nullptr);
}

json::value json_of(Metric metric, const Summary& one, bool rolled) {
    if (!rolled)
        return json_number(in_units(metric, one.mean));
    if (one.mean == none)
        return nullptr;
    return json::object{{"min", json_number(in_units(metric, one.least))},
                        {"mean", json_number(in_units(metric, one.mean))},
                        {"max", json_number(in_units(metric, one.greatest))},
                        {"p95", json_number(in_units(metric, one.p95))}};
}

tl::unexpected<Error> not_a_series(const std::string& what) {
    return fail(Errc::corrupt, "this is no series of samples: " + what,
                "is the controller of the same version?");
}

Result<std::int64_t> stored(Metric metric, const json::value* value) {
    if (value == nullptr || value->is_null())
        return none;
    if (!value->is_number())
        return not_a_series(column_name(metric) + " is no number");
    const double number = value->is_double()  ? value->get_double()
                          : value->is_int64() ? static_cast<double>(value->get_int64())
                                              : static_cast<double>(value->get_uint64());
    if (!(number >= 0 && number <= largest_in_json))
        return not_a_series(column_name(metric) + " is out of bounds");
    const std::int64_t whole = std::llround(number / info(metric).scale);
    return whole <= largest_value ? whole : none;
}

Result<Summary> figures_of(Metric metric, const json::value* value) {
    const json::object* four = value != nullptr ? value->if_object() : nullptr;
    Summary one;
    std::int64_t* const into[] = {&one.least, &one.mean, &one.greatest, &one.p95};
    for (std::size_t i = 0; i < 4; ++i) {
        auto read = stored(metric, four != nullptr ? four->if_contains(parts[i]) : value);
        if (!read)
            return tl::unexpected(read.error());
        *into[i] = *read;
    }
    return one;
}

Result<Seconds> time_of(const json::value* value) {
    const json::string* text = value != nullptr ? value->if_string() : nullptr;
    std::tm time{};
    const char* rest =
        text != nullptr ? ::strptime(text->c_str(), "%Y-%m-%dT%H:%M:%SZ", &time) : nullptr;
    if (rest == nullptr || *rest != '\0')
        return not_a_series("a point has no time");
    return ::timegm(&time);
}

Result<Resolution> resolution_of(const json::value* value) {
    const std::int64_t* length = value != nullptr ? value->if_int64() : nullptr;
    for (const Resolution every : {Resolution::second, Resolution::minute, Resolution::hour})
        if (length != nullptr && *length == length_of(every))
            return every;
    return not_a_series("every_seconds is none of 1, 60, 3600");
}

Result<Point> point_of(const json::value& value) {
    const json::object* object = value.if_object();
    if (object == nullptr)
        return not_a_series("a point is no object");
    const auto at = time_of(object->if_contains("time"));
    if (!at)
        return tl::unexpected(at.error());
    Point point{*at, {}};
    for (std::size_t i = 0; i < metric_count; ++i) {
        const auto one = figures_of(metric_at(i), object->if_contains(column_name(metric_at(i))));
        if (!one)
            return tl::unexpected(one.error());
        point.values.of[i] = *one;
    }
    if (const json::value* rows = object->if_contains("rows");
        rows != nullptr && rows->is_int64() && rows->get_int64() > 0 && rows->get_int64() <= 3600)
        point.values.rows = rows->get_int64();
    else
        point.values.rows = 1;
    return point;
}

} // namespace

std::string column_name(Metric metric) {
    const MetricInfo& about = info(metric);
    switch (about.unit) {
    case Unit::percent:
        return fmt::format("{}_percent", about.name);
    case Unit::bytes:
        return fmt::format("{}_bytes", about.name);
    case Unit::bytes_per_second:
        return fmt::format("{}_bytes_per_second", about.name);
    case Unit::bits_per_second:
        return fmt::format("{}_bits_per_second", about.name);
    case Unit::per_second:
        return fmt::format("{}_per_second", about.name);
    }
    return std::string(about.name);
}

std::string time_text(Seconds at) {
    return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(static_cast<std::time_t>(at)));
}

std::optional<double> in_units(Metric metric, std::int64_t value) {
    if (value == none)
        return std::nullopt;
    return static_cast<double>(value) * info(metric).scale;
}

std::string to_csv(const Series& series) {
    const bool rolled = series.every != Resolution::second;
    std::string text = "time";
    for (std::size_t i = 0; i < metric_count; ++i) {
        const std::string name = column_name(metric_at(i));
        if (!rolled)
            text += "," + name;
        else
            for (const char* part : parts)
                text += fmt::format(",{}_{}", name, part);
    }
    text += '\n';
    for (const Point& point : series.points) {
        text += time_text(point.at);
        for (std::size_t i = 0; i < metric_count; ++i) {
            const auto& one = point.values.of[i];
            if (!rolled) {
                text += "," + number_text(in_units(metric_at(i), one.mean));
                continue;
            }
            for (const std::int64_t value : {one.least, one.mean, one.greatest, one.p95})
                text += "," + number_text(in_units(metric_at(i), value));
        }
        text += '\n';
    }
    return text;
}

json::object to_json(const Series& series) {
    const bool rolled = series.every != Resolution::second;
    json::array points;
    points.reserve(series.points.size());
    for (const Point& point : series.points) {
        json::object object;
        object.reserve(metric_count + 2);
        object["time"] = time_text(point.at);
        if (rolled)
            object["rows"] = point.values.rows;
        for (std::size_t i = 0; i < metric_count; ++i)
            object[column_name(metric_at(i))] = json_of(metric_at(i), point.values.of[i], rolled);
        points.push_back(std::move(object));
    }
    return {{"of", series.title},
            {"kind", series.kind == Kind::host ? "host" : "desktop"},
            {"every_seconds", length_of(series.every)},
            {"points", std::move(points)}};
}

Result<Series> series_from_json(const json::object& object) {
    Series series;
    const auto text = [&](const char* key) {
        const json::value* value = object.if_contains(key);
        return value != nullptr && value->is_string() ? std::string(value->get_string())
                                                      : std::string();
    };
    series.title = text("of");
    series.kind = text("kind") == "host" ? Kind::host : Kind::desktop;
    const auto every = resolution_of(object.if_contains("every_seconds"));
    if (!every)
        return tl::unexpected(every.error());
    series.every = *every;
    const json::value* points = object.if_contains("points");
    if (points == nullptr || !points->is_array() || points->get_array().size() > most_points)
        return not_a_series("it has no points, or too many");
    for (const json::value& one : points->get_array()) {
        auto point = point_of(one);
        if (!point)
            return tl::unexpected(point.error());
        series.points.push_back(*point);
    }
    return series;
}

} // namespace baton::history
