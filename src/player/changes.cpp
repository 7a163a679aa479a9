#include "player/changes.h"

#include <algorithm>
#include <map>
#include <optional>

namespace baton::player {

namespace {

/// "cow/<base>/rest" as its base and the rest.
std::pair<std::string, std::string> parts_of(const std::string& folder) {
    const auto first = folder.find('/') + 1;
    const auto second = std::min(folder.find('/', first), folder.size());
    return {folder.substr(first, second - first),
            folder.substr(std::min(second + 1, folder.size()))};
}

/// Where a layer, a tree or a forwarded folder is seen inside.
class Places {
  public:
    Places(const Policy& policy) {
        for (const auto& [path, rule] : policy.rules) {
            if (rule.rule == Rule::forward)
                places_[rule.store] = path;
            else if (rule.rule == Rule::copy_on_write || rule.rule == Rule::own)
                places_[layer_folder("", path, rule.rule)] = path;
        }
    }

    /// By another policy it may have been somewhere else: then its name says so.
    [[nodiscard]] std::string of(const std::string& folder) const {
        const auto found = places_.find(folder);
        if (found != places_.end())
            return found->second;
        const auto [base, rest] = parts_of(folder);
        if (!folder.starts_with("cow/"))
            return "/" + rest;
        const auto in_cow = places_.find("cow//" + rest);
        return in_cow == places_.end() ? "/" + rest : in_cow->second;
    }

  private:
    std::map<std::string, std::string> places_;
};

std::optional<Change> change_of(const desk::LayerEntry& entry, const std::string& path,
                                bool in_base) {
    if (entry.kind == "gone")
        return Change{How::removed, path, "", 0};
    // a folder that is in both is there for what is in it
    if (entry.kind == "folder" && in_base && !entry.covers)
        return std::nullopt;
    return Change{in_base ? How::changed : How::added, path, entry.kind, entry.size_bytes};
}

} // namespace

std::string_view to_string(How how) {
    switch (how) {
    case How::changed:
        return "changed";
    case How::removed:
        return "removed";
    case How::added:
        break;
    }
    return "added";
}

std::size_t BaseChanges::count(How how) const {
    return static_cast<std::size_t>(std::count_if(changes.begin(), changes.end(),
                                                  [&](const auto& one) { return one.how == how; }));
}

std::int64_t BaseChanges::size_bytes() const {
    std::int64_t sum = 0;
    for (const auto& one : changes)
        sum += one.size_bytes;
    return sum;
}

Changes changes_of(const desk::Tree& tree, const Policy& policy, const std::string& at_hand,
                   const std::function<bool(const std::string& path)>& is_there) {
    const Places places(policy);
    Changes result;
    std::map<std::string, BaseChanges> bases;
    const auto base = [&](const std::string& name) -> BaseChanges& {
        auto& one = bases[name];
        one.base = name;
        one.compared = !at_hand.empty() && name == at_hand;
        return one;
    };
    for (const auto& sum : tree.sums) {
        auto seen = sum;
        seen.folder = places.of(sum.folder);
        if (sum.folder.starts_with("cow/"))
            base(parts_of(sum.folder).first).own.push_back(seen);
        else
            result.forwarded.push_back(seen);
    }
    for (const auto& entry : tree.entries) {
        auto& into = base(parts_of(entry.layer).first);
        const auto path = places.of(entry.layer) + "/" + entry.path;
        const bool in_base = into.compared ? is_there(path) : entry.copied;
        if (auto change = change_of(entry, path, in_base))
            into.changes.push_back(std::move(*change));
    }
    for (auto& [name, one] : bases) {
        std::sort(one.changes.begin(), one.changes.end(),
                  [](const auto& a, const auto& b) { return a.path < b.path; });
        result.bases.push_back(std::move(one));
    }
    return result;
}

} // namespace baton::player
