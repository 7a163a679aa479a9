/// What the shell asks while a person presses Tab: packaging/completion/baton.bash calls it. The
/// words come from the commands themselves, so that they cannot drift from them.
#include "programs/baton/output.h"
#include "programs/baton/remote.h"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <set>

namespace json = boost::json;

namespace baton::cli {

namespace {

/// A person waits for it with a finger on Tab.
constexpr std::chrono::seconds patience{2};

/// Names that the controller knows, for a positional of that kind; nothing if it cannot be asked.
std::set<std::string> names_for(const std::string& positional, const std::string& group) {
    std::set<std::string> names;
    std::string target;
    std::string list;
    std::string key = "name";
    if (positional == "SESSION") {
        target = "/v1/sessions";
        list = "sessions";
        key = "user";
    } else if (positional == "HOST") {
        target = "/v1/hosts";
        list = "hosts";
        key = "id";
    } else if (positional == "GATEWAY") {
        target = "/v1/gateways";
        list = "gateways";
        key = "id";
    } else if (positional == "MAC") {
        target = "/v1/clients";
        list = "clients";
        key = "mac";
    } else if (positional == "DESK") {
        target = "/v1/desks";
        list = "desks";
    } else if (positional == "USER" || (positional == "NAME" && group == "user")) {
        target = "/v1/users";
        list = "users";
    } else {
        return names;
    }
    try {
        Remote remote(ConnectionOptions{}, patience);
        const json::object answer = remote.get(target);
        for (const json::value& one : answer.at(list).as_array())
            names.insert(field(one.get_object(), key));
    } catch (const CommandFailed&) {
        names.clear(); // nothing to offer is no reason to disturb the person's line
    }
    return names;
}

const CLI::App* command_named(const CLI::App& app, const std::string& word) {
    for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; }))
        if (sub->get_name() == word)
            return sub;
    return nullptr;
}

const CLI::Option* option_named(const CLI::App& app, const std::string& word) {
    for (const CLI::Option* option : app.get_options())
        if (option->check_name(word))
            return option;
    return nullptr;
}

std::set<std::string> offers(const CLI::App& root, const std::vector<std::string>& words) {
    const CLI::App* at = &root;
    std::size_t positionals = 0;
    bool wants_value = false;
    for (std::size_t i = 0; i + 1 < words.size(); ++i) {
        if (std::exchange(wants_value, false))
            continue;
        if (words[i].starts_with('-')) {
            const CLI::Option* option = option_named(*at, words[i]);
            wants_value = option && option->get_items_expected_max() > 0 &&
                          words[i].find('=') == std::string::npos;
        } else if (const CLI::App* sub = command_named(*at, words[i])) {
            at = sub;
        } else {
            ++positionals;
        }
    }
    std::set<std::string> found;
    if (wants_value) // a file or a value of one's own: the shell completes files by itself
        return found;
    if (words.empty() || words.back().starts_with('-')) {
        for (const CLI::Option* option : at->get_options())
            for (const std::string& name : option->get_lnames())
                found.insert("--" + name);
        return found;
    }
    for (const CLI::App* sub : at->get_subcommands([](const CLI::App*) { return true; }))
        if (!sub->get_group().empty())
            found.insert(sub->get_name());
    if (found.empty()) {
        std::size_t index = 0;
        for (const CLI::Option* option : at->get_options())
            if (option->get_positional() && index++ == positionals)
                found = names_for(option->get_name(true), at->get_parent()->get_name());
    }
    return found;
}

} // namespace

void add_completion(CLI::App& app) {
    CLI::App* command = app.add_subcommand("complete", "Words for the shell's completion");
    command->group(""); // not for people
    command->prefix_command();
    command->callback([&app, command] {
        // each word comes behind a ':', so that none of them is taken for an option of ours
        std::vector<std::string> words;
        for (const std::string& word : command->remaining())
            words.push_back(word.substr(word.starts_with(':') ? 1 : 0));
        for (const std::string& word : offers(app, words))
            if (words.empty() || word.starts_with(words.back()))
                fmt::print("{}\n", word);
    });
}

} // namespace baton::cli
