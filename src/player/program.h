#pragma once

#include "model/error.h"

#include <boost/json/object.hpp>

#include <map>
#include <string>
#include <vector>

namespace baton::player {

/// A program to run inside a desk.
struct Program {
    std::vector<std::string> words; ///< empty: the user's login shell
    std::string user;               ///< a name of the desk's /etc/passwd; empty: the desk's owner
    std::string folder;             ///< to start in; empty: the user's home
    std::map<std::string, std::string> environment; ///< beside what every session has
    bool desktop = false;  ///< no words: the desk's own desktop (DesktopStart) instead of a shell
    bool terminal = false; ///< a terminal of the desk's own: its other end is given to the caller
    unsigned rows = 24;
    unsigned columns = 80;
    bool operator==(const Program&) const = default;
};

boost::json::object to_words(const Program& program);
/// Errc::internal.
Result<Program> program_from(const boost::json::object& words);

/// A line of passwd, with the groups that the user is in besides.
struct Account {
    std::string name;
    unsigned uid = 0;
    unsigned gid = 0;
    std::string home;
    std::string shell;
    std::vector<unsigned> groups;
};

/// By name, in the text of a passwd and a group file. Pure. Errc::not_found.
Result<Account> find_account(std::string_view passwd, std::string_view group,
                             const std::string& name);

/// Becomes the desk's own desktop: called inside, as the account, between fork and exec. Returns
/// only when it cannot, with the reason.
using DesktopStart = std::string (*)(const Account&, const std::vector<std::string>& environment);

/// What a program finds in its environment: nothing of the PC's but what the caller adds. "A=b".
std::vector<std::string> environment_for(const Account& account, const Program& program);

/// The program that PATH of `environment` ("PATH=...") has for a name; empty: none. A name with a
/// '/' is itself.
std::string find_in_path(const std::string& name, const std::vector<std::string>& environment);

} // namespace baton::player
