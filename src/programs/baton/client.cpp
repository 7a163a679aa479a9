/// `baton client`: PCs without a disk that have been up.
#include "programs/baton/commands.h"
#include "programs/baton/output.h"
#include "programs/baton/remote.h"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace json = boost::json;

namespace baton::cli {

namespace {

struct ClientOptions {
    std::shared_ptr<ConnectionOptions> connection;
    std::string mac;
    std::optional<std::string> user;
    std::optional<std::string> os_image;
    bool guest = false;
    std::string text;
    std::int64_t timeout_s = 20;
    bool as_json = false;
};

std::string client_path(const ClientOptions& options) {
    return "/v1/clients/" + escape(options.mac);
}

std::string start_time(const json::object& client) {
    const auto* timings = client.at("timings").if_object();
    const auto* up = timings == nullptr ? nullptr : timings->if_contains("up_ms");
    return up == nullptr || !up->is_int64()
               ? "-"
               : fmt::format("{:.1f} s", static_cast<double>(up->get_int64()) / 1000);
}

std::string whose(const json::object& client) {
    return client.at("guest").as_bool() ? "guests" : "user " + field(client, "user");
}

void list_clients(const ClientOptions& options) {
    Remote remote(*options.connection);
    const json::object answer = remote.get("/v1/clients");
    if (options.as_json) {
        fmt::print("{}", pretty(answer.at("clients")));
        return;
    }
    Table table({"MAC", "ADDRESS", ">MEMORY", "FIRMWARE", "IMAGE", ">BOOTS", ">START", "LAST UP",
                 "USER", "OS IMAGE"});
    for (const json::value& one : answer.at("clients").as_array()) {
        const json::object& client = one.get_object();
        table.add({field(client, "mac"), field(client, "address"),
                   memory_field(client, "memory_mib"), field(client, "firmware"),
                   field(client, "image"), field(client, "boots"), start_time(client),
                   time_field(client, "last_seen"),
                   client.at("guest").as_bool() ? "(guests)" : field(client, "user"),
                   field(client, "os_image")});
    }
    fmt::print("{}",
               table.empty() ? "no PC has been up yet; see: baton netboot doctor\n" : table.text());
}

struct Phase {
    std::string name;
    std::int64_t ends_ms = 0;
};

/// Each phase from the end of the one before, on one axis.
void draw(const std::string& title, const std::vector<Phase>& phases) {
    if (phases.empty())
        return;
    constexpr std::int64_t columns = 50;
    const auto whole = std::max<std::int64_t>(phases.back().ends_ms, 1);
    fmt::print("\n{}\n", title);
    std::int64_t begin = 0;
    for (const auto& phase : phases) {
        const auto from = std::clamp<std::int64_t>(begin * columns / whole, 0, columns);
        const auto to = std::clamp<std::int64_t>(phase.ends_ms * columns / whole, from, columns);
        fmt::print(
            "  {:<14}{:>8} ms  {}{}\n", printable(phase.name), phase.ends_ms - begin,
            std::string(static_cast<std::size_t>(from), ' '),
            std::string(static_cast<std::size_t>(std::max<std::int64_t>(to - from, 1)), '#'));
        begin = phase.ends_ms;
    }
    fmt::print("  {:<14}{:>8} ms\n", "together", phases.back().ends_ms);
}

std::vector<Phase> phases_of_client(const json::object& timings) {
    std::vector<Phase> phases;
    for (const auto* name :
         {"kernel", "modules", "address", "root", "verified", "mounted", "up", "login"})
        if (const auto* ms = timings.if_contains(std::string(name) + "_ms");
            ms != nullptr && ms->is_int64() &&
            (phases.empty() || ms->get_int64() >= phases.back().ends_ms))
            phases.push_back({name, ms->get_int64()});
    return phases;
}

/// What is fetched at a moment ends when the next thing is asked for.
std::vector<Phase> phases_of_server(const json::object& timings) {
    std::vector<Phase> phases;
    const auto* fetches = timings.if_contains("boot_server");
    if (fetches == nullptr || !fetches->is_array())
        return phases;
    const auto& all = fetches->get_array();
    for (std::size_t i = 0; i + 1 < all.size(); ++i)
        phases.push_back({field(all[i].as_object(), "what"),
                          all[i + 1].as_object().at("at_ms").to_number<std::int64_t>()});
    return phases;
}

/// From the Enter key to the first picture: what a person waits for.
std::vector<Phase> phases_of_login(const json::object& timings) {
    const auto* entered = timings.if_contains("entered_ms");
    const auto* shown = timings.if_contains("first_frame_ms");
    if (entered == nullptr || shown == nullptr || !entered->is_int64() || !shown->is_int64() ||
        shown->get_int64() < entered->get_int64())
        return {};
    return {{"first frame", shown->get_int64() - entered->get_int64()}};
}

void show_client(const ClientOptions& options) {
    Remote remote(*options.connection);
    const json::object client = remote.get(client_path(options));
    if (options.as_json) {
        fmt::print("{}", pretty(client));
        return;
    }
    fmt::print("PC         {}, {}\n", field(client, "mac"), field(client, "address"));
    fmt::print("UUID       {}\n", field(client, "uuid"));
    fmt::print("memory     {}, {}\n", memory_field(client, "memory_mib"),
               field(client, "firmware"));
    fmt::print("runs       {}\n", field(client, "image"));
    fmt::print("up         {}, {} times since {}\n", time_field(client, "last_seen"),
               field(client, "boots"), time_field(client, "first_seen"));
    fmt::print("tied to    {}, OS image {}\n", whose(client), field(client, "os_image"));
    if (const auto session = field(client, "prestarted"); session != "-")
        fmt::print("started    session {}, which waits for its person\n", session);
    const auto* timings = client.at("timings").if_object();
    if (timings == nullptr)
        return;
    draw("Last start as the PC has timed it, from its kernel's first moment:",
         phases_of_client(*timings));
    draw("Last login, from the password to the first picture of the desktop:",
         phases_of_login(*timings));
    draw("The same as the boot server has seen it, from the boot script on:",
         phases_of_server(*timings));
}

void assign_client(const ClientOptions& options) {
    json::object wanted;
    if (options.user)
        wanted["user"] = *options.user;
    if (options.os_image)
        wanted["os_image"] = *options.os_image;
    if (options.guest)
        wanted["guest"] = true;
    if (wanted.empty())
        throw CommandFailed{Error{Errc::invalid_argument, "nothing was said to tie the PC to",
                                  "give --user NAME, --guest or --image IMAGE; '' unties it", 0}};
    Remote remote(*options.connection);
    const json::object client = remote.post(client_path(options) + "/assign", wanted);
    if (options.as_json)
        fmt::print("{}", pretty(client));
    else
        fmt::print("{}: {}, OS image {}\n", field(client, "mac"), whose(client),
                   field(client, "os_image"));
}

void wake_client(const ClientOptions& options) {
    Remote remote(*options.connection);
    const json::object answer = remote.post(client_path(options) + "/wake", json::object{});
    if (options.as_json)
        fmt::print("{}", pretty(answer));
    else
        fmt::print("{}: sent what switches it on; it is heard of when it is up\n",
                   field(answer, "mac"));
}

void order(const ClientOptions& options, const std::string& what, const json::object& words) {
    Remote remote(*options.connection, std::chrono::seconds(options.timeout_s + 30));
    const json::object answer = remote.post(
        fmt::format("{}/{}?wait={}", client_path(options), what, options.timeout_s), words);
    if (options.as_json)
        fmt::print("{}", pretty(answer));
    else
        fmt::print("{}: {}\n", field(answer, "mac"),
                   answer.at("taken").as_bool()
                       ? "the PC has it"
                       : "the PC has not asked for it yet; it has ten minutes");
}

void remove_client(const ClientOptions& options) {
    Remote remote(*options.connection);
    const json::object answer = remote.remove(client_path(options));
    if (options.as_json)
        fmt::print("{}", pretty(answer));
    else
        fmt::print("{} is forgotten until it is up again\n", options.mac);
}

CLI::App* add_client_command(CLI::App* group, const std::shared_ptr<ClientOptions>& options,
                             const std::string& name, const std::string& about,
                             const std::string& example) {
    CLI::App* command = add_command(group, options, name, about, example);
    command->add_flag("--json", options->as_json, "JSON for programs (docs/cli.md)");
    if (name != "list")
        command->add_option("MAC", options->mac, "the PC's MAC address")->required();
    return command;
}

} // namespace

void add_client(CLI::App& app) {
    auto options = std::make_shared<ClientOptions>();
    CLI::App* group = app.add_subcommand(
        "client", "PCs without a disk: list, show, assign, wake, reboot, message");
    group->require_subcommand(1);
    add_client_command(group, options, "list", "Every PC that has been up", "baton client list")
        ->callback([options] { list_clients(*options); });
    add_client_command(group, options, "show", "One PC, and how long each phase of its start took",
                       "baton client show 52:54:00:99:00:01")
        ->callback([options] { show_client(*options); });
    auto* assign = add_client_command(group, options, "assign",
                                      "Tie a PC to a person or an OS image, or untie it",
                                      "baton client assign 52:54:00:99:00:01 --user kim");
    auto* user = assign->add_option("--user", options->user, "Whose PC it is; '': anybody's");
    assign
        ->add_flag("--guest", options->guest,
                   "For guests: it opens sessions without a desk by itself")
        ->excludes(user);
    assign->add_option("--image", options->os_image, "The OS image of its desktops; '': any");
    assign->callback([options] { assign_client(*options); });
    add_client_command(group, options, "wake", "Switch a PC on over the network (Wake-on-LAN)",
                       "baton client wake 52:54:00:99:00:01")
        ->callback([options] { wake_client(*options); });
    auto* reboot = add_client_command(group, options, "reboot", "Have a PC start again",
                                      "baton client reboot 52:54:00:99:00:01");
    auto* message =
        add_client_command(group, options, "message", "Show a line on a PC's screen",
                           "baton client message 52:54:00:99:00:01 \"Back in five minutes\"");
    message->add_option("TEXT", options->text, "at most 200 bytes; '' takes the last one away")
        ->required();
    for (auto* command : {reboot, message})
        command
            ->add_option("--timeout", options->timeout_s,
                         "seconds to wait until the PC has it, at most")
            ->check(CLI::Range(0, 300));
    reboot->callback([options] { order(*options, "reboot", {}); });
    message->callback([options] { order(*options, "message", {{"text", options->text}}); });
    add_client_command(group, options, "remove", "Forget a PC until it is up again",
                       "baton client remove 52:54:00:99:00:01")
        ->callback([options] { remove_client(*options); });
}

} // namespace baton::cli
