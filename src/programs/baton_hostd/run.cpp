#include "process/run.h"

#include "handoff/loop.h"
#include "hostlink/agent.h"
#include "hostlink/config.h"
#include "hostlink/images.h"
#include "hostlink/protocol.h"
#include "hypervisor/libvirt.h"
#include "programs/baton_hostd/commands.h"
#include "programs/baton_hostd/monitor.h"
#include "programs/baton_hostd/own.h"
#include "routing/host_guard.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

namespace baton::hostd {

namespace {

using hostlink::HostConfig;

constexpr const char* version = "0.1.0";

/// One agent for each state folder; held until the process ends.
Result<void> lock_state(const std::string& folder) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    const auto path = folder + "/lock";
    const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0)
        return fail_errno(errno, "cannot write in the state folder " + folder,
                          "run it as root, or name another folder in hostd.toml");
    if (::flock(file, LOCK_EX | LOCK_NB) != 0)
        return fail(Errc::busy, "another baton-hostd works with " + folder,
                    "stop it first, or name another folder in hostd.toml");
    return {};
}

std::string libvirt_uri(const HostConfig& config) {
    if (!config.libvirt_uri.empty())
        return config.libvirt_uri;
    return default_libvirt_uri();
}

/// Whence the relay of screens is reached; nullopt: from the boot server alone.
std::optional<routing::Ipv4Network> gateways_of(const HostConfig& config) {
    const std::string text =
        config.gateways ? config.gateways->text() : network_of(config.screen_address);
    const auto network = routing::parse_network(text);
    if (!network)
        spdlog::warn("gateways other than the boot server's cannot reach the screens: no network "
                     "here has {}; name theirs as [screens] gateways",
                     config.screen_address);
    return network ? std::optional(*network) : std::nullopt;
}

Result<void> make_network(const std::string& uri, const HostConfig& config) {
    if (!config.network)
        return hostlink::reach_libvirt(uri);
    BATON_TRY(hostlink::ensure_network(uri, *config.network));
    const auto rules = process::run_checked({{"ip", "-4", "-json", "rule", "show"}},
                                            "looking at the routing rules");
    if (!rules)
        return tl::unexpected(rules.error());
    for (const auto& words : hostlink::routing_commands(*config.network, rules->out))
        if (auto done = process::run_checked(
                {words}, "routing the desktops' traffic through the boot server");
            !done)
            return tl::unexpected(done.error());
    if (!config.network->gateway.empty()) {
        routing::HostGuard guard;
        guard.bridge = config.network->bridge;
        if (const auto boot_server = routing::parse_ipv4(config.network->gateway); boot_server)
            guard.boot_server = *boot_server;
        guard.relay = config.relay_port;
        guard.gateways = gateways_of(config);
        if (auto guarded = routing::guard_host(guard); !guarded)
            return tl::unexpected(guarded.error().in("keeping desktops apart from their host"));
    }
    spdlog::info("desktops are in {} behind the bridge {}", config.network->subnet.text(),
                 config.network->bridge);
    return {};
}

hypervisor::LibvirtSettings libvirt_settings(const HostConfig& config, const std::string& uri) {
    hypervisor::LibvirtSettings settings;
    settings.uri = uri;
    settings.state_directory = vm_folder(config);
    settings.overlay_limit_bytes = config.overlay_limit.bytes();
    settings.screen_address = config.screen_address;
    settings.allow_kvm = config.allow_kvm;
    using Kind = hypervisor::Network::Kind;
    if (config.network)
        settings.network = {Kind::libvirt, config.network->name};
    else if (!config.existing_bridge.empty())
        settings.network = {Kind::bridge, config.existing_bridge};
    return settings;
}

/// A call that hangs does not keep the agent from ending: whatever is under way is found by the
/// next one.
void end_at_the_latest(std::chrono::seconds time) {
    std::thread([time] {
        std::this_thread::sleep_for(time);
        spdlog::warn("a call was still under way; ended all the same");
        std::_Exit(0);
    }).detach();
}

