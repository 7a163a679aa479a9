#pragma once

#include "deskserver/server.h"
#include "model/error.h"
#include "net/http.h"

#include <string>
#include <string_view>

namespace baton::deskd {

/// What baton-deskd is told to be (docs/desk-server.md names every key).
struct Config {
    net::ServerSettings listen;
    std::string caller = "controller"; ///< the only certificate name that may call
    unsigned workers = 8;              ///< calls that may be under way at once
    deskserver::Settings desks;
    std::string log_level = "info";
};

/// The error names file, line and key.
Result<Config> parse_config(std::string_view text, const std::string& file);
Result<Config> read_config(const std::string& file);

} // namespace baton::deskd
