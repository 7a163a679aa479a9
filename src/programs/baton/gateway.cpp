/// `baton gateway`: what keeps viewers connected while desktops change.
#include "programs/baton/commands.h"
#include "programs/baton/output.h"
#include "programs/baton/remote.h"

#include <boost/json.hpp>
#include <fmt/format.h>

namespace json = boost::json;

namespace baton::cli {

namespace {

struct GatewayOptions {
    std::shared_ptr<ConnectionOptions> connection;
    std::string name;
    bool as_json = false;
};

std::string gateway_path(const GatewayOptions& options) {
    return "/v1/gateways/" + escape(options.name);
}

CLI::App* add_gateway_command(CLI::App* group, const std::shared_ptr<GatewayOptions>& options,
                              const std::string& name, const std::string& about,
                              const std::string& example) {
    CLI::App* command = add_command(group, options, name, about, example);
    command->add_flag("--json", options->as_json, "JSON for programs (docs/cli.md)");
    if (name != "list")
        command->add_option("GATEWAY", options->name, "the gateway's name")->required();
    return command;
}

std::string port_text(const json::object& gateway, const std::string& key) {
    const std::string port = field(gateway, key);
    return port == "0" ? "off" : port;
}

void invite(const GatewayOptions& options) {
    Remote remote(*options.connection);
    const json::object answer = remote.post("/v1/gateways/invite", {{"name", options.name}});
    if (options.as_json) {
        fmt::print("{}", pretty(answer));
        return;
    }
    fmt::print("On the gateway's machine, run as root (once, until {}), with the address at which "
               "viewers reach it:\n\n  baton-gateway join --name {} --address ADDRESS --token {}\n",
               time_field(answer, "expires"), options.name, field(answer, "token"));
}

void list(const GatewayOptions& options) {
    Remote remote(*options.connection);
    const json::object answer = remote.get("/v1/gateways");
    if (options.as_json) {
        fmt::print("{}", pretty(answer.at("gateways")));
        return;
    }
    Table table({"GATEWAY", "STATE", "ADDRESS", ">VNC", ">WEB", ">VIEWERS", ">SESSIONS"});
    for (const json::value& one : answer.at("gateways").as_array()) {
        const json::object& gateway = one.get_object();
        table.add({field(gateway, "id"), field(gateway, "state"), field(gateway, "address"),
                   port_text(gateway, "vnc_port"), port_text(gateway, "web_port"),
                   field(gateway, "viewers"), field(gateway, "sessions")});
    }
    fmt::print("{}", table.empty() ? "no gateway yet; invite one with: baton gateway invite NAME\n"
                                   : table.text());
}

void show(const GatewayOptions& options) {
    Remote remote(*options.connection);
    const json::object gateway = remote.get(gateway_path(options));
    if (options.as_json) {
        fmt::print("{}", pretty(gateway));
        return;
    }
    fmt::print("gateway      {}, {}\n", field(gateway, "id"), field(gateway, "state"));
    fmt::print("address      {}\n", field(gateway, "address"));
    fmt::print("VNC viewers  port {}\n", port_text(gateway, "vnc_port"));
    fmt::print("browsers     port {}\n", port_text(gateway, "web_port"));
    fmt::print("version      {}\n", field(gateway, "version"));
    fmt::print("joined       {}\n", time_field(gateway, "joined"));
    fmt::print("certificate  {}\n", field(gateway, "certificate_sha256"));
    Table table({"USER", "SESSION", "VIEWER AT", "BY", ""});
    for (const json::value& one : gateway.at("looking_on").as_array()) {
        const json::object& viewer = one.get_object();
        table.add({field(viewer, "user"), field(viewer, "session"), field(viewer, "client"),
                   field(viewer, "browser") == "true" ? "browser" : "VNC",
                   field(viewer, "view_only") == "true" ? "looks on" : ""});
    }
    if (!table.empty())
        fmt::print("\n{}", table.text());
}

void say_state(const GatewayOptions& options, const json::object& gateway) {
    if (options.as_json)
        fmt::print("{}", pretty(gateway));
    else
        fmt::print("{} is {}, {} viewers are on it\n", field(gateway, "id"),
                   field(gateway, "state"), field(gateway, "viewers"));
}

void set_draining(const GatewayOptions& options, const char* verb) {
    Remote remote(*options.connection);
    say_state(options, remote.post(gateway_path(options) + "/" + verb));
}

void remove(const GatewayOptions& options) {
    Remote remote(*options.connection);
    const json::object answer = remote.remove(gateway_path(options));
    if (options.as_json)
        fmt::print("{}", pretty(answer));
    else
        fmt::print("{} is removed\n", options.name);
}

} // namespace

void add_gateway(CLI::App& app) {
    auto options = std::make_shared<GatewayOptions>();
    CLI::App* group = app.add_subcommand(
        "gateway", "Where viewers and browsers come in: invite, list, drain, remove");
    group->require_subcommand(1);
    add_gateway_command(group, options, "invite", "A one-time token with which a new gateway joins",
                        "baton gateway invite gate1")
        ->callback([options] { invite(*options); });
    add_gateway_command(group, options, "list", "Every gateway", "baton gateway list")
        ->callback([options] { list(*options); });
    add_gateway_command(group, options, "show", "One gateway, and who looks on through it",
                        "baton gateway show gate1")
        ->callback([options] { show(*options); });
    add_gateway_command(group, options, "drain",
                        "No new viewers at this gateway; those that are in stay",
                        "baton gateway drain gate1")
        ->callback([options] { set_draining(*options, "drain"); });
    add_gateway_command(group, options, "undrain", "Let a gateway take viewers again",
                        "baton gateway undrain gate1")
        ->callback([options] { set_draining(*options, "undrain"); });
    add_gateway_command(group, options, "remove",
                        "Forget a gateway and cut it off, or take its invitation back",
                        "baton gateway remove gate1")
        ->callback([options] { remove(*options); });
}

} // namespace baton::cli
