#include "monitor/codec.h"

#include "monitor/fields.h"

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <cmath>

namespace json = boost::json;

namespace baton::monitor {

namespace {

/// More is not measured; a whole number is written as one.
json::value number(double value) {
    const double rounded = std::round(value * 1000) / 1000;
    if (std::abs(rounded) < 9e15 && rounded == std::floor(rounded))
        return static_cast<std::int64_t>(rounded);
    return rounded;
}

auto putter(json::object& object) {
    return [&object](std::string_view name, const Value& value) {
        if (value)
            object[name] = number(*value);
    };
}

json::array disks_to_json(const std::vector<DiskRates>& disks) {
    json::array list;
    list.reserve(disks.size());
    for (const DiskRates& disk : disks) {
        json::object one{{"name", disk.name.view()}};
        each_disk_value(disk, putter(one));
        list.push_back(std::move(one));
    }
    return list;
}

json::array interfaces_to_json(const std::vector<NetworkRates>& interfaces) {
    json::array list;
    list.reserve(interfaces.size());
    for (const NetworkRates& interface : interfaces) {
        json::object one{{"name", interface.name.view()}, {"physical", interface.physical}};
        each_interface_value(interface, putter(one));
        list.push_back(std::move(one));
    }
    return list;
}

// ---- reading ------------------------------------------------------------------------------------

/// Reads fields and remembers the first that is wrong.
class Reader {
  public:
    explicit Reader(const json::object& object) : object_(object) {}

    std::string text(std::string_view name, std::size_t most) {
        const json::value* value = object_.if_contains(name);
        if (value == nullptr || !value->is_string() || value->get_string().size() > most) {
            refuse(name);
            return {};
        }
        return std::string(value->get_string());
    }

    std::int64_t integer(std::string_view name, std::int64_t most) {
        const json::value* value = object_.if_contains(name);
        std::int64_t read = -1;
        if (value != nullptr && value->is_int64())
            read = value->get_int64();
        else if (value != nullptr && value->is_uint64() && value->get_uint64() <= INT64_MAX)
            read = static_cast<std::int64_t>(value->get_uint64());
        if (read < 0 || read > most)
            refuse(name);
        return read;
    }

    bool truth(std::string_view name) {
        const json::value* value = object_.if_contains(name);
        if (value == nullptr || !value->is_bool()) {
            refuse(name);
            return false;
        }
        return value->get_bool();
    }

    /// Not there, or null: no value.
    void value(std::string_view name, Value& into) {
        const json::value* found = object_.if_contains(name);
        if (found == nullptr || found->is_null())
            return;
        boost::system::error_code error;
        const auto read = found->to_number<double>(error);
        if (error || !std::isfinite(read))
            refuse(name);
        else
            into = read;
    }

    /// The objects of a list of at most so many.
    std::vector<const json::object*> list(std::string_view name, std::size_t most) {
        std::vector<const json::object*> all;
        const json::value* found = object_.if_contains(name);
        if (found == nullptr || !found->is_array() || found->get_array().size() > most) {
            refuse(name);
            return all;
        }
        for (const json::value& one : found->get_array()) {
            if (!one.is_object()) {
                refuse(name);
                return {};
            }
            all.push_back(&one.get_object());
        }
        return all;
    }

    const json::object& object(std::string_view name) {
        static const json::object none;
        const json::value* found = object_.if_contains(name);
        if (found == nullptr || !found->is_object()) {
            refuse(name);
            return none;
        }
        return found->get_object();
    }

    void refuse(std::string_view name) {
        if (wrong_.empty())
            wrong_ = name;
    }

    void take_over(const Reader& inner) {
        if (!inner.wrong_.empty())
            refuse(inner.wrong_);
    }

    [[nodiscard]] Result<void> finish() const {
        if (!wrong_.empty())
            return fail(Errc::invalid_argument,
                        fmt::format("a reading's '{}' is missing or ill-formed", wrong_));
        return {};
    }

