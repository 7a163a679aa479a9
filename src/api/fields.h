#pragma once

#include "model/error.h"

#include <boost/json/object.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

/// Reading what a caller sent: every field by name, with its bounds, and nothing that is not known.
namespace baton::api {

/// A request's JSON object. Read every known field, then ask for `error()`: the first thing that
/// was wrong, a field that nobody asked for included.
class Fields {
  public:
    /// Errc::invalid_argument: not JSON, nested deeper than 8, or not an object. An empty body is
    /// an empty object.
    static Result<Fields> parse(std::string_view body);

    /// `longest` in bytes. Text with control characters other than newline and tab is refused.
    std::string text(std::string_view name, std::size_t longest = 256);
    std::optional<std::string> optional_text(std::string_view name, std::size_t longest = 256);
    std::int64_t number(std::string_view name, std::int64_t least, std::int64_t most);
    std::optional<std::int64_t> optional_number(std::string_view name, std::int64_t least,
                                                std::int64_t most);
    bool flag(std::string_view name);
    std::optional<bool> optional_flag(std::string_view name);

    [[nodiscard]] Result<void> error() const;

  private:
    const boost::json::value* take(std::string_view name, bool required);
    void refuse(std::string_view name, std::string_view why);

    boost::json::object object_;
    std::set<std::string, std::less<>> known_;
    std::string problem_;
};

/// A query parameter as a number between bounds; `otherwise` when it is not there.
Result<std::int64_t> query_number(const std::map<std::string, std::string>& query,
                                  const std::string& name, std::int64_t otherwise,
                                  std::int64_t least, std::int64_t most);

/// Errc::invalid_argument naming the first query parameter that is not in `known`.
Result<void> only_query(const std::map<std::string, std::string>& query,
                        std::initializer_list<std::string_view> known);

/// A dotted-quad IPv4 address, and nothing else.
Result<void> check_ipv4(std::string_view what, std::string_view text);

} // namespace baton::api
