#pragma once

#include "model/error.h"
#include "player/display.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

/// What a desk sees, path by path (paper 3, section 3.2; docs/player.md). Pure, but for
/// read_policy.
namespace baton::player {

enum class Rule : std::uint8_t {
    forward,       ///< the desk's own on every base
    copy_on_write, ///< the base until it is changed
    own,           ///< the desk's alone, for each base apart
    memory,        ///< new at every opening
    absent,        ///< not there
};

enum class Network : std::uint8_t { user, none, host };

struct MemoryFolder {
    unsigned mode = 0755;
    std::string size; ///< as tmpfs takes it: "50%", "1073741824"
    bool operator==(const MemoryFolder&) const = default;
};

struct PathRule {
    Rule rule = Rule::absent;
    std::string store;   ///< Rule::forward: the folder in the desk, "fwd/home"
    MemoryFolder memory; ///< Rule::memory
    bool operator==(const PathRule&) const = default;
};

struct Masks {
    std::vector<std::string> unreadable; ///< folders: what others may not read there
    std::vector<std::string> paths;      ///< a '*' may stand in the last part
    bool operator==(const Masks&) const = default;
};

struct Policy {
    std::map<std::string, PathRule> rules; ///< by absolute path, parents before what is in them
    Masks masks;
    std::vector<std::string> devices; ///< names in /dev
    std::vector<std::string> sys;     ///< folders of /sys
    Network network = Network::user;
    Clipboard clipboard = Clipboard::apart; ///< of a graphical session
    std::string hotkey = "Ctrl+Alt+Home";   ///< to the next desktop; "none"
    std::string remember;                   ///< a folder; empty: nothing is remembered
    std::string from;                       ///< the file it was read from; empty: built in
    bool operator==(const Policy&) const = default;
};

/// The file packaging/player/policy.toml as it was when Baton was built.
std::string_view default_policy_text();

/// Errc::invalid_argument with file, line and reason. `file` names it in errors.
Result<Policy> parse_policy(std::string_view text, const std::string& file);

/// `file`; if empty /etc/baton/player.toml where there is one, else the one built in.
Result<Policy> read_policy(const std::string& file);

std::string_view to_string(Rule rule);
std::string_view to_string(Network network);
/// Errc::invalid_argument.
Result<Network> parse_network(std::string_view text);

/// The rule for a path, and whose it is.
struct Found {
    std::string at; ///< "/usr/local"; "/" when no rule names it
    PathRule rule;
    bool masked = false; ///< by name; what is masked for its mode is found in the base
};

/// `path` absolute and without "..", as clean_path makes it.
Found find_rule(const Policy& policy, const std::string& path);

/// "/usr//bin/./x/" as "/usr/bin/x". Errc::invalid_argument: not absolute, or with "..".
Result<std::string> clean_path(const std::string& path);

/// Where the layers of the copy-on-write or own path `at` ("/var/lib/dpkg") are kept in the desk:
/// "cow/<base>/var/over/lib-dpkg". docs/formats/desk-image.md
std::string layer_folder(const std::string& base, const std::string& at, Rule rule);

/// What `--explain` prints of a path: one or more lines. `base` may be empty.
std::string explain(const Policy& policy, const std::string& base, const std::string& path);

} // namespace baton::player
