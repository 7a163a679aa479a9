/// `baton top`: what hosts and desktops use now.
#include "programs/baton_top/top.h"

#include "monitor/codec.h"
#include "monitor/top_view.h"
#include "programs/baton/commands.h"
#include "programs/baton/remote.h"
#include "programs/baton_top/top_screen.h"
#include "sampling/collector.h"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <sys/ioctl.h>
#include <thread>
#include <unistd.h>

namespace json = boost::json;

namespace baton::cli {

namespace {

using monitor::Seen;
using monitor::TopView;

struct Options {
    std::shared_ptr<ConnectionOptions> connection;
    bool local = false;
    std::string libvirt;
    std::int64_t interval_ms = 1'000;
    bool once = false;
    bool as_json = false;
    bool as_csv = false;
    std::string sort = "cpu";
    std::string filter;
    bool reverse = false;
};

/// Where readings come from.
class Source {
  public:
    virtual ~Source() = default;
    virtual std::vector<Seen> read() = 0;
};

/// This machine and its own libvirt, without a controller.
class LocalSource : public Source {
  public:
    explicit LocalSource(const Options& options) {
        sampling::CollectorSettings settings;
        std::array<char, 256> name{};
        (void)::gethostname(name.data(), name.size() - 1);
        settings.host = HostId(name.data());
        settings.libvirt_uri = uri(options);
        settings.fast_period = std::chrono::milliseconds(options.interval_ms);
        settings.connection = [this](bool connected, const std::string& reason) {
            why_ = connected ? "" : reason;
        };
        collector_ = std::make_unique<sampling::Collector>(settings);
    }

    /// Waits until the hypervisor has answered, or has not.
    void begin() {
        using Clock = std::chrono::steady_clock;
        constexpr std::chrono::seconds patience{5};
        const auto until = Clock::now() + patience;
        // what libvirt's threads have to say is taken by collect(), which is cheap
        while (!collector_->heard_of_hypervisor() && Clock::now() < until) {
            collector_->collect();
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
        }
        collector_->collect();
        if (!collector_->heard_of_hypervisor())
            why_ = "the hypervisor does not answer";
        if (!why_.empty())
            fmt::print(stderr, "baton: only the host is measured: {}\n", why_);
    }

    std::vector<Seen> read() override {
        std::vector<Seen> seen(1);
        seen[0].reading = collector_->collect();
        return seen;
    }

  private:
    static std::string uri(const Options& options) {
        if (!options.libvirt.empty())
            return options.libvirt;
        const char* named = std::getenv("LIBVIRT_DEFAULT_URI"); // NOLINT(concurrency-mt-unsafe)
        return named != nullptr && *named != '\0' ? named : "qemu:///system";
    }

    std::string why_;
    std::unique_ptr<sampling::Collector> collector_;
};

/// What a controller, or a `baton-hostd --monitor-only`, was told last.
class RemoteSource : public Source {
  public:
    /// A monitor on its own (http) knows nobody, and is shown no token.
    explicit RemoteSource(const ConnectionOptions& options)
        : remote_(options, std::chrono::seconds(10), !options.controller.starts_with("http://")) {}

    std::vector<Seen> read() override {
        const json::object answer = remote_.get("/v1/readings");
        std::vector<Seen> all;
        const json::value* list = answer.if_contains("readings");
        if (list == nullptr || !list->is_array())
            throw CommandFailed{Error{Errc::corrupt, "the answer holds no readings", "", 0}};
        for (const json::value& one : list->get_array())
            all.push_back(seen_from(one));
        return all;
    }

  private:
    static Seen seen_from(const json::value& one) {
        if (!one.is_object())
            throw CommandFailed{Error{Errc::corrupt, "a reading is ill-formed", "", 0}};
        const json::object& object = one.get_object();
        Seen seen;
        seen.reading = value_or_fail(monitor::reading_from_json(object));
        if (const json::value* age = object.if_contains("age_ms"); age && age->is_int64())
            seen.age_ms = age->get_int64();
        for (const json::value& desktop : object.at("desktops").get_array()) {
            const json::object& fields = desktop.get_object();
            const json::value* user = fields.if_contains("user");
            if (user != nullptr && user->is_string())
                seen.users[std::string(fields.at("session").get_string())] = user->get_string();
            const json::value* level = fields.if_contains("level");
            if (level != nullptr && level->is_int64())
                seen.levels[std::string(fields.at("desktop").get_string())] = level->get_int64();
        }
        return seen;
    }

