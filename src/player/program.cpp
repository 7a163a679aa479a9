#include "player/program.h"

#include <boost/json.hpp>

#include <algorithm>
#include <charconv>
#include <sys/stat.h>

namespace baton::player {

namespace {

std::vector<std::string_view> split(std::string_view text, char at) {
    std::vector<std::string_view> parts;
    for (std::size_t from = 0; from <= text.size();) {
        const auto to = std::min(text.find(at, from), text.size());
        parts.push_back(text.substr(from, to - from));
        from = to + 1;
    }
    return parts;
}

bool number(std::string_view text, unsigned& value) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && end == text.data() + text.size() && !text.empty();
}

} // namespace

boost::json::object to_words(const Program& program) {
    boost::json::object environment;
    for (const auto& [name, value] : program.environment)
        environment[name] = value;
    return {{"words", boost::json::value_from(program.words)},
            {"user", program.user},
            {"folder", program.folder},
            {"environment", std::move(environment)},
            {"desktop", program.desktop},
            {"terminal", program.terminal},
            {"rows", program.rows},
            {"columns", program.columns}};
}

Result<Program> program_from(const boost::json::object& words) {
    try {
        Program program;
        program.words = boost::json::value_to<std::vector<std::string>>(words.at("words"));
        program.user = words.at("user").as_string().c_str();
        program.folder = words.at("folder").as_string().c_str();
        for (const auto& [name, value] : words.at("environment").as_object())
            program.environment[std::string(name)] = value.as_string().c_str();
        program.desktop = words.at("desktop").as_bool();
        program.terminal = words.at("terminal").as_bool();
        program.rows = words.at("rows").to_number<unsigned>();
        program.columns = words.at("columns").to_number<unsigned>();
        return program;
    } catch (const std::exception&) {
        return fail(Errc::internal, "the program to run is not understood");
    }
}

Result<Account> find_account(std::string_view passwd, std::string_view group,
                             const std::string& name) {
    Account account;
    for (const auto line : split(passwd, '\n')) {
        const auto fields = split(line, ':');
        if (fields.size() < 7 || fields[0] != name || !number(fields[2], account.uid) ||
            !number(fields[3], account.gid))
            continue;
        account.name = name;
        account.home = fields[5];
        account.shell = fields[6].empty() ? "/bin/sh" : std::string(fields[6]);
        break;
    }
    if (account.name.empty())
        return fail(Errc::not_found, "this desk has no user " + name,
                    "its users are in its /etc/passwd; root is always there");
    for (const auto line : split(group, '\n')) {
        const auto fields = split(line, ':');
        unsigned gid = 0;
        if (fields.size() < 4 || !number(fields[2], gid) || gid == account.gid)
            continue;
        const auto members = split(fields[3], ',');
        if (std::find(members.begin(), members.end(), name) != members.end())
            account.groups.push_back(gid);
    }
    return account;
}

std::vector<std::string> environment_for(const Account& account, const Program& program) {
    std::map<std::string, std::string> all{
        {"PATH", account.uid == 0
                     ? "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
                     : account.home + "/.local/bin:/usr/local/bin:/usr/bin:/bin:/usr/games"},
        {"HOME", account.home},
        {"USER", account.name},
        {"LOGNAME", account.name},
        {"SHELL", account.shell},
        {"XDG_RUNTIME_DIR", "/run/user/" + std::to_string(account.uid)}};
    for (const auto& [name, value] : program.environment)
        all[name] = value;
    std::vector<std::string> lines;
    lines.reserve(all.size());
    for (const auto& [name, value] : all)
        lines.push_back(name + "=" + value);
    return lines;
}

std::string find_in_path(const std::string& name, const std::vector<std::string>& environment) {
    if (name.find('/') != std::string::npos)
        return name;
    std::string path;
    for (const auto& line : environment)
        if (line.starts_with("PATH="))
            path = line.substr(5);
    for (std::size_t from = 0; from <= path.size();) {
        const auto to = std::min(path.find(':', from), path.size());
        const auto candidate = path.substr(from, to - from) + "/" + name;
        from = to + 1;
        struct stat status{};
        if (::stat(candidate.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
            (status.st_mode & 0111) != 0)
            return candidate;
    }
    return "";
}

} // namespace baton::player