  private:
    const json::object& object_;
    std::string wrong_;
};

auto taker(Reader& reader) {
    return [&reader](std::string_view name, Value& value) { reader.value(name, value); };
}

constexpr std::size_t most_devices = 4096;
constexpr std::size_t most_desktops = 16'384;
constexpr std::size_t name_length = 256;

std::vector<DiskRates> disks_from(Reader& outer) {
    std::vector<DiskRates> disks;
    for (const json::object* object : outer.list("disks", most_devices)) {
        Reader reader(*object);
        DiskRates& disk = disks.emplace_back();
        disk.name = std::string_view(reader.text("name", ShortName::capacity));
        each_disk_value(disk, taker(reader));
        outer.take_over(reader);
    }
    return disks;
}

std::vector<NetworkRates> interfaces_from(Reader& outer) {
    std::vector<NetworkRates> interfaces;
    for (const json::object* object : outer.list("interfaces", most_devices)) {
        Reader reader(*object);
        NetworkRates& one = interfaces.emplace_back();
        one.name = std::string_view(reader.text("name", ShortName::capacity));
        one.physical = reader.truth("physical");
        each_interface_value(one, taker(reader));
        outer.take_over(reader);
    }
    return interfaces;
}

DomainState state_from(std::string_view text) {
    for (const DomainState state :
         {DomainState::running, DomainState::paused, DomainState::shutting_down,
          DomainState::crashed, DomainState::off})
        if (to_string(state) == text)
            return state;
    return DomainState::unknown;
}

DesktopReading desktop_from(const json::object& object, Reader& outer) {
    constexpr std::int64_t most_mebibytes = std::int64_t{1} << 30;
    Reader reader(object);
    DesktopReading desktop;
    desktop.who.uuid = reader.text("uuid", 64);
    desktop.who.name = reader.text("name", name_length);
    desktop.who.desktop = DesktopId(reader.text("desktop", 64));
    desktop.who.session = SessionId(reader.text("session", 64));
    desktop.who.vcpus = static_cast<unsigned>(reader.integer("vcpus", most_devices));
    desktop.who.given = Mebibytes(reader.integer("memory_mib", most_mebibytes));
    desktop.who.state = state_from(reader.text("state", 32));
    each_desktop_value(desktop.rates, taker(reader));
    desktop.rates.disks = disks_from(reader);
    desktop.rates.interfaces = interfaces_from(reader);
    Value seconds;
    reader.value("seconds", seconds);
    desktop.rates.seconds = seconds.value_or(0);
    outer.take_over(reader);
    return desktop;
}

std::string csv_text(std::string_view text) {
    if (text.find_first_of(",\"\r\n") == std::string_view::npos)
        return std::string(text);
    std::string quoted = "\"";
    for (const char c : text) {
        if (c == '"')
            quoted += '"';
        quoted += c;
    }
    return quoted + '"';
}

std::string csv_number(const Value& value) {
    return value ? fmt::format("{}", std::round(*value * 1000) / 1000) : "";
}

/// The columns: those of desktops, then those that only hosts have.
template <class Visit>
void each_column(Visit visit) {
    DesktopRates desktop;
    HostRates host;
    std::vector<std::string_view> seen;
    each_desktop_value(desktop, [&](std::string_view name, const Value&) {
        seen.push_back(name);
        visit(name);
    });
    each_host_value(host, [&](std::string_view name, const Value&) {
        if (std::ranges::find(seen, name) == seen.end())
            visit(name);
    });
}

template <class Each>
std::string csv_values(Each each) {
    std::vector<std::pair<std::string_view, const Value*>> values;
    each([&](std::string_view name, const Value& value) { values.emplace_back(name, &value); });
    std::string line;
    each_column([&](std::string_view name) {
        const auto found =
            std::ranges::find(values, name, [](const auto& one) { return one.first; });
        line += ',';
        if (found != values.end())
            line += csv_number(*found->second);
    });
    return line + '\n';
}

} // namespace

std::string utc_text(WallTime time) {
    const auto since_epoch = time.time_since_epoch().count();
    return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z",
                       fmt::gmtime(static_cast<std::time_t>(since_epoch / 1000)),
                       since_epoch % 1000);
}