    Remote remote_;
};

void print_readings(const std::vector<Seen>& all, const Options& options, bool first) {
    if (options.as_csv && first)
        fmt::print("{}", monitor::csv_header());
    for (const Seen& seen : all) {
        if (options.as_csv) {
            fmt::print("{}", monitor::to_csv(seen.reading));
            continue;
        }
        json::object object = monitor::to_json(seen.reading);
        object["time"] = monitor::utc_text(seen.reading.wall);
        object["age_ms"] = seen.age_ms;
        for (json::value& one : object.at("desktops").get_array()) {
            json::object& desktop = one.get_object();
            const auto user = seen.users.find(std::string(desktop.at("session").get_string()));
            desktop["user"] = user != seen.users.end() ? json::value(user->second) : json::value();
            const auto level = seen.levels.find(std::string(desktop.at("desktop").get_string()));
            desktop["level"] =
                level != seen.levels.end() ? json::value(level->second) : json::value();
        }
        fmt::print("{}\n", json::serialize(object));
    }
    std::fflush(stdout);
}

monitor::TopOptions view_options(const Options& options) {
    monitor::TopOptions view;
    view.sort = value_or_fail(monitor::top_sort_from_string(options.sort));
    view.reverse = options.reverse;
    view.filter = options.filter;
    view.width = 160;
    winsize size{};
    if (::isatty(STDOUT_FILENO) == 1 && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 &&
        size.ws_col > 0)
        view.width = size.ws_col;
    return view;
}

void print_once(const std::vector<Seen>& all, const Options& options) {
    TopView view;
    view.add(all);
    for (const monitor::TopLine& line : view.lines(view_options(options))) {
        const auto end = line.text.find_last_not_of(' ');
        fmt::print("{}\n", line.text.substr(0, end == std::string::npos ? 0 : end + 1));
    }
}

std::unique_ptr<Source> make_source(const Options& options) {
    if (!options.local && options.libvirt.empty())
        return std::make_unique<RemoteSource>(complete(*options.connection));
    auto local = std::make_unique<LocalSource>(options);
    local->begin();
    return local;
}

void top(const Options& options) {
    const std::chrono::milliseconds interval(options.interval_ms);
    const monitor::TopOptions view = view_options(options);
    const bool plain = options.once || options.as_json || options.as_csv;
    if (!plain && ::isatty(STDOUT_FILENO) != 1)
        throw CommandFailed{
            Error{Errc::invalid_argument, "this is no terminal", "use --once, --json or --csv", 0}};
    const auto source = make_source(options);
    const bool local = options.local || !options.libvirt.empty();
    if (!plain)
        return run_top_screen([&source] { return source->read(); }, view, interval);
    auto next = std::chrono::steady_clock::now();
    if (local) // usage needs two readings; the first has been made
        std::this_thread::sleep_until(next += interval);
    for (bool first = true;; first = false) {
        const auto all = source->read();
        if (options.as_json || options.as_csv)
            print_readings(all, options, first);
        else
            print_once(all, options);
        if (options.once)
            return;
        std::this_thread::sleep_until(next += interval);
    }
}

} // namespace

void add_top(CLI::App& app) {
    auto options = std::make_shared<Options>();
    CLI::App* command = app.add_subcommand("top", "What hosts and desktops use now, live");
    command->footer("Examples: baton top\n"
                    "          baton top --local --once          this machine, no controller\n"
                    "          baton top --json --once | jq '.desktops[].cpu_percent'\n"
                    "Keys: q ends; c m d n p a u sort by CPU, memory, disk, network, pressure, "
                    "name, user; r reverses; / filters; arrows and page keys scroll");
    auto connection = add_connection(command);
    command->add_flag("--local", options->local,
                      "measure this machine and its libvirt, without a controller");
    command->add_option("--libvirt", options->libvirt,
                        "libvirt's URI (implies --local; default: $LIBVIRT_DEFAULT_URI, or "
                        "qemu:///system)");
    command->add_option("--interval-ms", options->interval_ms, "how often")
        ->check(CLI::Range(100, 60'000))
        ->capture_default_str();
    command->add_flag("--once", options->once, "print once, as a table, and end");
    auto* as_json =
        command->add_flag("--json", options->as_json, "one JSON object a line and host");
    command->add_flag("--csv", options->as_csv, "a line for each host and desktop")
        ->excludes(as_json);
    command
        ->add_option("--sort", options->sort, "cpu, memory, disk, network, pressure, name or user")
        ->capture_default_str();
    command->add_flag("--reverse", options->reverse, "the other way round");
    command->add_option("--filter", options->filter,
                        "only desktops with this in their name, user, host or state");
    command->callback([options, connection] {
        options->connection = connection;
        top(*options);
    });
}

} // namespace baton::cli
