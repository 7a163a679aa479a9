#include "player/policy.h"

#include <algorithm>
#include <fnmatch.h>

namespace baton::player {

namespace {

bool is_in(const std::string& path, const std::string& folder) {
    return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

bool masked_by_name(const Masks& masks, const std::string& path) {
    return std::any_of(masks.paths.begin(), masks.paths.end(), [&](const std::string& mask) {
        // FNM_LEADING_DIR: what is in a masked folder is masked too
        return ::fnmatch(mask.c_str(), path.c_str(), FNM_PATHNAME | FNM_LEADING_DIR) == 0;
    });
}

std::string shown_base(const std::string& base) {
    return base.empty() ? "<base>" : base;
}

} // namespace

Result<std::string> clean_path(const std::string& path) {
    if (path.empty() || path[0] != '/')
        return fail(Errc::invalid_argument, "\"" + path + "\" is no absolute path",
                    "begin it with '/'");
    std::string clean;
    for (std::size_t from = 1; from <= path.size();) {
        const auto to = std::min(path.find('/', from), path.size());
        const auto part = path.substr(from, to - from);
        from = to + 1;
        if (part == "..")
            return fail(Errc::invalid_argument, "\"" + path + "\" has \"..\" in it",
                        "write the path that is meant");
        if (!part.empty() && part != ".")
            clean += "/" + part;
    }
    return clean.empty() ? "/" : clean;
}

Found find_rule(const Policy& policy, const std::string& path) {
    Found found{"/", {}, false};
    for (const auto& [at, rule] : policy.rules)
        if (is_in(path, at) && at.size() >= found.at.size())
            found = {at, rule, false};
    if (found.rule.rule == Rule::copy_on_write)
        found.masked = masked_by_name(policy.masks, path);
    return found;
}

std::string layer_folder(const std::string& base, const std::string& at, Rule rule) {
    auto name = at.substr(1);
    if (rule == Rule::own)
        return "cow/" + base + "/" + name + "/tree";
    const auto first = name.find('/');
    if (first == std::string::npos)
        return "cow/" + base + "/" + name;
    // a part of /var: beside the rest of /var, under a name of its own
    auto rest = name.substr(first + 1);
    std::replace(rest.begin(), rest.end(), '/', '-');
    return "cow/" + base + "/" + name.substr(0, first) + "/over/" + rest;
}

std::string explain(const Policy& policy, const std::string& base, const std::string& path) {
    for (const std::string hardware : {"/dev", "/sys", "/proc"})
        if (is_in(path, hardware))
            return path + ": hardware\n  follows the PC, reduced to what gives no hold on it; "
                          "nothing is kept\n";
    const auto found = find_rule(policy, path);
    const auto rest = found.at == "/" ? path : path.substr(found.at.size());
    std::string text = path + ": " + std::string(to_string(found.rule.rule)) + " (rule for " +
                       (found.at == "/" ? "everything else" : found.at) + ")\n";
    switch (found.rule.rule) {
    case Rule::forward:
        return text +
               "  the desk's own on every PC, the PC's is not seen\n  kept in the image as " +
               found.rule.store + rest + "\n";
    case Rule::copy_on_write:
        if (found.masked)
            return text +
                   "  masked: the PC's is never seen\n  the desk's own is kept in the image as " +
                   layer_folder(shown_base(base), found.at, found.rule.rule) + "/upper" + rest +
                   "\n";
        return text + "  the base's until it is changed" +
               (std::any_of(policy.masks.unreadable.begin(), policy.masks.unreadable.end(),
                            [&](const auto& folder) { return is_in(path, folder); })
                    ? "; what others may not read is masked"
                    : "") +
               "\n  changes are kept in the image as " +
               layer_folder(shown_base(base), found.at, found.rule.rule) + "/upper" + rest + "\n";
    case Rule::own:
        return text +
               "  the desk's alone, for this base; the PC's is not seen\n  kept in the image as " +
               layer_folder(shown_base(base), found.at, found.rule.rule) + rest + "\n";
    case Rule::memory:
        return text + "  in memory: new at every opening, gone afterwards\n";
    case Rule::absent:
        break;
    }
    return text + "  not there\n";
}

} // namespace baton::player
