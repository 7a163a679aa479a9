#include "player/policy.h"

#include "model/size.h"
#include "model/toml.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <set>
#include <unistd.h>

namespace baton::player {

namespace {

constexpr const char* administrators = "/etc/baton/player.toml";

/// Typed access to the groups of the file; remembers the first fault.
class Reader {
  public:
    Reader(const toml::table& table, std::string file) : table_(table), file_(std::move(file)) {}

    void refuse(const toml::node& node, const std::string& why) {
        if (!error_)
            error_ = Error{Errc::invalid_argument,
                           file_ + ":" + std::to_string(node.source().begin.line) + ": " + why,
                           "docs/player.md names every key", 0};
    }

    const toml::table* group(const std::string& name) {
        groups_.insert(name);
        const auto* node = table_.get(name);
        if (node == nullptr)
            return nullptr;
        if (!node->is_table())
            refuse(*node, name + " is no group of keys");
        return node->as_table();
    }

    std::vector<std::string> texts(const std::string& group_name, const std::string& key,
                                   bool are_paths) {
        std::vector<std::string> result;
        const auto* in = group(group_name);
        const auto* node = in == nullptr ? nullptr : in->get(key);
        if (node == nullptr)
            return result;
        if (!node->is_array()) {
            refuse(*node, group_name + "." + key + " must be a list of texts");
            return result;
        }
        for (const auto& item : *node->as_array()) {
            auto text = item.value<std::string>();
            if (!text)
                refuse(item, group_name + "." + key + " must be a list of texts");
            else
                result.push_back(are_paths ? path(item, *text) : *text);
        }
        return result;
    }

    std::string path(const toml::node& node, const std::string& text) {
        auto clean = clean_path(text);
        if (!clean || *clean == "/") {
            refuse(node,
                   "\"" + text + "\" is no path to have a rule: begin it with '/', without \"..\"");
            return "/?";
        }
        return *clean;
    }

    std::string text(const std::string& group_name, const std::string& key, std::string fallback) {
        const auto* in = group(group_name);
        const auto* node = in == nullptr ? nullptr : in->get(key);
        if (node == nullptr)
            return fallback;
        if (!node->is_string())
            refuse(*node, group_name + "." + key + " must be a text");
        return node->value<std::string>().value_or(fallback);
    }

    void only_keys(const std::string& group_name, const std::set<std::string>& keys) {
        if (const auto* in = group(group_name))
            for (const auto& [key, node] : *in)
                if (!keys.contains(std::string(key.str())))
                    refuse(node, group_name + "." + std::string(key.str()) + " is no key");
    }

    Result<void> finish() {
        for (const auto& [name, node] : table_)
            if (!groups_.contains(std::string(name.str())))
                refuse(node, std::string(name.str()) + " is no group of keys");
        if (error_)
            return tl::unexpected(*error_);
        return {};
    }

