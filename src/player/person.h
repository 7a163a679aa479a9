#pragma once

#include <string>
#include <sys/types.h>

namespace baton::player {

/// Who at this PC opened the desk: who the player was started by, also through sudo or pkexec.
struct Person {
    uid_t uid = 0;
    gid_t gid = 0;
    std::string home;
    bool operator==(const Person&) const = default;
};

Person person_here();

} // namespace baton::player
