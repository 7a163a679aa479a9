/// `baton session`: people at work.
#include "programs/baton/commands.h"
#include "programs/baton/output.h"
#include "programs/baton/remote.h"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <set>
#include <unistd.h>

namespace json = boost::json;

namespace baton::cli {

namespace {

using std::chrono::seconds;
using std::chrono::steady_clock;

/// The longest one answer is waited for in one go; longer waits are several.
constexpr seconds one_wait{25};
/// A controller that is restarted is back by then.
constexpr seconds restart_time{60};

struct SessionOptions {
    std::shared_ptr<ConnectionOptions> connection;
    std::string who;
    std::string image;
    std::string client;
    std::string desk;
    std::string route;
    bool view_only = false;
    bool as_json = false;
    bool no_wait = false;
    bool all = false;
    bool quiet = false;
    std::int64_t timeout_s = 300;
    std::int64_t times = 0;
};

std::string session_path(const std::string& who) {
    return "/v1/sessions/" + escape(who);
}

bool settled(const json::object& session) {
    const std::string phase = field(session, "phase");
    return phase == "serving" || phase == "closed";
}

/// The error that ended a session that was being opened.
[[noreturn]] void fail_as(const json::object& session) {
    const json::value* error = session.if_contains("error");
    if (error && error->is_object())
        throw CommandFailed{Error{
            errc_from_string(field(error->get_object(), "code")),
            field(error->get_object(), "what"),
            field(error->get_object(), "hint") == "-" ? "" : field(error->get_object(), "hint"),
            0}};
    throw CommandFailed{Error{Errc::unavailable,
                              fmt::format("the session {} has ended: {}", field(session, "id"),
                                          field(session, "ended_because")),
                              "", 0}};
}

void print_how_to_connect(const json::object& session) {
    fmt::print("session {} of {} is {}: {} on {}\n", field(session, "id"), field(session, "user"),
               field(session, "phase"), memory_field(session, "desktop.memory_mib"),
               field(session, "desktop.host"));
    if (field(session, "route.kind") == "gateway") {
        fmt::print("  connect    as {}, with their password, at a gateway of: baton gateway list\n"
                   "  viewer     vncviewer -SecurityTypes=X509Plain -X509CA=CA.pem GATEWAY:PORT\n",
                   field(session, "user"));
        return;
    }
    std::string address = field(session, "desktop.screen.address");
    std::string port = field(session, "desktop.screen.port");
    if (field(session, "route.listen_port") != "-") {
        port = field(session, "route.listen_port");
        address = field(session, "route.address");
        if (address == "-")
            address = "BOOT-SERVER";
        fmt::print("  connect    {}:{}, from {} alone\n", address, port,
                   field(session, "route.client"));
    } else if (port != "-") {
        fmt::print(
            "  connect    {}:{}, from the boot server (no --client was given, so no route)\n",
            address, port);
    }
    fmt::print("  password   {}, until {}\n", field(session, "screen_password"),
               time_field(session, "screen_password_until"));
    if (port != "-")
        fmt::print("  viewer     vncviewer {}::{}\n", address, port);
}

void print_session(const json::object& session, bool as_json) {
    if (as_json)
        fmt::print("{}", pretty(session));
    else
        print_how_to_connect(session);
}

/// Prints what is told of the session (and of handoffs that make room for it) while it opens.
class Teller {
  public:
    Teller(Remote& remote, bool quiet) : remote_(remote), quiet_(quiet) {
        last_ = field(remote_.get("/v1/events?after=latest"), "last");
    }

    /// Waits for something to happen, at most `wait`.
    void listen(seconds wait) {
        const json::object page =
            remote_.get_through_restart(fmt::format("/v1/events?after={}&wait={}", last_,
                                                    std::max<std::int64_t>(1, wait.count())),
                                        restart_time);
        last_ = field(page, "last");
        if (quiet_)
            return;
        for (const json::value& event : page.at("events").as_array())
            fmt::print(stderr, "{}\n", field(event.get_object(), "text"));
    }

