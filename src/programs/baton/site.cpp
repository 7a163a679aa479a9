/// `baton status`, `baton events`: the site in one look, and what happened.
#include "programs/baton/commands.h"
#include "programs/baton/output.h"
#include "programs/baton/remote.h"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <cstdio>

namespace json = boost::json;

namespace baton::cli {

namespace {

struct SiteOptions {
    std::shared_ptr<ConnectionOptions> connection;
    bool as_json = false;
    bool follow = false;
    std::int64_t after = 0;
};

void print_samples(const json::object& site) {
    const json::value* told = site.if_contains("samples");
    const json::object* samples = told != nullptr ? told->if_object() : nullptr;
    if (samples == nullptr) {
        fmt::print("samples are not kept\n");
        return;
    }
    if (samples->at("failing").as_bool()) {
        fmt::print("HISTORY HAS STOPPED at {}: {}; {} samples ({}) wait in memory, {} are lost\n",
                   time_field(*samples, "since"), printable(field(*samples, "why")),
                   field(*samples, "waiting"), bytes_field(*samples, "waiting_bytes"),
                   field(*samples, "lost"));
        return;
    }
    const std::string since = time_field(*samples, "seconds_since");
    fmt::print("samples are kept in {}: {}{}{}\n", printable(field(*samples, "where")),
               bytes_field(*samples, "used_bytes"),
               since == "-" ? "" : ", every second since " + since,
               samples->at("shortened").as_bool() ? " (as much as samples.most_size lets it)" : "");
}

void status(const SiteOptions& options) {
    Remote remote(*options.connection);
    const json::object site = remote.get("/v1/status");
    if (options.as_json) {
        fmt::print("{}", pretty(site));
        return;
    }
    fmt::print("{} of memory are free\n", memory_field(site, "free_mib"));
    fmt::print("{} sessions are open: {} serving, {} being opened, {} being handed off\n",
               field(site, "sessions.open"), field(site, "sessions.serving"),
               field(site, "sessions.waiting"), field(site, "sessions.handing_off"));
    for (const json::value& one : site.at("hosts").as_array()) {
        const json::object& host = one.get_object();
        fmt::print("{}: {}, {} desktops with {}, {} free\n", field(host, "id"),
                   field(host, "state"), field(host, "desktops"), memory_field(host, "used_mib"),
                   memory_field(host, "free_mib"));
    }
    print_samples(site);
}

void events(const SiteOptions& options) {
    Remote remote(*options.connection, std::chrono::seconds(60));
    std::string last = std::to_string(options.after);
    bool waiting = false;
    while (true) {
        const std::string target =
            fmt::format("/v1/events?limit=1000&after={}{}", last, waiting ? "&wait=25" : "");
        const json::object page = waiting
                                      ? remote.get_through_restart(target, std::chrono::seconds(60))
                                      : remote.get(target);
        if (page.contains("pruned")) // on standard error: a program's lines are events alone
            fmt::print(stderr,
                       "baton: {} events after number {} are not kept any more "
                       "(retention.events and retention.most_events in batond.toml)\n",
                       field(page, "pruned"), last);
        for (const json::value& one : page.at("events").as_array()) {
            const json::object& event = one.get_object();
            if (options.as_json)
                fmt::print("{}\n", json::serialize(event));
            else
                fmt::print("{}  {:<18} {}\n", time_field(event, "at"), field(event, "kind"),
                           field(event, "text"));
        }
        std::fflush(stdout);
        last = field(page, "last");
        if (page.at("events").as_array().empty() && !waiting) {
            if (!options.follow)
                return;
            waiting = true;
        }
    }
}

} // namespace

void add_site(CLI::App& app) {
    auto options = std::make_shared<SiteOptions>();
    CLI::App* look = app.add_subcommand("status", "The site in one look");
    look->footer("Example: baton status");
    auto connection = add_connection(look);
    look->add_flag("--json", options->as_json, "JSON for programs (docs/cli.md)");
    look->callback([options, connection] {
        options->connection = connection;
        status(*options);
    });

    CLI::App* log = app.add_subcommand("events", "What happened, oldest first");
    log->footer("Example: baton events --follow --json | jq -c '[.kind, .subject]'");
    auto other = add_connection(log);
    log->add_flag("--follow,-f", options->follow, "and what happens from now on, until Ctrl-C");
    log->add_option("--after", options->after, "only those after this number")
        ->check(CLI::NonNegativeNumber);
    log->add_flag("--json", options->as_json, "one JSON object a line");
    log->callback([options, other] {
        options->connection = other;
        events(*options);
    });
}

} // namespace baton::cli