json::object to_json(const DesktopReading& desktop) {
    json::object object{{"uuid", desktop.who.uuid},
                        {"name", desktop.who.name},
                        {"desktop", desktop.who.desktop.value},
                        {"session", desktop.who.session.value},
                        {"vcpus", desktop.who.vcpus},
                        {"memory_mib", desktop.who.given.count},
                        {"state", to_string(desktop.who.state)},
                        {"seconds", number(desktop.rates.seconds)}};
    each_desktop_value(desktop.rates, putter(object));
    object["disks"] = disks_to_json(desktop.rates.disks);
    object["interfaces"] = interfaces_to_json(desktop.rates.interfaces);
    return object;
}

json::object to_json(const Reading& reading) {
    json::object host{{"seconds", number(reading.rates.seconds)},
                      {"processors", reading.rates.processors}};
    each_host_value(reading.rates, putter(host));
    host["disks"] = disks_to_json(reading.rates.disks);
    host["interfaces"] = interfaces_to_json(reading.rates.interfaces);
    json::array desktops;
    desktops.reserve(reading.desktops.size());
    for (const DesktopReading& desktop : reading.desktops)
        desktops.push_back(to_json(desktop));
    return {{"host", reading.host.value},
            {"address", reading.address},
            {"wall_ms", reading.wall.time_since_epoch().count()},
            {"monotonic_ns", reading.at.nanoseconds},
            {"usage", std::move(host)},
            {"desktops", std::move(desktops)}};
}

Result<Reading> reading_from_json(const json::object& object) {
    constexpr std::int64_t last_ms = 253'402'300'799'999; // the year 9999
    Reader reader(object);
    Reading reading;
    reading.host = HostId(reader.text("host", name_length));
    reading.address = reader.text("address", name_length);
    reading.wall = WallTime(std::chrono::milliseconds(reader.integer("wall_ms", last_ms)));
    reading.at = {reader.integer("monotonic_ns", INT64_MAX)};
    Reader usage(reader.object("usage"));
    Value seconds;
    usage.value("seconds", seconds);
    reading.rates.seconds = seconds.value_or(0);
    reading.rates.processors = static_cast<unsigned>(usage.integer("processors", 65'536));
    each_host_value(reading.rates, taker(usage));
    reading.rates.disks = disks_from(usage);
    reading.rates.interfaces = interfaces_from(usage);
    reader.take_over(usage);
    for (const json::object* one : reader.list("desktops", most_desktops)) {
        reading.desktops.push_back(desktop_from(*one, reader));
        reading.desktops.back().wall = reading.wall;
    }
    BATON_TRY(reader.finish());
    return reading;
}

std::string csv_header() {
    std::string line = "time,host,kind,name,uuid,desktop,session,state,memory_mib";
    each_column([&](std::string_view name) {
        line += ',';
        line += name;
    });
    return line + '\n';
}

std::string to_csv(const Reading& reading) {
    const std::string begin = utc_text(reading.wall) + ',' + csv_text(reading.host.value);
    std::string text = begin + ",host," + csv_text(reading.host.value) + ",,,,,";
    text += csv_values([&](auto visit) { each_host_value(reading.rates, visit); });
    for (const DesktopReading& desktop : reading.desktops) {
        text += fmt::format("{},desktop,{},{},{},{},{},{}", begin, csv_text(desktop.who.name),
                            csv_text(desktop.who.uuid), csv_text(desktop.who.desktop.value),
                            csv_text(desktop.who.session.value), to_string(desktop.who.state),
                            desktop.who.given.count);
        text += csv_values([&](auto visit) { each_desktop_value(desktop.rates, visit); });
    }
    return text;
}

} // namespace baton::monitor
