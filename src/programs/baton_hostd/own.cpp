#include "programs/baton_hostd/own.h"

#include "net/http_text.h"
#include "net/pki.h"
#include "programs/baton_hostd/commands.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <chrono>

namespace baton::hostd {

using hostlink::HostConfig;

void set_log_level(const std::string& level) {
    spdlog::set_default_logger(spdlog::stderr_color_mt("baton-hostd"));
    spdlog::set_level(level == "debug"     ? spdlog::level::debug
                      : level == "warning" ? spdlog::level::warn
                      : level == "error"   ? spdlog::level::err
                                           : spdlog::level::info);
    spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%e %l %v");
}

Result<Identity> identity(const HostConfig& config) {
    const auto folder = pki_folder(config.state_directory);
    Identity own;
    own.files = {folder + "/client-cert.pem", folder + "/client-key.pem", folder + "/ca-cert.pem"};
    const auto certificate = net::inspect_certificate_file(own.files.certificate);
    if (!certificate && certificate.error().code == Errc::not_found)
        return fail(Errc::not_found,
                    "this host has not joined a controller: there is no " + own.files.certificate,
                    "join with: baton-hostd join --token TOKEN (from 'baton host invite NAME')");
    if (!certificate)
        return tl::unexpected(certificate.error());
    const auto left = certificate->not_after - std::chrono::system_clock::now();
    if (left < std::chrono::seconds(0))
        return fail(Errc::unauthenticated, own.files.certificate + " has expired",
                    "check the clock, or join anew with: baton-hostd join --replace");
    if (left < net::certificate_renewal)
        spdlog::warn("the certificate of this host ends in {} days: join anew with --replace",
                     std::chrono::duration_cast<std::chrono::hours>(left).count() / 24);
    own.host = HostId(certificate->common_name);
    return own;
}

std::string vm_folder(const HostConfig& config) {
    return config.state_directory + "/vm";
}

std::string ticket_folder(const HostConfig& config) {
    return config.state_directory + "/screens";
}

Result<HostConfig> read_config(const std::string& path) {
    const auto text = net::read_small_file(path);
    if (!text)
        return tl::unexpected(text.error());
    auto config = hostlink::parse_host_config(*text, path);
    if (!config)
        return config;
    if (config->screen_address.empty()) {
        const auto where = net::parse_where(config->controller_url);
        const auto own = address_towards(where->host, where->port);
        if (!own)
            return tl::unexpected(own.error());
        config->screen_address = *own;
    }
    if (!config->memory) {
        const auto memory = physical_memory();
        if (!memory)
            return tl::unexpected(memory.error());
        config->memory = *memory;
    }
    return config;
}

} // namespace baton::hostd
