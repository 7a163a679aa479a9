#include "hostlink/config.h"

#include "model/toml.h"
#include "net/http_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

namespace baton::hostlink {

namespace {

/// What libvirt gives to screens (and routing::HostGuard guards).
constexpr std::int64_t first_screen = 5900;
constexpr std::int64_t last_screen = 6923;

/// Takes known keys out of the document; what is wrong first, and where, is kept.
class Reader {
  public:
    Reader(const toml::table& root, std::string file) : root_(root), file_(std::move(file)) {}

    bool text(const std::string& table, const std::string& key, std::string& into) {
        const auto* node = find(table, key);
        if (node == nullptr)
            return false;
        const auto value = node->value_exact<std::string>();
        if (!value || value->empty()) {
            wrong(table, key, *node, "must be a text");
            return false;
        }
        into = *value;
        return true;
    }

    void flag(const std::string& table, const std::string& key, bool& into) {
        if (const auto* node = find(table, key)) {
            if (const auto value = node->value_exact<bool>())
                into = *value;
            else
                wrong(table, key, *node, "must be true or false");
        }
    }

    void milliseconds(const std::string& table, const std::string& key, std::int64_t least,
                      std::int64_t most, std::chrono::milliseconds& into) {
        const auto* node = find(table, key);
        if (node == nullptr)
            return;
        const auto value = node->value_exact<std::int64_t>();
        if (value && *value >= least && *value <= most)
            into = std::chrono::milliseconds(*value);
        else
            wrong(table, key, *node, fmt::format("must be {} to {} milliseconds", least, most));
    }

