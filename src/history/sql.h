#pragma once

#include "model/error.h"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// What the samples need of a database that speaks SQL: the seam between the two adapters.
namespace baton::history {

/// A BLOB, to be told from text.
struct Bytes {
    explicit Bytes(std::string_view bytes) : view(bytes) {}

    std::string_view view;
};

/// monostate: NULL.
using Value = std::variant<std::monostate, std::int64_t, std::string_view, Bytes>;

/// One row of an answer; texts are valid until the callback returns.
class Answer {
  public:
    virtual ~Answer() = default;
    [[nodiscard]] virtual std::int64_t integer(int column) const = 0;
    [[nodiscard]] virtual std::string_view text(int column) const = 0;
};

enum class Dialect : std::uint8_t { sqlite, mariadb };

/// One connection. Not thread-safe. Statements are prepared once and kept.
class Sql {
  public:
    using OnRow = std::function<void(const Answer&)>;

    virtual ~Sql() = default;
    [[nodiscard]] virtual Dialect dialect() const = 0;
    /// Statements apart by ';' without parameters and without rows.
    virtual Result<void> script(const std::string& sql) = 0;
    /// `sql` with '?' for the parameters.
    virtual Result<void> run(const std::string& sql, const std::vector<Value>& parameters,
                             const OnRow& on_row = {}) = 0;
    virtual Result<void> begin() = 0;
    virtual Result<void> commit() = 0;
    virtual void roll_back() = 0;
    /// Connected again since the last call: what was cached may be out of date.
    virtual bool reconnected() = 0;
    /// Gives pages back that have long been free; does nothing where the database does so itself.
    virtual Result<void> tidy() = 0;
    virtual Result<std::pair<std::int64_t, std::int64_t>> used_and_file_bytes() = 0;
};

} // namespace baton::history
