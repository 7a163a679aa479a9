#include "player/blueprint.h"

#include "player/mounts.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace baton::player {

namespace {

constexpr unsigned first_person = 1000;
constexpr unsigned nobody = 65534;

/// Merged into /usr on every system of today, folders of their own on older ones.
constexpr std::array<const char*, 6> top_names{"bin", "sbin", "lib", "lib32", "lib64", "libx32"};

std::vector<std::string> fields_of(std::string_view line) {
    std::vector<std::string> fields;
    for (std::size_t from = 0; from <= line.size();) {
        const auto to = std::min(line.find(':', from), line.size());
        fields.emplace_back(line.substr(from, to - from));
        from = to + 1;
    }
    return fields;
}

/// Lines of passwd or group that are a program's: name, then the fields.
std::vector<std::vector<std::string>> programs_in(std::string_view text, const std::string& owner) {
    std::vector<std::vector<std::string>> lines;
    while (!text.empty()) {
        const auto stop = std::min(text.find('\n'), text.size());
        auto fields = fields_of(text.substr(0, stop));
        text.remove_prefix(std::min(stop + 1, text.size()));
        unsigned id = 0;
        if (fields.size() < 4 || fields[0].empty() || fields[0] == owner)
            continue;
        const auto& number = fields[2];
        const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), id);
        if (error == std::errc{} && end == number.data() + number.size() &&
            (id < first_person || id == nobody))
            lines.push_back(std::move(fields));
    }
    return lines;
}

} // namespace

Result<void> survey_base(int root, Blueprint& blueprint) {
    for (const char* name : top_names) {
        struct stat status{};
        if (::fstatat(root, name, &status, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        if (S_ISDIR(status.st_mode)) {
            blueprint.policy.rules["/" + std::string(name)] = {Rule::copy_on_write, "", {}};
            continue;
        }
        std::array<char, 256> target{};
        const auto length = ::readlinkat(root, name, target.data(), target.size());
        if (length > 0)
            blueprint.links.emplace_back(
                name, std::string(target.data(), static_cast<std::size_t>(length)));
    }
    for (const auto& [path, rule] : blueprint.policy.rules) {
        if (rule.rule != Rule::copy_on_write)
            continue;
        if (auto folder = open_folder_beneath(root, path.substr(1), "the base"))
            blueprint.layers.push_back(path);
    }
    if (blueprint.layers.empty())
        return fail(Errc::not_found, "there is no system here to lay a desk over",
                    "name the folder of a whole system");
    return {};
}

Accounts accounts_for(std::string_view base_passwd, std::string_view base_group,
                      const std::string& owner, unsigned uid, unsigned gid) {
    Accounts accounts;
    const auto person = std::to_string(uid) + ":" + std::to_string(gid);
    for (const auto& fields : programs_in(base_passwd, owner)) {
        if (fields.size() < 7)
            continue;
        accounts.passwd += fields[0] + ":x:" + fields[2] + ":" + fields[3] + ":" + fields[4] + ":" +
                           fields[5] + ":" + fields[6] + "\n";
        accounts.shadow += fields[0] + ":*:19000:0:99999:7:::\n";
    }
    accounts.passwd += owner + ":x:" + person + "::/home/" + owner + ":/bin/bash\n";
    accounts.shadow += owner + ":*:19000:0:99999:7:::\n";
    for (const auto& fields : programs_in(base_group, owner)) {
        // who of the PC's people is in a group is nobody's business here
        accounts.group += fields[0] + ":x:" + fields[2] + ":\n";
        accounts.gshadow += fields[0] + ":*::\n";
    }
    accounts.group += owner + ":x:" + std::to_string(gid) + ":\n";
    accounts.gshadow += owner + ":*::\n";
    return accounts;
}

} // namespace baton::player
