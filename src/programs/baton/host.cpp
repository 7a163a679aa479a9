/// `baton host`: the servers that run desktops.
#include "programs/baton/commands.h"
#include "programs/baton/output.h"
#include "programs/baton/remote.h"

#include <boost/json.hpp>
#include <fmt/format.h>

namespace json = boost::json;

namespace baton::cli {

namespace {

struct HostOptions {
    std::shared_ptr<ConnectionOptions> connection;
    std::string name;
    bool as_json = false;
    bool no_wait = false;
    std::int64_t timeout_s = 300;
};

std::string host_path(const HostOptions& options) {
    return "/v1/hosts/" + escape(options.name);
}

CLI::App* add_host_command(CLI::App* group, const std::shared_ptr<HostOptions>& options,
                           const std::string& name, const std::string& about,
                           const std::string& example) {
    CLI::App* command = add_command(group, options, name, about, example);
    command->add_flag("--json", options->as_json, "JSON for programs (docs/cli.md)");
    return command;
}

void add_name(CLI::App* command, const std::shared_ptr<HostOptions>& options) {
    command->add_option("HOST", options->name, "the host's name")->required();
}

void invite(const HostOptions& options) {
    Remote remote(*options.connection);
    const json::object answer = remote.post("/v1/hosts/invite", {{"name", options.name}});
    if (options.as_json) {
        fmt::print("{}", pretty(answer));
        return;
    }
    fmt::print("On {}, run as root (once, until {}):\n\n  baton-hostd join --token {}\n",
               options.name, time_field(answer, "expires"), field(answer, "token"));
}

void list(const HostOptions& options) {
    Remote remote(*options.connection);
    const json::object answer = remote.get("/v1/hosts");
    if (options.as_json) {
        fmt::print("{}", pretty(answer.at("hosts")));
        return;
    }
    Table table({"HOST", "STATE", "ADDRESS", ">DESKTOPS", ">USED", ">FREE", ">MEMORY", "RUNS ON"});
    for (const json::value& one : answer.at("hosts").as_array()) {
        const json::object& host = one.get_object();
        const std::string kvm = field(host, "acceleration.kvm");
        table.add({field(host, "id"), field(host, "state"), field(host, "address"),
                   field(host, "desktops"), memory_field(host, "used_mib"),
                   memory_field(host, "free_mib"), memory_field(host, "memory_mib"),
                   kvm == "true"    ? "KVM"
                   : kvm == "false" ? "TCG"
                                    : "-"});
    }
    fmt::print("{}", table.empty() ? "no host yet; invite one with: baton host invite NAME\n"
                                   : table.text());
}

/// Whether they follow demand, and if they cannot, why.
std::string cpu_shares(const json::object& host) {
    std::string state = field(host, "cpu_shares.state");
    if (state == "off")
        return "stay equal: switched off there";
    if (state == "untried")
        return "follow demand, as soon as a desktop runs";
    if (state == "on")
        return "follow demand";
    if (state == "unsupported")
        return "stay equal: " + field(host, "cpu_shares.why");
    return state;
}

void show(const HostOptions& options) {
    Remote remote(*options.connection);
    const json::object host = remote.get(host_path(options));
    if (options.as_json) {
        fmt::print("{}", pretty(host));
        return;
    }
    const std::string kvm = field(host, "acceleration.kvm");
    fmt::print("host          {}, {}\n", field(host, "id"), field(host, "state"));
    fmt::print("address       {}\n", field(host, "address"));
    fmt::print("memory        {}, {} of it kept for the host\n", memory_field(host, "memory_mib"),
               memory_field(host, "reserve_mib"));
    fmt::print("desktops      {}, with {}; {} are free\n", field(host, "desktops"),
               memory_field(host, "used_mib"), memory_field(host, "free_mib"));
    fmt::print("acceleration  {}: {}\n",
               kvm == "true"    ? "KVM"
               : kvm == "false" ? "TCG"
                                : "unknown",
               field(host, "acceleration.reason"));
    fmt::print("processors    {}\n", field(host, "processors"));
    fmt::print("load          {}\n", field(host, "load"));
    fmt::print("CPU shares    {}\n", cpu_shares(host));
    fmt::print("agent         {}\n", field(host, "agent_version"));
    fmt::print("last seen     {}\n", time_field(host, "last_seen"));
    fmt::print("certificate   {}\n", field(host, "certificate_sha256"));
}

void say_state(const HostOptions& options, const json::object& host) {
    if (options.as_json)
        fmt::print("{}", pretty(host));
    else
        fmt::print("{} is {}, {} desktops are on it\n", field(host, "id"), field(host, "state"),
                   field(host, "desktops"));
}

void drain(const HostOptions& options) {
    Remote remote(*options.connection, std::chrono::seconds(options.timeout_s + 10));
    const std::string wait =
        options.no_wait ? ""
                        : fmt::format("?wait={}", std::min<std::int64_t>(options.timeout_s, 300));
    const json::object host = remote.post(host_path(options) + "/drain" + wait);
    say_state(options, host);
    if (!options.no_wait && field(host, "desktops") != "0")
        throw CommandFailed{
            Error{Errc::timeout,
                  fmt::format("{} desktops are still on {}", field(host, "desktops"), options.name),
                  "it goes on; see it with: baton host list", 0}};
}

void undrain(const HostOptions& options) {
    Remote remote(*options.connection);
    say_state(options, remote.post(host_path(options) + "/undrain"));
}

void remove(const HostOptions& options) {
    Remote remote(*options.connection);
    const json::object answer = remote.remove(host_path(options));
    if (options.as_json)
        fmt::print("{}", pretty(answer));
    else
        fmt::print("{} is removed\n", options.name);
}

} // namespace

void add_host(CLI::App& app) {
    auto options = std::make_shared<HostOptions>();
    CLI::App* group =
        app.add_subcommand("host", "Servers that run desktops: invite, list, drain, remove");
    group->require_subcommand(1);

    CLI::App* invited =
        add_host_command(group, options, "invite", "A one-time token with which a new host joins",
                         "baton host invite host1");
    add_name(invited, options);
    invited->callback([options] { invite(*options); });

    CLI::App* listed = add_host_command(group, options, "list", "Every host", "baton host list");
    listed->callback([options] { list(*options); });

    CLI::App* shown = add_host_command(
        group, options, "show", "One host, and why it uses KVM or not", "baton host show host1");
    add_name(shown, options);
    shown->callback([options] { show(*options); });

    CLI::App* drained = add_host_command(
        group, options, "drain", "Move every session off a host by handoffs; it gets no new ones",
        "baton host drain host1");
    add_name(drained, options);
    drained->add_flag("!--wait,--no-wait", options->no_wait,
                      "return at once; --wait, the default, waits until it is empty");
    drained->add_option("--timeout", options->timeout_s, "seconds to wait at most")
        ->check(CLI::Range(1, 3600))
        ->capture_default_str();
    drained->callback([options] { drain(*options); });

    CLI::App* undrained = add_host_command(group, options, "undrain", "Let a host be used again",
                                           "baton host undrain host1");
    add_name(undrained, options);
    undrained->callback([options] { undrain(*options); });

    CLI::App* removed = add_host_command(group, options, "remove",
                                         "Forget a host that is empty, or take its invitation back",
                                         "baton host remove host1");
    add_name(removed, options);
    removed->callback([options] { remove(*options); });
}

} // namespace baton::cli
