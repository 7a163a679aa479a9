/// `baton netboot`: PCs without a disk start from the boot server. These commands run there.
#include "net/http.h"
#include "netboot/build.h"
#include "netboot/doctor.h"
#include "netboot/folder.h"
#include "netboot/supervisor.h"
#include "programs/baton/building.h"
#include "programs/baton/commands.h"
#include "programs/baton/output.h"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <filesystem>
#include <memory>

namespace json = boost::json;

namespace baton::cli {

namespace {

struct NetbootOptions {
    std::string folder = netboot::Folder::default_path();
    bool as_json = false;
    std::string id;
    netboot::BuildSettings build;
    netboot::Settings settings;
    std::vector<std::string> range;
    bool proxy = false;
    std::string kernel_by = "http";
    std::string root_by = "http";
    std::string loaders = "/usr/lib/ipxe";
    netboot::SupervisorSettings serve;
};

netboot::Folder open_folder(const NetbootOptions& options) {
    return value_or_fail(netboot::Folder::open(options.folder));
}

json::object image_value(const netboot::Manifest& image) {
    auto value = json::parse(netboot::to_json(image)).as_object();
    value.erase("format");
    return value;
}

std::int64_t size_of_image(const netboot::Manifest& image) {
    std::int64_t sum = 0;
    for (const auto& file : image.files)
        sum += file.size_bytes;
    return sum;
}

/// baton-view, if it is installed beside this program and nothing else is asked for.
void choose_viewer(netboot::BuildSettings& settings) {
    const auto ours = own_folder() / "baton-view";
    if (settings.viewer.empty() && settings.program.empty() && std::filesystem::exists(ours))
        settings.viewer = ours.string();
    else if (settings.viewer == "none")
        settings.viewer.clear();
    else if (!settings.viewer.empty())
        settings.viewer = std::filesystem::absolute(settings.viewer).string();
    if (settings.program.empty() &&
        std::filesystem::path(settings.viewer).filename() == "baton-view")
        settings.program = "baton-view --ca $BATON_AUTHORITY --gateway $BATON_SERVER $BATON_LOGIN "
                           "--message-file /run/baton/message --report /run/baton/phases";
}

void build_client(NetbootOptions& options) {
    ProgressLine line;
    auto folder = open_folder(options);
    auto& settings = options.build;
    if (settings.client_folder.empty())
        settings.client_folder = shared_folder("BATON_CLIENT_RECIPE", "client");
    settings.recipes_folder = shared_folder("BATON_RECIPES", "recipes");
    settings.cache_folder = std::filesystem::absolute(settings.cache_folder).string();
    settings.authority = std::filesystem::absolute(settings.authority).string();
    choose_viewer(settings);
    settings.cancel_fd = interruption();
    settings.progress = [&](int percent, const std::string& text) { line.show(percent, text); };
    settings.waiting = [&] { line.show(0, "another client image is being made; waiting for it"); };
    const auto built = value_or_fail(netboot::build(folder, settings));
    line.show(100, "done");
    if (options.as_json) {
        auto value = image_value(built.manifest);
        value["unchanged"] = built.unchanged;
        fmt::print("{}", pretty(value));
        return;
    }
    fmt::print("{}: {}, {}, root {}\n", built.manifest.id,
               built.unchanged ? "nothing has changed since it was built" : "built, and current",
               human_bytes(size_of_image(built.manifest)),
               human_bytes(built.manifest.file(netboot::root_name)->size_bytes));
}

void list_images(const NetbootOptions& options) {
    const auto rows = value_or_fail(open_folder(options).list());
    if (options.as_json) {
        json::array all;
        for (const auto& row : rows) {
            json::object value =
                row.manifest ? image_value(*row.manifest) : json::object{{"id", row.id}};
            value["current"] = row.current;
            if (row.fault)
                value["fault"] = row.fault->message();
            all.push_back(std::move(value));
        }
        fmt::print("{}", pretty(all));
        return;
    }
    Table table({"CLIENT IMAGE", "", ">SIZE", "CREATED", "DESCRIPTION"});
    for (const auto& row : rows)
        if (row.manifest)
            table.add({row.id, row.current ? "current" : "",
                       human_bytes(size_of_image(*row.manifest)), row.manifest->created,
                       row.manifest->description});
        else
            table.add(
                {row.id, row.current ? "current" : "", "", "", "DAMAGED: " + row.fault->message()});
    fmt::print("{}", table.empty() ? "no client image yet; build one with: baton netboot build\n"
                                   : table.text());
}

void roll_back(const NetbootOptions& options) {
    auto folder = open_folder(options);
    const auto image = value_or_fail(folder.roll_back(options.id));
    if (options.as_json)
        fmt::print("{}", pretty(image_value(image)));
    else
        fmt::print("{} is current: PCs that start from now on get it\n", image.id);
}

void remove_image(const NetbootOptions& options) {
    auto folder = open_folder(options);
    value_or_fail(folder.remove(options.id));
    if (options.as_json)
        fmt::print("{}", pretty(json::object{{"id", options.id}, {"removed", true}}));
    else
        fmt::print("{} is removed\n", options.id);
}

void print_settings(const NetbootOptions& options, const netboot::Settings& settings,
                    const std::optional<netboot::Manifest>& current) {
    if (options.as_json) {
        auto value = json::parse(netboot::to_json(settings)).as_object();
        value.erase("format");
        value["folder"] = options.folder;
        value["image"] = current ? json::value(current->id) : json::value(nullptr);
        fmt::print("{}", pretty(value));
        return;
    }
    std::string interfaces;
    for (const auto& name : settings.interfaces)
        interfaces += (interfaces.empty() ? "" : ", ") + name;
    fmt::print("network boot  {}\n", settings.enabled ? "enabled" : "not enabled");
    fmt::print("client image  {}\n", current ? current->id : "none: baton netboot build");
    if (settings.interfaces.empty())
        return;
    fmt::print("interface     {}, {}\n", interfaces, settings.address);
    fmt::print("addresses     {}\n", settings.dhcp == netboot::Dhcp::own
                                         ? settings.range_first + " to " + settings.range_last
                                         : "by the network's own DHCP server (proxy DHCP)");
    fmt::print("kernel, root  by {}, by {}\n", netboot::to_string(settings.kernel_by),
               netboot::to_string(settings.root_by));
    fmt::print("controller    {}\n", settings.controller);
}

void status(const NetbootOptions& options) {
    const auto folder = open_folder(options);
    print_settings(options, value_or_fail(folder.settings()), value_or_fail(folder.current()));
}

void enable(NetbootOptions& options) {
    auto folder = open_folder(options);
    auto settings = options.settings;
    settings.enabled = true;
    settings.dhcp = options.proxy ? netboot::Dhcp::proxy : netboot::Dhcp::own;
    if (!options.proxy && options.range.size() == 2) {
        settings.range_first = options.range[0];
        settings.range_last = options.range[1];
    }
    settings.kernel_by =
        options.kernel_by == "tftp" ? netboot::KernelBy::tftp : netboot::KernelBy::http;
    settings.root_by = options.root_by == "nfs" ? netboot::RootBy::nfs : netboot::RootBy::http;
    if (settings.controller.empty())
        settings.controller = "https://" + settings.address + ":8443";
    value_or_fail(netboot::check(settings));
    value_or_fail(folder.install_loaders(options.loaders));
    value_or_fail(folder.write(settings));
    print_settings(options, settings, value_or_fail(folder.current()));
}

void disable(const NetbootOptions& options) {
    auto folder = open_folder(options);
    auto settings = value_or_fail(folder.settings());
    settings.enabled = false;
    value_or_fail(folder.write(settings));
    print_settings(options, settings, value_or_fail(folder.current()));
}

void examine_all(const NetbootOptions& options) {
    auto doors = netboot::DoctorDoors::real();
    doors.http = [](const std::string& url) -> Result<std::string> {
        const auto path = url.find('/', url.find("://") + 3);
        net::ClientSettings client;
        client.url = url.substr(0, path);
        client.service = "batond";
        client.timeout = std::chrono::seconds(5);
        auto made = net::make_client(client);
        if (!made)
            return tl::unexpected(made.error());
        auto answer = (*made)->request("GET", url.substr(path));
        if (!answer)
            return tl::unexpected(answer.error());
        if (answer->status != 200)
            return tl::unexpected(net::error_from_response(*answer));
        return answer->body;
    };
    const auto findings = netboot::examine(open_folder(options), doors);
    const auto worst = netboot::worst(findings);
    if (options.as_json) {
        json::array all;
        for (const auto& one : findings)
            all.push_back(json::object{{"health", netboot::to_string(one.health)},
                                       {"about", one.about},
                                       {"text", one.text},
                                       {"hint", one.hint}});
        fmt::print("{}", pretty(json::object{{"health", netboot::to_string(worst)},
                                             {"findings", std::move(all)}}));
    } else {
        for (const auto& one : findings) {
            fmt::print("{:<8} {}: {}\n", netboot::to_string(one.health), one.about,
                       printable(one.text));
            if (!one.hint.empty())
                fmt::print("         {}\n", printable(one.hint));
        }
    }
    if (worst == netboot::Health::fault)
        throw CommandFailed{Error{Errc::refused, "PCs will not start from this boot server",
                                  "what is wrong is above", 0}};
}

void serve(NetbootOptions& options) {
    auto folder = open_folder(options);
    auto& settings = options.serve;
    settings.stop_fd = interruption();
    settings.log = [](const std::string& line) {
        fmt::print("{}\n", printable(line));
        std::fflush(stdout);
    };
    value_or_fail(netboot::supervise(folder, settings));
}

CLI::App* add_netboot_command(CLI::App& group, const std::shared_ptr<NetbootOptions>& options,
                              const std::string& name, const std::string& about,
                              const std::string& example, void (*action)(NetbootOptions&)) {
    auto* command = group.add_subcommand(name, about);
    command->footer("Example: " + example);
    // its default is of the environment; an envname() here would be read for the other commands too
    command->add_option("--folder", options->folder, "The folder of network boot")
        ->capture_default_str();
    command->callback([options, action] { action(*options); });
    return command;
}

void add_build_options(CLI::App& command, NetbootOptions& options) {
    auto& build = options.build;
    build.authority = "/var/lib/baton/pki/api/ca-cert.pem";
    build.cache_folder = "/var/cache/baton";
    command
        .add_option("--authority", build.authority,
                    "The certificate of the site's authority (PEM): clients trust no other")
        ->capture_default_str();
    command.add_option(
        "--program", build.program,
        "What runs on the client's screen (default: the viewer, or a status screen)");
    command.add_option("--viewer", build.viewer,
                       "A program to put into /usr/bin of the client, with what SDL2 needs "
                       "(default: baton-view beside this program; none: none)");
    command.add_option("--package", build.packages,
                       "A Debian package to add, such as firmware-misc-nonfree; again for more");
    command.add_option("--recipe", build.client_folder, "The folder of the client's recipe");
    command.add_option("--cache", build.cache_folder, "Where Debian's packages are kept")
        ->envname("BATON_CACHE")
        ->capture_default_str();
    command.add_flag("--again", build.again,
                     "Build also when nothing of ours has changed (to take what is new in Debian)");
}

void add_enable_options(CLI::App& command, NetbootOptions& options) {
    auto& settings = options.settings;
    command
        .add_option("--interface", settings.interfaces,
                    "The network interface that PCs are on; again for more")
        ->required();
    command
        .add_option("--address", settings.address, "The boot server's IPv4 address on that network")
        ->required();
    auto* range = command.add_option("--range", options.range,
                                     "Give out addresses from FIRST to LAST: FIRST,LAST");
    range->expected(2)->delimiter(',');
    command
        .add_flag("--proxy", options.proxy,
                  "The network has a DHCP server: leave the addresses to it")
        ->excludes(range);
    command.add_option("--netmask", settings.netmask, "Of that network")->capture_default_str();
    command.add_option("--router", settings.router, "Told to PCs, with --range");
    command.add_option("--dns", settings.dns, "Told to PCs, with --range");
    command.add_option("--ipv6-prefix", settings.ipv6_prefix,
                       "A /64 to advertise (fd98::): iPXE then does not wait for one");
    command.add_option("--kernel-by", options.kernel_by, "http or tftp")
        ->check(CLI::IsMember({"http", "tftp"}))
        ->capture_default_str();
    command.add_option("--root-by", options.root_by, "http or nfs")
        ->check(CLI::IsMember({"http", "nfs"}))
        ->capture_default_str();
    command.add_option("--nfs-export", settings.nfs_export, "The folder as NFS clients see it")
        ->capture_default_str();
    command.add_option("--http-port", settings.http_port, "Where batond gives files to PCs")
        ->capture_default_str();
    command.add_option("--controller", settings.controller,
                       "Where PCs reach the controller (default: https://ADDRESS:8443)");
    command.add_option("--kernel-arguments", settings.kernel_arguments,
                       "Added to the kernel's command line");
    command.add_option("--loaders", options.loaders, "Where Debian's iPXE is")
        ->capture_default_str();
}

} // namespace

void add_netboot(CLI::App& app) {
    auto options = std::make_shared<NetbootOptions>();
    auto* group = app.add_subcommand(
        "netboot", "PCs without a disk: their image, DHCP and TFTP on this boot server");
    group->require_subcommand(1);
    auto* build = add_netboot_command(
        *group, options, "build", "Make the client image from Debian's packages",
        "baton netboot build --authority ca.pem", [](NetbootOptions& o) { build_client(o); });
    add_build_options(*build, *options);
    auto* on = add_netboot_command(*group, options, "enable",
                                   "Answer PCs on an interface, and on no other",
                                   "baton netboot enable --interface eth1 --address 10.98.0.1 "
                                   "--range 10.98.0.100,10.98.0.200",
                                   [](NetbootOptions& o) { enable(o); });
    add_enable_options(*on, *options);
    auto* off = add_netboot_command(*group, options, "disable", "Answer no PC any more",
                                    "baton netboot disable", [](NetbootOptions& o) { disable(o); });
    auto* show = add_netboot_command(*group, options, "status", "What is served, and where",
                                     "baton netboot status", [](NetbootOptions& o) { status(o); });
    auto* doctor = add_netboot_command(
        *group, options, "doctor", "Why a PC does not start: look at everything that it needs",
        "baton netboot doctor", [](NetbootOptions& o) { examine_all(o); });
    auto* list =
        add_netboot_command(*group, options, "list", "Client images, the oldest first",
                            "baton netboot list", [](NetbootOptions& o) { list_images(o); });
    auto* back = add_netboot_command(
        *group, options, "rollback", "Make an older client image the current one",
        "baton netboot rollback", [](NetbootOptions& o) { roll_back(o); });
    back->add_option("IMAGE", options->id, "Its id (default: the one before the current one)");
    auto* remove = add_netboot_command(*group, options, "remove", "Remove a client image",
                                       "baton netboot remove client-0123456789ab",
                                       [](NetbootOptions& o) { remove_image(o); });
    remove->add_option("IMAGE", options->id, "Its id")->required();
    for (auto* command : {build, on, off, show, doctor, list, back, remove})
        command->add_flag("--json", options->as_json, "JSON for programs (docs/cli.md)");
    auto* run = add_netboot_command(
        *group, options, "serve",
        "Keep DHCP and TFTP running as enabled, until ended (the service baton-netboot)",
        "baton netboot serve", [](NetbootOptions& o) { serve(o); });
    run->add_option("--run-folder", options->serve.run_folder, "Configuration and leases")
        ->capture_default_str();
    run->add_option("--user", options->serve.user, "What dnsmasq becomes")->capture_default_str();
}

} // namespace baton::cli