  private:
    const toml::table& table_;
    std::string file_;
    std::set<std::string> groups_;
    std::optional<Error> error_;
};

bool is_store(const std::string& text) {
    return text.starts_with("fwd/") && text.size() > 4 && text.back() != '/' &&
           clean_path("/" + text).value_or("") == "/" + text;
}

/// "50%" or "1GiB".
std::optional<std::string> tmpfs_size(const std::string& text) {
    if (text.ends_with('%')) {
        const auto number = text.substr(0, text.size() - 1);
        const bool digits =
            !number.empty() && number.size() <= 2 && number != "0" &&
            std::all_of(number.begin(), number.end(), [](char c) { return c >= '0' && c <= '9'; });
        return digits ? std::optional(text) : std::nullopt;
    }
    const auto size = parse_mebibytes(text);
    return size ? std::optional(std::to_string(size->bytes())) : std::nullopt;
}

void put(Reader& reader, Policy& policy, const toml::node& node, const std::string& path,
         PathRule rule) {
    const bool on_top = path.find('/', 1) == std::string::npos;
    if (!on_top && (rule.rule == Rule::memory || rule.rule == Rule::absent))
        reader.refuse(node, path + ": only a folder of the top can be in memory or absent");
    if (!policy.rules.emplace(path, std::move(rule)).second)
        reader.refuse(node, path + " has two rules");
}

void read_forward(Reader& reader, Policy& policy) {
    const auto* group = reader.group("forward");
    if (group == nullptr)
        return;
    for (const auto& [key, node] : *group) {
        const auto store = node.value<std::string>().value_or("");
        if (!is_store(store))
            reader.refuse(node, "forward: the folder in the desk must be like \"fwd/home\"");
        put(reader, policy, node, reader.path(node, std::string(key.str())),
            {Rule::forward, store, {}});
    }
}

void read_memory(Reader& reader, Policy& policy) {
    const auto* group = reader.group("memory");
    if (group == nullptr)
        return;
    for (const auto& [key, node] : *group) {
        const auto* table = node.as_table();
        const auto mode = table == nullptr ? std::nullopt : (*table)["mode"].value<std::string>();
        const auto size = table == nullptr ? std::nullopt : (*table)["size"].value<std::string>();
        const auto limit = size ? tmpfs_size(*size) : std::nullopt;
        const bool octal =
            mode && mode->size() == 4 && mode->find_first_not_of("01234567") == std::string::npos;
        if (!octal || !limit) {
            reader.refuse(node, "memory: like { mode = \"1777\", size = \"50%\" }");
            continue;
        }
        put(reader, policy, node, reader.path(node, std::string(key.str())),
            {Rule::memory, "", {static_cast<unsigned>(std::stoul(*mode, nullptr, 8)), *limit}});
    }
}

void read_list(Reader& reader, Policy& policy, const char* name, Rule rule) {
    reader.only_keys(name, {"paths"});
    const auto* group = reader.group(name);
    for (const auto& path : reader.texts(name, "paths", true))
        put(reader, policy, *group, path, {rule, "", {}});
}

void read_rest(Reader& reader, Policy& policy) {
    reader.only_keys("masked", {"unreadable", "paths"});
    policy.masks.unreadable = reader.texts("masked", "unreadable", true);
    policy.masks.paths = reader.texts("masked", "paths", true);
    if (const auto* group = reader.group("masked"))
        for (const auto& path : policy.masks.paths)
            if (path.find('*') < path.rfind('/'))
                reader.refuse(*group, path + ": a '*' may stand in the last part alone");
    reader.only_keys("hardware", {"devices", "sys"});
    policy.devices = reader.texts("hardware", "devices", false);
    policy.sys = reader.texts("hardware", "sys", false);
    if (const auto* group = reader.group("hardware"))
        for (const auto* names : {&policy.devices, &policy.sys})
            for (const auto& name : *names)
                if (name.empty() || name.find('/') != std::string::npos || name[0] == '.')
                    reader.refuse(*group, "hardware: \"" + name + "\" is no name in /dev or /sys");
    reader.only_keys("network", {"mode"});
    const auto mode = parse_network(reader.text("network", "mode", "user"));
    if (mode)
        policy.network = *mode;
    else
        reader.refuse(*reader.group("network"), mode.error().what);
    reader.only_keys("desktop", {"clipboard", "hotkey"});
    const auto clipboard = parse_clipboard(reader.text("desktop", "clipboard", "apart"));
    if (clipboard)
        policy.clipboard = *clipboard;
    else
        reader.refuse(*reader.group("desktop"), clipboard.error().what);
    policy.hotkey = reader.text("desktop", "hotkey", policy.hotkey);
    reader.only_keys("check", {"remember"});
    policy.remember = reader.text("check", "remember", "");
}

} // namespace

Result<Policy> parse_policy(std::string_view text, const std::string& file) {
    const auto table = read_toml(text, file, "docs/player.md names every key");
    if (!table)
        return tl::unexpected(table.error());
    Reader reader(*table, file);
    Policy policy;
    read_forward(reader, policy);
    read_list(reader, policy, "copy-on-write", Rule::copy_on_write);
    read_list(reader, policy, "own", Rule::own);
    read_memory(reader, policy);
    read_list(reader, policy, "absent", Rule::absent);
    read_rest(reader, policy);
    BATON_TRY(reader.finish());
    return policy;
}

Result<Policy> read_policy(const std::string& file) {
    const std::string path = !file.empty() ? file : administrators;
    if (file.empty() && ::access(administrators, F_OK) != 0)
        return parse_policy(default_policy_text(), "the policy built in");
    std::ifstream stream(path);
    const std::string text{std::istreambuf_iterator<char>(stream), {}};
    if (!stream.good() && !stream.eof())
        return fail(Errc::not_found, "cannot read the policy " + path);
    auto policy = parse_policy(text, path);
    if (policy)
        policy->from = path;
    return policy;
}

std::string_view to_string(Rule rule) {
    switch (rule) {
    case Rule::forward:
        return "forward";
    case Rule::copy_on_write:
        return "copy-on-write";
    case Rule::own:
        return "own";
    case Rule::memory:
        return "memory";
    case Rule::absent:
        break;
    }
    return "absent";
}

std::string_view to_string(Network network) {
    switch (network) {
    case Network::user:
        return "user";
    case Network::none:
        return "none";
    case Network::host:
        break;
    }
    return "host";
}

Result<Network> parse_network(std::string_view text) {
    for (const auto network : {Network::user, Network::none, Network::host})
        if (text == to_string(network))
            return network;
    return fail(Errc::invalid_argument, "the network \"" + std::string(text) + "\" is unknown",
                "there are user, none and host");
}

} // namespace baton::player
