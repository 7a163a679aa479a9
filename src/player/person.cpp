#include "player/person.h"

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <pwd.h>
#include <unistd.h>

namespace baton::player {

Person person_here() {
    Person person{::getuid(), ::getgid(), ""};
    if (person.uid == 0) {
        for (const char* name : {"SUDO_UID", "PKEXEC_UID"}) {
            const char* text = std::getenv(name); // NOLINT(concurrency-mt-unsafe): one thread
            uid_t uid = 0;
            if (text != nullptr && *text != '\0' &&
                std::from_chars(text, text + std::strlen(text), uid).ec == std::errc{}) {
                person.uid = uid;
                break;
            }
        }
    }
    if (const auto* entry = ::getpwuid(person.uid)) { // NOLINT(concurrency-mt-unsafe): one thread
        person.gid = entry->pw_gid;
        person.home = entry->pw_dir;
    }
    return person;
}

} // namespace baton::player