    void port(const std::string& table, const std::string& key, std::uint16_t& into) {
        const auto* node = find(table, key);
        if (node == nullptr)
            return;
        const auto value = node->value_exact<std::int64_t>();
        if (!value || *value < 1 || *value > 65'535)
            wrong(table, key, *node, "must be a port, 1 to 65535");
        else if (*value >= first_screen && *value <= last_screen)
            wrong(table, key, *node,
                  fmt::format("may not be one of the ports {} to {}, which desktops' own screens "
                              "take",
                              first_screen, last_screen));
        else
            into = static_cast<std::uint16_t>(*value);
    }

    /// `read` turns the text into a value, or says what is wrong with it.
    template <class Read, class T>
    bool as(const std::string& table, const std::string& key, Read read, T& into) {
        std::string words;
        if (!text(table, key, words))
            return false;
        auto value = read(words);
        if (!value) {
            wrong(table, key, *find(table, key), value.error().message());
            return false;
        }
        into = *value;
        return true;
    }

    void refuse(const std::string& what) {
        if (!error_)
            error_ = Error{Errc::invalid_argument, file_ + ": " + what, "", 0};
    }

    void no_others() {
        for (const auto& [table, node] : root_) {
            const auto* inner = node.as_table();
            if (inner == nullptr) {
                wrong("", std::string(table.str()), node, "is not a key of this file");
                continue;
            }
            for (const auto& [key, value] : *inner)
                if (!known_.contains({std::string(table.str()), std::string(key.str())}))
                    wrong(std::string(table.str()), std::string(key.str()), value,
                          "is not a key of this file");
        }
    }

    [[nodiscard]] Result<void> finish() const {
        if (error_)
            return tl::unexpected(*error_);
        return {};
    }

  private:
    const toml::node* find(const std::string& table, const std::string& key) {
        known_.insert({table, key});
        const auto* inner = root_[table].as_table();
        return inner == nullptr ? nullptr : inner->get(key);
    }

    void wrong(const std::string& table, const std::string& key, const toml::node& node,
               const std::string& why) {
        if (!error_)
            error_ = Error{Errc::invalid_argument,
                           fmt::format("{}, line {}: '{}{}{}' {}", file_, node.source().begin.line,
                                       table, table.empty() ? "" : ".", key, why),
                           "docs/configuration.md has them all", 0};
    }

    const toml::table& root_;
    std::string file_;
    std::set<std::pair<std::string, std::string>> known_;
    std::optional<Error> error_;
};

Result<std::string> numeric_address(const std::string& text) {
    if (parse_subnet(text + "/29") ||
        parse_subnet(text + "/29").error().what.find("the network is") != std::string::npos)
        return text;
    return fail(Errc::invalid_argument, "must be an IPv4 address");
}

Result<std::string> bridge_name(const std::string& text) {
    constexpr std::string_view allowed =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    if (text.empty() || text.size() > 15 || text.find_first_not_of(allowed) != std::string::npos ||
        text.front() == '-' || text.front() == '.')
        return fail(Errc::invalid_argument, "must be 1 to 15 letters, digits, '.', '_' or '-'");
    return text;
}

Result<std::string> absolute_path(const std::string& text) {
    if (text.empty() || text.front() != '/')
        return fail(Errc::invalid_argument, "must be an absolute path");
    return text;
}

Result<std::string> listen_address(const std::string& text) {
    const auto where = net::parse_where("http://" + text);
    if (!where || where->kind != net::Where::Kind::http || text.find(':') == std::string::npos)
        return fail(Errc::invalid_argument, "must be an address and a port: 127.0.0.1:9178");
    return text;
}

void read_network(Reader& reader, HostConfig& config) {
    DesktopNetwork network;
    const bool subnet = reader.as("network", "subnet", parse_subnet, network.subnet);
    const bool bridge = reader.as("network", "bridge", bridge_name, network.bridge);
    const bool name = reader.as("network", "name", bridge_name, network.name);
    const bool gateway = reader.as("network", "gateway", numeric_address, network.gateway);
    reader.as("network", "existing_bridge", bridge_name, config.existing_bridge);
    if (!config.existing_bridge.empty() && (subnet || bridge || name || gateway))
        reader.refuse("[network] has existing_bridge, and keys of a network of our own as well");
    else if (!subnet && (bridge || name || gateway))
        reader.refuse(
            "[network] lacks the subnet of the desktops, like subnet = \"10.101.1.0/24\"");
    if (!subnet)
        return;
    const auto controller = net::parse_where(config.controller_url);
    if (network.gateway.empty() && controller && numeric_address(controller->host))
        network.gateway = controller->host;
    config.network = network;
}

} // namespace

Result<HostConfig> parse_host_config(std::string_view text, const std::string& file) {
    const auto root = read_toml(text, file, "docs/configuration.md shows a whole file");
    if (!root)
        return tl::unexpected(root.error());
    HostConfig config;
    Reader reader(*root, file);
    if (!reader.text("controller", "url", config.controller_url))
        reader.refuse("[controller] lacks its url, like url = \"https://10.99.0.1:8443\"");
    else if (const auto where = net::parse_where(config.controller_url);
             !where || where->kind != net::Where::Kind::https)
        reader.refuse(fmt::format("[controller] url: '{}' is no https address like "
                                  "https://10.99.0.1:8443",
                                  config.controller_url));
    reader.as("host", "state_dir", absolute_path, config.state_directory);
    Mebibytes memory;
    if (reader.as("host", "memory", parse_mebibytes, memory))
        config.memory = memory;
    reader.as("host", "screen_address", numeric_address, config.screen_address);
    reader.as("host", "overlay_limit", parse_mebibytes, config.overlay_limit);
    reader.text("libvirt", "uri", config.libvirt_uri);
    reader.flag("libvirt", "kvm", config.allow_kvm);
    reader.port("screens", "port", config.relay_port);
    Subnet gateways;
    if (reader.as("screens", "gateways", parse_subnet, gateways))
        config.gateways = gateways;
    reader.as("images", "folder", absolute_path, config.images_folder);
    if (config.images_folder.empty())
        config.images_folder = config.state_directory + "/images";
    read_network(reader, config);
    reader.flag("monitor", "enabled", config.monitor);
    reader.milliseconds("monitor", "interval_ms", 100, 60'000, config.monitor_interval);
    reader.milliseconds("monitor", "guest_interval_ms", 1'000, 600'000, config.guest_interval);
    reader.as("monitor", "metrics", listen_address, config.metrics);
    reader.flag("redistribution", "cpu_shares", config.cpu_shares);
    if (reader.text("log", "level", config.log_level)) {
        constexpr std::array<std::string_view, 4> levels{"debug", "info", "warning", "error"};
        if (std::find(levels.begin(), levels.end(), config.log_level) == levels.end())
            reader.refuse("[log] level must be debug, info, warning or error");
    }
    reader.no_others();
    BATON_TRY(reader.finish());
    return config;
}

} // namespace baton::hostlink
