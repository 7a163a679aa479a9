#include "history/mariadb_url.h"

#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>
#include <fmt/format.h>

#include <cerrno>
#include <fstream>

namespace baton::history {
namespace {

constexpr const char* hint =
    "write it as mysql://USER@HOST/DATABASE, or mysql://USER@localhost/DATABASE?socket=PATH; a "
    "password is best kept in a file: ?password-file=PATH";

Result<std::string> first_line_of(const std::string& path) {
    std::ifstream file(path);
    std::string line;
    if (!file || !std::getline(file, line))
        return fail_errno(errno, fmt::format("cannot read the password file {}", path));
    return line;
}

} // namespace

std::string MariadbUrl::shown() const {
    return fmt::format("mysql://{}@{}{}/{}{}", user, host.empty() ? "localhost" : host,
                       port != 0 ? fmt::format(":{}", port) : "", database,
                       socket.empty() ? "" : "?socket=" + socket);
}

Result<MariadbUrl> parse_mariadb_url(const std::string& url) {
    const auto parsed = boost::urls::parse_uri(url);
    if (parsed.has_error() || parsed->scheme() != "mysql")
        return fail(Errc::invalid_argument, "this is no URL of a MariaDB database", hint);
    MariadbUrl result;
    result.user = std::string(parsed->user());
    result.password = std::string(parsed->password());
    result.host = std::string(parsed->host());
    result.port = parsed->port_number();
    const auto segments = parsed->segments();
    if (segments.size() == 1)
        result.database = *segments.begin();
    if (result.user.empty() || result.database.empty())
        return fail(Errc::invalid_argument,
                    "the URL of the samples database names no user or no database", hint);
    for (const auto& parameter : parsed->params()) {
        if (parameter.key == "socket") {
            result.socket = parameter.value;
        } else if (parameter.key == "password-file") {
            auto line = first_line_of(parameter.value);
            if (!line)
                return tl::unexpected(line.error());
            result.password = std::move(*line);
        } else {
            return fail(Errc::invalid_argument,
                        fmt::format("the URL of the samples database says '{}', which is not known",
                                    parameter.key),
                        hint);
        }
    }
    return result;
}

} // namespace baton::history