  private:
    Remote& remote_;
    bool quiet_;
    std::string last_;
};

json::object open_and_wait(Remote& remote, const json::object& body,
                           const SessionOptions& options) {
    if (options.no_wait)
        return remote.post("/v1/sessions", body);
    Teller teller(remote, options.quiet);
    json::object session = remote.open_through_restart(body, restart_time);
    const std::string path = session_path(field(session, "id"));
    const auto deadline = steady_clock::now() + seconds(options.timeout_s);
    while (!settled(session)) {
        const auto left = std::chrono::duration_cast<seconds>(deadline - steady_clock::now());
        if (left.count() <= 0)
            throw CommandFailed{Error{
                Errc::timeout,
                fmt::format("the session {} is still {} after {} s", field(session, "id"),
                            field(session, "phase"), options.timeout_s),
                fmt::format("it goes on; see it with: baton session show {}", field(session, "id")),
                0}};
        teller.listen(std::min(left, one_wait));
        session = remote.get_through_restart(path, restart_time);
    }
    if (field(session, "phase") == "closed")
        fail_as(session);
    return session;
}

void open(const SessionOptions& options) {
    Remote remote(*options.connection);
    json::object body;
    if (!options.who.empty())
        body["user"] = options.who;
    if (!options.image.empty())
        body["image"] = options.image;
    if (!options.client.empty())
        body["client"] = options.client;
    if (!options.desk.empty())
        body["desk"] = options.desk;
    if (!options.route.empty())
        body["route"] = options.route;
    print_session(open_and_wait(remote, body, options), options.as_json);
}

std::string doing(const json::object& session) {
    if (field(session, "move.kind") == "-")
        return "-";
    return fmt::format("{}: {}", field(session, "move.kind"), field(session, "move.phase"));
}

std::string sessions_table(const json::array& sessions) {
    Table table({"USER", "SESSION", "PHASE", ">MEMORY", "HOST", "DESKTOP", "ROUTE", "DOING"});
    for (const json::value& one : sessions) {
        const json::object& session = one.get_object();
        const std::string port = field(session, "route.listen_port");
        table.add({field(session, "user"), field(session, "id"), field(session, "phase"),
                   memory_field(session, "desktop.memory_mib"), field(session, "desktop.host"),
                   field(session, "desktop.id"),
                   field(session, "route.kind") == "gateway" ? "gateway"
                   : port == "-"                             ? port
                                 : fmt::format("{} -> :{}", field(session, "route.client"), port),
                   doing(session)});
    }
    return table.empty() ? "no session is open\n" : table.text();
}

void list(const SessionOptions& options) {
    Remote remote(*options.connection);
    std::string target = "/v1/sessions";
    if (options.all)
        target += "?all=1";
    const json::object answer = remote.get(target);
    const json::array& sessions = answer.at("sessions").as_array();
    if (options.as_json)
        fmt::print("{}", pretty(sessions));
    else
        fmt::print("{}", sessions_table(sessions));
}

void show(const SessionOptions& options) {
    Remote remote(*options.connection);
    const json::object session = remote.get(session_path(options.who));
    if (options.as_json) {
        fmt::print("{}", pretty(session));
        return;
    }
    Table table({"", ""});
    for (const auto& [name, path] :
         std::vector<std::pair<const char*, const char*>>{{"session", "id"},
                                                          {"user", "user"},
                                                          {"desk", "desk"},
                                                          {"OS image", "image"},
                                                          {"phase", "phase"},
                                                          {"host", "desktop.host"},
                                                          {"desktop", "desktop.id"},
                                                          {"route", "route.kind"},
                                                          {"client", "route.client"},
                                                          {"route port", "route.listen_port"},
                                                          {"password", "screen_password"},
                                                          {"ended because", "ended_because"}})
        if (const std::string value = field(session, path); value != "-")
            table.add({name, value});
    if (field(session, "desktop.id") != "-")
        table.add({"memory", memory_field(session, "desktop.memory_mib")});
    if (doing(session) != "-")
        table.add({"doing", doing(session) + " (" + field(session, "move.reason") + ")"});
    table.add({"opened", time_field(session, "created")});
    const std::string text = table.text();
    fmt::print("{}", text.substr(text.find('\n') + 1));
}

void close(const SessionOptions& options) {
    Remote remote(*options.connection, seconds(options.timeout_s + 10));
    const std::string wait =
        options.no_wait ? ""
                        : fmt::format("?wait={}", std::min<std::int64_t>(options.timeout_s, 300));
    const json::object session = remote.remove(session_path(options.who) + wait);
    if (options.as_json)
        fmt::print("{}", pretty(session));
    else if (field(session, "phase") == "closed")
        fmt::print("session {} of {} is closed\n", field(session, "id"), field(session, "user"));
    else
        fmt::print("session {} of {} is being closed\n", field(session, "id"),
                   field(session, "user"));
    if (!options.no_wait && field(session, "phase") != "closed")
        throw CommandFailed{Error{Errc::timeout, "the session is still being closed",
                                  "it goes on; see it with: baton session list", 0}};
}

/// A way in for a browser, or for somebody who looks on.
void share(const SessionOptions& options) {
    Remote remote(*options.connection);
    const std::string id = field(remote.get(session_path(options.who)), "id");
    const json::object answer =
        remote.post("/v1/sessions/" + escape(id) + "/ticket", {{"view_only", options.view_only}});
    if (options.as_json) {
        fmt::print("{}", pretty(answer));
        return;
    }
    fmt::print("good once, until {}{}:\n", time_field(answer, "expires"),
               options.view_only ? ", to look on" : "");
    const json::array& gateways = answer.at("gateways").as_array();
    for (const json::value& one : gateways)
        fmt::print("  wss://{}:{}/v1/screen?ticket={}\n", field(one.get_object(), "address"),
                   field(one.get_object(), "web_port"), field(answer, "ticket"));
    if (gateways.empty())
        fmt::print("  {}\n(no gateway that takes browsers is connected)\n",
                   field(answer, "ticket"));
}

void grow(const SessionOptions& options) {
    Remote remote(*options.connection, seconds(options.timeout_s + 10));
    const std::string wait =
        options.no_wait ? ""
                        : fmt::format("?wait={}", std::min<std::int64_t>(options.timeout_s, 300));
    const json::object session = remote.post(session_path(options.who) + "/grow" + wait);
    if (options.as_json)
        fmt::print("{}", pretty(session));
    else
        fmt::print("session {} of {} is {}: {} on {}\n", field(session, "id"),
                   field(session, "user"), field(session, "phase"),
                   memory_field(session, "desktop.memory_mib"), field(session, "desktop.host"));
}

void answer(const SessionOptions& options, bool now) {
    Remote remote(*options.connection);
    const json::object session = remote.post(session_path(options.who) + "/answer", {{"now", now}});
    if (options.as_json)
        fmt::print("{}", pretty(session));
    else
        fmt::print("the handoff {}\n", now ? "goes on at once" : "is put off");
}

void watch(const SessionOptions& options) {
    Remote remote(*options.connection);
    const bool screen = ::isatty(STDOUT_FILENO) == 1;
    std::string last = field(remote.get("/v1/events?after=latest"), "last");
    std::vector<std::string> recent;
    for (std::int64_t shown = 0; options.times == 0 || shown < options.times; ++shown) {
        const json::object answer = remote.get_through_restart("/v1/sessions", restart_time);
        if (screen)
            fmt::print("\x1b[H\x1b[2J");
        fmt::print("{}free: {}\n", sessions_table(answer.at("sessions").as_array()),
                   memory_field(answer, "free_mib"));
        for (const std::string& line : recent)
            fmt::print("  {}\n", line);
        std::fflush(stdout);
        if (options.times != 0 && shown + 1 == options.times)
            return;
        const json::object page = remote.get_through_restart(
            fmt::format("/v1/events?after={}&wait={}", last, one_wait.count()), restart_time);
        last = field(page, "last");
        for (const json::value& event : page.at("events").as_array())
            recent.push_back(field(event.get_object(), "text"));
        if (recent.size() > 8)
            recent.erase(recent.begin(), recent.end() - 8);
    }
}

void add_who(CLI::App* command, const std::shared_ptr<SessionOptions>& options) {
    command->add_option("SESSION", options->who, "a session's id, or the name of its person")
        ->required();
}

void add_wait(CLI::App* command, const std::shared_ptr<SessionOptions>& options) {
    command->add_flag("!--wait,--no-wait", options->no_wait,
                      "return at once; --wait, the default, waits for the end");
    command->add_option("--timeout", options->timeout_s, "seconds to wait at most")
        ->check(CLI::Range(1, 3600))
        ->capture_default_str();
}

void add_json(CLI::App* command, const std::shared_ptr<SessionOptions>& options) {
    command->add_flag("--json", options->as_json, "JSON for programs (docs/cli.md)");
}

void add_open(CLI::App* group, const std::shared_ptr<SessionOptions>& options) {
    CLI::App* command =
        add_command(group, options, "open",
                    "Open a person's session, or show the one they have, and how to connect",
                    "baton session open kim --image tiny --client 10.99.0.20");
    command->add_option("USER", options->who, "whose; without it, your own");
    command->add_option("--image", options->image, "OS image, by id or name (tiny-1, tiny)");
    command->add_option("--client", options->client,
                        "IPv4 address that the screen is to be reached from");
    command
        ->add_option("--route", options->route,
                     "gateway: viewers stay connected over a handoff; nat: a port forward for "
                     "--client (default: the site's)")
        ->check(CLI::IsMember({"gateway", "nat"}));
    command->add_option("--desk", options->desk, "desk, if not the person's own one");
    command->add_flag("--quiet,-q", options->quiet, "no progress lines");
    add_wait(command, options);
    add_json(command, options);
    command->callback([options] { open(*options); });
}

void add_looking(CLI::App* group, const std::shared_ptr<SessionOptions>& options) {
    CLI::App* listed = add_command(group, options, "list", "Open sessions",
                                   "baton session list --json | jq '.[].desktop.memory_mib'");
    listed->add_flag("--all", options->all, "closed ones, too");
    add_json(listed, options);
    listed->callback([options] { list(*options); });

    CLI::App* shown = add_command(group, options, "show", "One session", "baton session show kim");
    add_who(shown, options);
    add_json(shown, options);
    shown->callback([options] { show(*options); });

    CLI::App* watched =
        add_command(group, options, "watch", "Sessions and what happens, live, until Ctrl-C",
                    "baton session watch");
    watched->add_option("--times", options->times, "how often to draw; 0: until Ctrl-C")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    watched->callback([options] { watch(*options); });
}

} // namespace

void add_session(CLI::App& app) {
    auto options = std::make_shared<SessionOptions>();
    CLI::App* group = app.add_subcommand("session", "People at work: open, close, watch, grow");
    group->require_subcommand(1);
    add_open(group, options);
    add_looking(group, options);

    CLI::App* closed = add_command(group, options, "close", "Close a session; its desk is kept",
                                   "baton session close kim");
    add_who(closed, options);
    add_wait(closed, options);
    add_json(closed, options);
    closed->callback([options] { close(*options); });

    CLI::App* shared =
        add_command(group, options, "share", "A one-time ticket for a browser, or to look on",
                    "baton session share kim --view-only");
    add_who(shared, options);
    shared->add_flag("--view-only", options->view_only,
                     "whoever has it sees the screen and cannot act; the person is told");
    add_json(shared, options);
    shared->callback([options] { share(*options); });

    CLI::App* grown = add_command(group, options, "grow",
                                  "One memory level larger, by a handoff, if there is room",
                                  "baton session grow kim");
    add_who(grown, options);
    add_wait(grown, options);
    add_json(grown, options);
    grown->callback([options] { grow(*options); });

    CLI::App* answered =
        add_command(group, options, "answer", "Answer an announced handoff for a person",
                    "baton session answer kim not-now");
    add_who(answered, options);
    auto word = std::make_shared<std::string>();
    answered->add_option("ANSWER", *word, "now or not-now")
        ->required()
        ->check(CLI::IsMember({"now", "not-now"}));
    add_json(answered, options);
    answered->callback([options, word] { answer(*options, *word == "now"); });
}

} // namespace baton::cli