/// What the monitor measures goes to the controller.
Result<std::unique_ptr<Monitor>> start_monitor(const HostConfig& config, const Identity& own,
                                               hostlink::Agent& agent) {
    if (!config.monitor)
        return nullptr;
    MonitorSettings settings;
    settings.collector.host = own.host;
    settings.collector.address = config.screen_address;
    settings.collector.libvirt_uri = libvirt_uri(config);
    settings.collector.fast_period = config.monitor_interval;
    settings.collector.slow_period = config.guest_interval;
    settings.listen = config.metrics;
    settings.told = [&agent](const monitor::Reading& reading) { agent.report(reading); };
    return Monitor::start(std::move(settings));
}

/// Linked to the controller until a signal comes.
Result<void> serve(const HostConfig& config, const Identity& own,
                   hypervisor::Hypervisor& hypervisor, hostlink::ImageSource& images,
                   Acceleration acceleration, const sigset_t& signals) {
    handoff::Loop loop;
    handoff::Pool quick(4);
    handoff::Pool slow(1);
    handoff::InOrder quick_in_order(quick);
    handoff::InOrder slow_in_order(slow);
    hostlink::AgentSettings settings;
    settings.facts = {own.host,
                      config.screen_address,
                      *config.memory,
                      std::max(1U, std::thread::hardware_concurrency()),
                      std::move(acceleration),
                      version};
    settings.cpu_shares = config.cpu_shares && config.monitor;
    settings.screens = {{config.screen_address, config.relay_port},
                        ticket_folder(config),
                        [folder = vm_folder(config)](const DesktopId& desktop) {
                            return hypervisor::screen_socket(folder, desktop);
                        }};
    const auto on = [](handoff::InOrder& pool) {
        return [&pool](const std::string& key, std::function<void()> work) {
            pool.run(key, std::move(work));
        };
    };
    auto agent = hostlink::Agent::make(
        {hypervisor, images, loop, on(quick_in_order), on(slow_in_order)}, settings);
    net::ClientSettings controller;
    controller.url = config.controller_url;
    controller.tls = own.files;
    auto dialer = net::Dialer::start(
        [&agent](auto link, auto ended) { agent->serve(std::move(link), std::move(ended)); },
        [controller] { return net::connect_websocket(controller, std::string(hostlink::target)); });
    auto monitor = start_monitor(config, own, *agent);
    int signal = 0;
    if (monitor)
        sigwait(&signals, &signal);
    spdlog::info("ending on {}; desktops go on",
                 ::strsignal(signal)); // NOLINT(concurrency-mt-unsafe)
    end_at_the_latest(std::chrono::seconds(5));
    if (monitor)
        monitor->reset();
    dialer.reset();
    loop.run_and_wait([&agent] { agent.reset(); });
    quick.stop();
    slow.stop();
    loop.stop();
    return monitor ? Result<void>{} : tl::unexpected(monitor.error());
}

} // namespace

Result<void> run(const std::string& config_path) {
    const auto signals = block_end_signals();
    const auto config = read_config(config_path);
    if (!config)
        return tl::unexpected(config.error());
    set_log_level(config->log_level);
    BATON_TRY(lock_state(config->state_directory));
    const auto own = identity(*config);
    if (!own)
        return tl::unexpected(own.error());
    const auto uri = libvirt_uri(*config);
    BATON_TRY(make_network(uri, *config));
    auto library = osimage::Library::open_folder(config->images_folder);
    if (!library)
        return tl::unexpected(library.error());
    net::ClientSettings controller;
    controller.url = config->controller_url;
    controller.tls = own->files;
    const auto images = hostlink::make_images(std::move(*library), controller);
    auto hypervisor = hypervisor::make_libvirt(libvirt_settings(*config, uri));
    if (!hypervisor)
        return tl::unexpected(hypervisor.error());
    auto acceleration = (*hypervisor)->acceleration();
    if (!acceleration)
        return tl::unexpected(acceleration.error());
    spdlog::info("{} offers {}, {}", own->host.value, to_string(*config->memory),
                 acceleration->kvm ? "with KVM" : "without KVM: " + acceleration->reason);
    return serve(*config, *own, **hypervisor, *images, std::move(*acceleration), signals);
}

} // namespace baton::hostd
