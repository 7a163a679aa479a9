#include "programs/batond/config.h"

#include "history/mariadb_url.h"
#include "model/toml.h"
#include "store/names.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <sstream>

namespace baton::controller {

Mebibytes Config::reserve(Mebibytes memory) const {
    return std::max(host_reserve, Mebibytes(memory.count *
                                            static_cast<std::int64_t>(host_reserve_percent) / 100));
}

std::string Config::samples_place() const {
    if (samples_store == "none")
        return {};
    if (samples_store == "sqlite")
        return state_dir + "/samples.db";
    constexpr std::string_view file = "sqlite:";
    return samples_store.starts_with(file) ? samples_store.substr(file.size()) : samples_store;
}

Result<std::chrono::milliseconds> parse_duration(std::string_view text) {
    std::int64_t number = 0;
    const auto [rest, status] = std::from_chars(text.data(), text.data() + text.size(), number);
    const std::string_view unit(rest, static_cast<std::size_t>(text.data() + text.size() - rest));
    static const std::map<std::string_view, std::int64_t> units{
        {"ms", 1}, {"s", 1000}, {"min", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
    const auto found = units.find(unit);
    constexpr std::int64_t longest = std::int64_t{3653} * 86'400'000;
    if (status != std::errc{} || found == units.end() || number < 0 ||
        number > longest / found->second)
        return fail(Errc::invalid_argument, fmt::format("'{}' is not a span of time", text),
                    "write for example 500ms, 30s, 5min or 12h");
    return std::chrono::milliseconds(number * found->second);
}

namespace {

/// Reads keys of the document and keeps the first thing that is wrong, with where it is.
class Reader {
  public:
    Reader(const toml::table& root, std::string file) : root_(root), file_(std::move(file)) {}

    void text(const std::string& key, std::string& into) {
        if (const toml::node* node = find(key)) {
            if (const auto value = node->value_exact<std::string>())
                into = *value;
            else
                wrong(key, *node, "is not text");
        }
    }

    template <class T>
    void number(const std::string& key, T& into, std::int64_t least, std::int64_t most) {
        const toml::node* node = find(key);
        if (!node)
            return;
        const auto value = node->value_exact<std::int64_t>();
        if (!value || *value < least || *value > most)
            return wrong(key, *node,
                         fmt::format("is not a whole number from {} to {}", least, most));
        into = static_cast<T>(*value);
    }

    void flag(const std::string& key, bool& into) {
        if (const toml::node* node = find(key)) {
            if (const auto value = node->value_exact<bool>())
                into = *value;
            else
                wrong(key, *node, "is neither true nor false");
        }
    }

    template <class T>
    void duration(const std::string& key, T& into) {
        read(key, [&](const std::string& words) -> Result<void> {
            const auto value = parse_duration(words);
            if (!value)
                return tl::unexpected(value.error());
            into = std::chrono::duration_cast<T>(*value);
            return {};
        });
    }

    /// How long something is kept, in whole hours; "for ever" is 0.
    void life(const std::string& key, std::chrono::hours& into) {
        read(key, [&](const std::string& words) -> Result<void> {
            if (words == "for ever") {
                into = std::chrono::hours(0);
                return {};
            }
            const auto value = parse_duration(words);
            if (!value)
                return tl::unexpected(value.error());
            if (*value < std::chrono::hours(1))
                return fail(Errc::invalid_argument, "is less than an hour",
                            "write for example 12h, 90d or \"for ever\"");
            into = std::chrono::duration_cast<std::chrono::hours>(*value);
            return {};
        });
    }

    /// A time, or "for ever", which is 0.
    void time_or_ever(const std::string& key, std::chrono::seconds& into) {
        read(key, [&](const std::string& words) -> Result<void> {
            const auto value =
                words == "for ever" ? Result<std::chrono::milliseconds>(0) : parse_duration(words);
            if (!value)
                return tl::unexpected(value.error());
            if (words != "for ever" && *value < std::chrono::seconds(1))
                return fail(Errc::invalid_argument, "is less than a second",
                            "write for example 10min, 12h or \"for ever\"");
            into = std::chrono::duration_cast<std::chrono::seconds>(*value);
            return {};
        });
    }

    void memory(const std::string& key, Mebibytes& into) {
        read(key, [&](const std::string& words) -> Result<void> {
            const auto value = parse_mebibytes(words);
            if (!value)
                return tl::unexpected(value.error());
            into = *value;
            return {};
        });
    }

    /// One text or a list of them.
    void texts(const std::string& key, std::vector<std::string>& into) {
        const toml::node* node = find(key);
        if (!node)
            return;
        std::vector<std::string> found;
        if (const auto one = node->value_exact<std::string>())
            found.push_back(*one);
        else if (const toml::array* all = node->as_array())
            for (const toml::node& item : *all) {
                const auto value = item.value_exact<std::string>();
                if (!value)
                    return wrong(key, item, "has something in it that is not text");
                found.push_back(*value);
            }
        if (found.empty())
            return wrong(key, *node, "is neither text nor a list of texts");
        into = std::move(found);
    }

    void read(const std::string& key, const std::function<Result<void>(const std::string&)>& use) {
        const toml::node* node = find(key);
        if (!node)
            return;
        const auto words = node->value_exact<std::string>();
        if (!words)
            return wrong(key, *node, "is not text in quotes");
        if (auto done = use(*words); !done)
            wrong(key, *node, done.error().message());
    }

    void require(bool holds, const std::string& key, std::string_view why) {
        if (holds)
            return;
        const toml::node* node = root_.at_path(key).node();
        complain(node ? node->source().begin.line : 0, key, why);
    }

    /// A key that nothing has asked for is a typing error; say so before it costs an evening.
    Result<void> result() {
        for (const auto& [section, node] : root_) {
            const toml::table* table = node.as_table();
            if (!table) {
                unknown(std::string(section.str()), node);
                continue;
            }
            for (const auto& [name, value] : *table)
                if (const auto key = fmt::format("{}.{}", section.str(), name.str());
                    !known_.contains(key))
                    unknown(key, value);
        }
        if (problem_.empty())
            return {};
        return fail(Errc::invalid_argument, problem_, "docs/configuration.md lists every key");
    }

    [[nodiscard]] const std::set<std::string>& known() const { return known_; }

  private:
    const toml::node* find(const std::string& key) {
        known_.insert(key);
        return root_.at_path(key).node();
    }

    void unknown(const std::string& key, const toml::node& node) {
        complain(node.source().begin.line, key, "is not a key of Baton's");
    }

    void wrong(const std::string& key, const toml::node& node, std::string_view why) {
        complain(node.source().begin.line, key, why);
    }

    void complain(std::uint32_t line, const std::string& key, std::string_view why) {
        if (problem_.empty())
            problem_ = line == 0 ? fmt::format("{}: {}: {}", file_, key, why)
                                 : fmt::format("{}:{}: {}: {}", file_, line, key, why);
    }

    const toml::table& root_;
    std::string file_;
    std::set<std::string> known_;
    std::string problem_;
};

Result<void> check_samples_store(const std::string& words) {
    if (words == "none" || words == "sqlite" || words.starts_with("sqlite:/"))
        return {};
    if (words.starts_with("mysql://"))
        return history::parse_mariadb_url(words).map([](const history::MariadbUrl&) {});
    return fail(Errc::invalid_argument, "is no place to keep samples in",
                "write \"sqlite\", \"sqlite:/FOLDER/FILE\", \"mysql://USER@HOST/DATABASE\" or "
                "\"none\"");
}

void read_samples(Reader& reader, Config& config) {
    reader.read("samples.store", [&config](const std::string& words) -> Result<void> {
        BATON_TRY(check_samples_store(words));
        config.samples_store = words;
        return {};
    });
    history::Retention& kept = config.samples;
    reader.duration("samples.seconds", kept.seconds);
    reader.duration("samples.minutes", kept.minutes);
    reader.duration("samples.hours", kept.hours);
    // an hour is rolled up out of its seconds
    reader.require(kept.seconds >= std::chrono::hours(2), "samples.seconds",
                   "is less than two hours");
    reader.require(kept.minutes >= kept.seconds, "samples.minutes", "is less than samples.seconds");
    reader.require(kept.hours >= kept.minutes, "samples.hours", "is less than samples.minutes");
    Mebibytes most(kept.most_bytes >> 20);
    reader.memory("samples.most_size", most);
    reader.require(most >= Mebibytes(16), "samples.most_size", "is less than 16 MiB");
    kept.most_bytes = most.bytes();
    reader.memory("samples.most_waiting", config.samples_waiting);
    reader.require(config.samples_waiting >= Mebibytes(1) &&
                       config.samples_waiting <= Mebibytes(16 * 1024),
                   "samples.most_waiting", "is not from 1 MiB to 16 GiB");
}

void read_site(Reader& reader, Config& config) {
    reader.texts("listen.address", config.addresses);
    reader.number("listen.port", config.port, 0, 65535);
    reader.text("listen.local_socket", config.local_socket);
    reader.text("listen.public_url", config.public_url);
    reader.text("state.dir", config.state_dir);
    reader.life("retention.events", config.retention.events);
    reader.number("retention.most_events", config.retention.most_events, 1000, 100'000'000);
    reader.life("retention.sessions", config.retention.sessions);
    reader.text("images.folder", config.images_folder);
    reader.text("netboot.folder", config.netboot_folder);
    reader.flag("netboot.prestart", config.prestart);
    reader.duration("netboot.kept_unused", config.kept_unused);
    reader.require(config.kept_unused.count() > 0, "netboot.kept_unused", "is less than a second");
    reader.time_or_ever("sessions.kept_without_viewer", config.kept_without_viewer);
    reader.text("images.default", config.default_image);
    reader.text("desks.server", config.desk_server);
    Mebibytes size(config.desk_size_bytes >> 20);
    reader.memory("desks.size", size);
    config.desk_size_bytes = size.bytes();
    reader.text("routing.helper_socket", config.helper_socket);
    reader.text("routing.viewer_address", config.viewer_address);
    reader.read("routing.route", [&config](const std::string& words) -> Result<void> {
        config.route = store::from_name<RouteKind>(words);
        if (!config.route && words != "auto")
            return fail(Errc::invalid_argument, "is none of gateway, nat, auto");
        return {};
    });
    reader.number("routing.first_port", config.engine.first_listen_port, 1024, 65535);
    reader.number("routing.last_port", config.engine.last_listen_port, 1024, 65535);
    reader.require(config.engine.first_listen_port <= config.engine.last_listen_port,
                   "routing.last_port", "is before routing.first_port");
    reader.text("process.user", config.user);
    reader.text("process.log_level", config.log_level);
    static const std::set<std::string> levels{"debug", "info", "warning", "error"};
    reader.require(levels.contains(config.log_level), "process.log_level",
                   "is none of debug, info, warning, error");
    reader.duration("login.token_life", config.login_life);
    reader.duration("login.invitation_life", config.invitation_life);
    reader.require(config.login_life.count() > 0, "login.token_life", "is nothing");
    reader.require(config.invitation_life.count() > 0, "login.invitation_life", "is nothing");
}

void read_engine(Reader& reader, Config& config) {
    handoff::EngineSettings& engine = config.engine;
    reader.memory("allocation.largest", engine.sizes.largest);
    reader.number("allocation.levels", engine.sizes.levels, 1, 16);
    reader.require(
        engine.sizes.largest.halved(engine.sizes.levels - 1).count >= 1 &&
            engine.sizes.largest.count % (std::int64_t{1} << (engine.sizes.levels - 1)) == 0,
        "allocation.levels", "asks for a smallest size that is not a whole number of MiB");
    reader.text("allocation.policy", engine.policy);
    reader.flag("allocation.by_load", engine.place_by_load);
    reader.memory("allocation.host_reserve", config.host_reserve);
    reader.number("allocation.host_reserve_percent", config.host_reserve_percent, 0, 90);
    bool no_reserve = false;
    reader.flag("allocation.no_host_reserve", no_reserve);
    if (no_reserve) {
        config.host_reserve = Mebibytes(0);
        config.host_reserve_percent = 0;
    }
    reader.flag("allocation.grow_when_leaving", engine.grow_when_leaving);
    reader.duration("handoff.grace", engine.grace);
    reader.duration("handoff.not_now", engine.not_now_delay);
    reader.duration("handoff.close_grace", engine.close_grace);
    reader.duration("handoff.waiting_deadline", engine.waiting_deadline);
    reader.duration("handoff.ready_deadline", engine.ready_deadline);
    reader.duration("handoff.attach_deadline", engine.attach_deadline);
    reader.duration("handoff.release_deadline", engine.release_deadline);
    reader.duration("handoff.host_lost_after", engine.host_lost_after);
    reader.duration("handoff.screen_password_life", engine.screen_password_life);
    reader.require(engine.screen_password_life.count() > 0, "handoff.screen_password_life",
                   "is less than an hour");
    reader.number("simulate.hosts", config.simulated_hosts, 0, 1000);
    reader.memory("simulate.host_memory", config.simulated_memory);
    reader.duration("simulate.boot", config.simulated_boot);
}

} // namespace

Result<Config> parse_config(std::string_view text, const std::string& file) {
    const auto root = read_toml(text, file, "docs/configuration.md shows a whole file");
    if (!root)
        return tl::unexpected(root.error());
    Config config;
    Reader reader(*root, file);
    read_site(reader, config);
    read_samples(reader, config);
    read_engine(reader, config);
    BATON_TRY(reader.result());
    return config;
}

std::vector<std::string> config_keys() {
    const toml::table nothing;
    Config config;
    Reader reader(nothing, "");
    read_site(reader, config);
    read_samples(reader, config);
    read_engine(reader, config);
    return {reader.known().begin(), reader.known().end()};
}

Result<Config> read_config(const std::string& file) {
    std::ifstream stream(file);
    if (!stream)
        return fail_errno(errno, fmt::format("cannot read the configuration {}", file),
                          "name another one with --config; packaging/batond.toml is a sample");
    std::ostringstream text;
    text << stream.rdbuf();
    return parse_config(text.str(), file);
}

} // namespace baton::controller
