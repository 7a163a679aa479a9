#pragma once

#include "model/error.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

/// Typed access to the fields of JSON objects that came from elsewhere. Pure.
namespace baton::net {

/// Errc::invalid_argument: not JSON, nested deeper than 32, or no object. `what` begins the
/// message: "the request".
Result<boost::json::object> parse_object(std::string_view text, std::string_view what);

/// Reads fields one after the other and remembers the first that is missing, ill-typed or out of
/// range; after that it gives empty values. Unknown fields are passed over, so that newer peers
/// can say more.
///
///     Fields fields(object, "start");
///     order.memory = Mebibytes(fields.integer("memory_mib", 1, 1 << 20));
///     BATON_TRY(fields.finish());
class Fields {
  public:
    /// `object` must outlive the reader. `what` begins every message.
    Fields(const boost::json::object& object, std::string what);

    std::string text(std::string_view name);
    std::string text_or(std::string_view name, std::string fallback);
    std::int64_t integer(std::string_view name,
                         std::int64_t least = std::numeric_limits<std::int64_t>::min(),
                         std::int64_t most = std::numeric_limits<std::int64_t>::max());
    std::int64_t integer_or(std::string_view name, std::int64_t fallback,
                            std::int64_t least = std::numeric_limits<std::int64_t>::min(),
                            std::int64_t most = std::numeric_limits<std::int64_t>::max());
    std::uint64_t natural(std::string_view name); ///< 0 to 2^64 - 1
    std::uint16_t port(std::string_view name);    ///< 0 to 65535
    bool truth(std::string_view name);
    bool truth_or(std::string_view name, bool fallback);
    const boost::json::object& object(std::string_view name);
    const boost::json::array& array(std::string_view name);
    [[nodiscard]] bool has(std::string_view name) const; ///< there, and not null

    /// Something that the field's type does not say is wrong: "must be a name".
    void refuse(std::string_view name, std::string_view why);

    /// Errc::invalid_argument with what, the field's name and what it must be.
    [[nodiscard]] Result<void> finish() const;

    [[nodiscard]] bool ok() const { return !error_; }

  private:
    const boost::json::value* find(std::string_view name, std::string_view wanted);

    const boost::json::object& object_;
    std::string what_;
    std::optional<Error> error_;
};

} // namespace baton::net
