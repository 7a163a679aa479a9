#pragma once

#include "model/error.h"
#include "player/policy.h"

#include <string>
#include <vector>

namespace baton::player {

/// Everything that an environment is made from, known before the first namespace is there.
struct Blueprint {
    Policy policy;                                          ///< with network as asked for
    std::string base;                                       ///< the folder in cow/
    std::vector<std::string> layers;                        ///< copy-on-write paths of the base
    std::vector<std::pair<std::string, std::string>> links; ///< "bin" -> "usr/bin"
    std::string owner;                                      ///< the desk's person
    std::string host_name;                                  ///< inside
    std::string machine_id;                                 ///< inside: 32 hex digits
    std::string resolver;                                   ///< resolv.conf
    bool operator==(const Blueprint&) const = default;
};

/// The copy-on-write paths that the base under `root` has, and the links of its top folder. A path
/// like /bin that is a real folder in an old system becomes copy-on-write as /usr is; the policy
/// of the blueprint gains its rule.
Result<void> survey_base(int root, Blueprint& blueprint);

/// The desk's own accounts over a base: the base's accounts of programs (ids under 1000, and
/// nobody), no person of the PC, and the owner. Pure.
struct Accounts {
    std::string passwd;
    std::string group;
    std::string shadow;
    std::string gshadow;
};

Accounts accounts_for(std::string_view base_passwd, std::string_view base_group,
                      const std::string& owner, unsigned uid, unsigned gid);

} // namespace baton::player
