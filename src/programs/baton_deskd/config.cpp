#include "programs/baton_deskd/config.h"

#include "model/size.h"
#include "model/toml.h"
#include "net/pki.h"

#include <fmt/format.h>

#include <array>
#include <limits>
#include <optional>
#include <set>

namespace baton::deskd {

namespace {

/// Typed access to the file's keys; remembers the first that is wrong and which were asked for.
class Reader {
  public:
    Reader(const toml::table& table, std::string file) : table_(table), file_(std::move(file)) {}

    void text(const std::string& key, std::string& value) {
        const auto* node = find(key);
        if (node == nullptr)
            return;
        if (!node->is_string())
            refuse(*node, key, "must be a text");
        value = node->value<std::string>().value_or(value);
    }

    void truth(const std::string& key, bool& value) {
        if (const auto* node = find(key)) {
            if (!node->is_boolean())
                refuse(*node, key, "must be true or false");
            value = node->value<bool>().value_or(value);
        }
    }

    template <class T>
    void integer(const std::string& key, T& value, std::int64_t least, std::int64_t most) {
        const auto* node = find(key);
        if (node == nullptr)
            return;
        const auto number = node->is_integer() ? node->value<std::int64_t>() : std::nullopt;
        if (!number || *number < least || *number > most)
            refuse(*node, key, fmt::format("must be a whole number from {} to {}", least, most));
        else
            value = static_cast<T>(*number);
    }

    void bytes(const std::string& key, std::int64_t& value) {
        const auto* node = find(key);
        if (node == nullptr)
            return;
        const auto size = parse_mebibytes(node->value<std::string>().value_or(""));
        if (!size)
            refuse(*node, key, "must be an amount like \"1GiB\"");
        else
            value = size->bytes();
    }

    void refuse(const toml::node& node, const std::string& key, const std::string& why) {
        if (!error_)
            error_ = Error{Errc::invalid_argument,
                           fmt::format("{}:{}: {} {}", file_, node.source().begin.line, key, why),
                           "docs/desk-server.md names every key", 0};
    }

    /// Also when a key is there that nobody asked for.
    Result<void> finish() {
        for (const auto& [group, node] : table_) {
            const auto* inner = node.as_table();
            if (inner == nullptr) {
                refuse(node, std::string(group.str()), "is no group of keys");
                continue;
            }
            for (const auto& [name, value] : *inner) {
                const auto key = std::string(group.str()) + "." + std::string(name.str());
                if (!asked_.contains(key))
                    refuse(value, key, "is no key that there is");
            }
        }
        if (error_)
            return tl::unexpected(*error_);
        return {};
    }

    const toml::node* find(const std::string& key) {
        asked_.insert(key);
        return table_.at_path(key).node();
    }

  private:
    const toml::table& table_;
    std::string file_;
    std::set<std::string> asked_;
    std::optional<Error> error_;
};

Result<void> check_complete(const Config& config, const std::string& file) {
    const auto missing = [&](const std::string& key, const std::string& what) {
        return fail(Errc::invalid_argument, fmt::format("{}: {} is missing: {}", file, key, what),
                    "docs/desk-server.md shows a whole configuration");
    };
    if (config.desks.desks.empty())
        return missing("desks.folder", "where the desks are kept");
    if (config.listen.tls.certificate.empty())
        return missing("tls.certificate", "the server's certificate, PEM");
    if (config.listen.tls.key.empty())
        return missing("tls.key", "its key, PEM");
    if (config.listen.tls.authority.empty())
        return missing("tls.authority", "the CA of the controller and of the hosts, PEM");
    if (config.desks.first_port > config.desks.last_port)
        return fail(Errc::invalid_argument,
                    fmt::format("{}: exports.first_port is larger than exports.last_port", file));
    return {};
}

} // namespace

Result<Config> parse_config(std::string_view text, const std::string& file) {
    const auto table = read_toml(text, file, "docs/desk-server.md shows a whole configuration");
    if (!table)
        return tl::unexpected(table.error());
    Config config;
    config.listen.port = 8445;
    config.listen.require_client_certificate = true;
    config.desks.runtime = "/run/baton/deskd";
    constexpr auto ports = std::numeric_limits<std::uint16_t>::max();
    Reader reader(*table, file);
    reader.text("listen.address", config.listen.address);
    reader.integer("listen.port", config.listen.port, 0, ports);
    reader.text("listen.caller", config.caller);
    reader.integer("listen.workers", config.workers, 1, 256);
    reader.text("tls.certificate", config.listen.tls.certificate);
    reader.text("tls.key", config.listen.tls.key);
    reader.text("tls.authority", config.listen.tls.authority);
    reader.text("desks.folder", config.desks.desks);
    reader.bytes("desks.low_space", config.desks.low_space_bytes);
    reader.text("desks.skeleton", config.desks.skeleton);
    std::string checked_out = "refuse";
    reader.text("desks.checked_out", checked_out);
    if (checked_out != "refuse" && checked_out != "read-only")
        if (const auto* node = reader.find("desks.checked_out"))
            reader.refuse(*node, "desks.checked_out", "must be \"refuse\" or \"read-only\"");
    config.desks.checked_out_read_only = checked_out == "read-only";
    reader.text("exports.runtime", config.desks.runtime);
    config.desks.export_address = config.listen.address;
    reader.text("exports.address", config.desks.export_address);
    reader.integer("exports.first_port", config.desks.first_port, 0, ports);
    config.desks.last_port = config.desks.first_port;
    reader.integer("exports.last_port", config.desks.last_port, 0, ports);
    reader.truth("exports.end_at_exit", config.desks.end_exports_at_exit);
    reader.text("exports.program", config.desks.program);
    reader.text("log.level", config.log_level);
    BATON_TRY(reader.finish());
    config.desks.certificate = config.listen.tls.certificate;
    config.desks.key = config.listen.tls.key;
    config.desks.authority = config.listen.tls.authority;
    BATON_TRY(check_complete(config, file));
    return config;
}

Result<Config> read_config(const std::string& file) {
    auto text = net::read_small_file(file);
    if (!text)
        return tl::unexpected(text.error().in("reading the configuration"));
    return parse_config(*text, file);
}

} // namespace baton::deskd
