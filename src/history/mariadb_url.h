#pragma once

#include "model/error.h"

#include <string>

namespace baton::history {

/// mysql://USER[:PASSWORD]@HOST[:PORT]/DATABASE[?socket=PATH][&password-file=PATH]
struct MariadbUrl {
    std::string user, password, host, database, socket;
    unsigned port = 0; ///< 0: the usual one

    /// For people and logs: without the password.
    [[nodiscard]] std::string shown() const;
};

Result<MariadbUrl> parse_mariadb_url(const std::string& url);

} // namespace baton::history
