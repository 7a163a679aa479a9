#include "gatelink/director.h"
#include "gateway/gateway.h"
#include "net/dialer.h"
#include "net/pki.h"
#include "programs/baton_gateway/commands.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <charconv>
#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <optional>
#include <pthread.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>

namespace baton::gateway_program {

namespace {

constexpr const char* version = "0.1.0";

sigset_t block_end_signals() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
    return signals;
}

/// One gateway for each state folder; held until the process ends.
Result<void> lock_state(const std::string& folder) {
    const std::string path = folder + "/lock";
    const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0)
        return fail_errno(errno, "cannot write in the state folder " + folder,
                          "join first: baton-gateway join --token TOKEN (from 'baton gateway "
                          "invite NAME')");
    if (::flock(file, LOCK_EX | LOCK_NB) != 0)
        return fail(Errc::busy, "another baton-gateway works with " + folder,
                    "stop it first, or give this one a --state of its own");
    return {};
}

Result<std::string> line_of(const std::string& path) {
    auto text = net::read_small_file(path);
    if (!text)
        return tl::unexpected(Error{
            text.error().code, "this gateway has not joined a controller: " + text.error().what,
            "join with: baton-gateway join --token TOKEN (from 'baton "
            "gateway invite NAME')",
            text.error().native});
    while (!text->empty() && (text->back() == '\n' || text->back() == ' '))
        text->pop_back();
    return text;
}

/// "0.0.0.0:5900"; "off": none.
Result<std::optional<Endpoint>> endpoint(std::string_view option, const std::string& text) {
    if (text == "off")
        return std::nullopt;
    const auto colon = text.rfind(':');
    unsigned port = 0;
    const char* end = text.data() + text.size();
    const auto parsed = colon == std::string::npos
                            ? std::from_chars_result{end, std::errc::invalid_argument}
                            : std::from_chars(text.data() + colon + 1, end, port);
    if (parsed.ec != std::errc() || parsed.ptr != end || colon == 0 || port > 65'535)
        return fail(Errc::invalid_argument,
                    fmt::format("{}: '{}' is no address and port", option, text),
                    "write it like 0.0.0.0:5900, or off");
    return Endpoint{text.substr(0, colon), static_cast<std::uint16_t>(port)};
}

/// Three descriptors for a viewer in the middle of a switch: as many as the machine lets us have.
void raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (::setrlimit(RLIMIT_NOFILE, &limit) != 0)
        spdlog::warn("the limit of open files stays at its default; many viewers need more");
}

struct Identity {
    net::TlsFiles files;
    GatewayId gateway;
};

Result<Identity> identity(const RunOptions& options) {
    const std::string folder = options.state_directory + "/pki";
    Identity own;
    own.files = {folder + "/client-cert.pem", folder + "/client-key.pem", folder + "/ca-cert.pem"};
    const auto certificate = net::inspect_certificate_file(own.files.certificate);
    if (!certificate)
        return tl::unexpected(certificate.error());
    const auto left = certificate->not_after - std::chrono::system_clock::now();
    if (left < std::chrono::seconds(0))
        return fail(Errc::unauthenticated, own.files.certificate + " has expired",
                    "check the clock, or join anew with: baton-gateway join --replace");
    const std::string& name = certificate->common_name;
    if (!name.starts_with(gatelink::certificate_prefix))
        return fail(Errc::corrupt, own.files.certificate + " is no gateway's certificate",
                    "join with: baton-gateway join");
    own.gateway = GatewayId(name.substr(gatelink::certificate_prefix.size()));
    return own;
}

Result<gateway::GatewayConfig> config_of(const RunOptions& options, const Identity& own) {
    gateway::GatewayConfig config;
    const auto vnc = endpoint("--vnc", options.vnc);
    if (!vnc)
        return tl::unexpected(vnc.error());
    const auto web = endpoint("--web", options.web);
    if (!web)
        return tl::unexpected(web.error());
    if (!*vnc && !*web)
        return fail(Errc::invalid_argument, "with --vnc off and --web off nobody could come in",
                    "leave one of them on");
    config.vnc = *vnc;
    config.web = *web;
    config.relay_tls = own.files;
    config.viewer_tls = own.files;
    if (!options.certificate.empty())
        config.viewer_tls = {options.certificate, options.key, own.files.authority};
    config.tls_in_front = options.tls_in_front;
    if (options.language == "ko")
        config.moving_text = "데스크를 옮기고 있습니다 ...";
    config.limits.viewers = options.viewers;
    return config;
}

void warn_of_end(const std::string& path, std::string_view remedy) {
    const auto info = net::inspect_certificate_file(path);
    if (!info)
        return; // said when it was to be used
    const auto now = std::chrono::floor<WallTime::duration>(std::chrono::system_clock::now());
    if (const auto warning = net::expiry_warning(path, *info, now))
        spdlog::warn("{}: {}", *warning, remedy);
}

/// Until SIGTERM or SIGINT; says twice a day what is about to expire.
int wait_for_the_end(const sigset_t& signals, const RunOptions& options, const Identity& own) {
    constexpr timespec half_a_day{12L * 60 * 60, 0};
    for (;;) {
        warn_of_end(own.files.certificate,
                    "hosts and controller will refuse this gateway; join anew: baton gateway "
                    "invite, then baton-gateway join --replace");
        if (!options.certificate.empty())
            warn_of_end(options.certificate, "viewers will refuse it; replace the file");
        const int signal = ::sigtimedwait(&signals, nullptr, &half_a_day);
        if (signal > 0)
            return signal;
    }
}

} // namespace

Result<void> run(const RunOptions& options) {
    const sigset_t signals = block_end_signals();
    spdlog::set_level(spdlog::level::from_str(options.log_level));
    spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%e %l %v");
    const auto joined_to = line_of(options.state_directory + "/controller");
    if (!joined_to)
        return tl::unexpected(joined_to.error());
    const auto address = line_of(options.state_directory + "/address");
    if (!address)
        return tl::unexpected(address.error());
    BATON_TRY(lock_state(options.state_directory));
    raise_descriptor_limit();
    const auto own = identity(options);
    if (!own)
        return tl::unexpected(own.error());
    const auto config = config_of(options, *own);
    if (!config)
        return tl::unexpected(config.error());

    const auto director = gatelink::LinkDirector::make({own->gateway, *address, 0, 0, version});
    auto gateway = gateway::Gateway::start(*config, *director);
    if (!gateway)
        return tl::unexpected(gateway.error());
    director->set_switchboard(**gateway);
    director->set_ports((*gateway)->vnc_port(), (*gateway)->web_port());
    net::ClientSettings controller;
    controller.url = options.controller.empty() ? *joined_to : options.controller;
    controller.tls = own->files;
    auto dialer = net::Dialer::start(
        [director](auto link, auto ended) { director->serve(std::move(link), std::move(ended)); },
        [controller] { return net::connect_websocket(controller, std::string(gatelink::target)); });
    if (config->vnc)
        fmt::print("VNC viewers on {}:{}\n", config->vnc->address, (*gateway)->vnc_port());
    if (config->web)
        fmt::print("browsers on {}:{}\n", config->web->address, (*gateway)->web_port());
    std::fflush(stdout);
    const int signal = wait_for_the_end(signals, options, *own);
    spdlog::info("ending on {}", ::strsignal(signal)); // NOLINT(concurrency-mt-unsafe)
    dialer.reset();
    gateway->reset();
    return {};
}

} // namespace baton::gateway_program
