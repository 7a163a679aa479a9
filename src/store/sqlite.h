#pragma once

#include "model/error.h"

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

/// A thin layer over SQLite's C interface: ownership and errors, nothing else. Not thread-safe.
namespace baton::store::sqlite {

struct CloseDatabase {
    void operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
};

struct Finalize {
    void operator()(sqlite3_stmt* handle) const { sqlite3_finalize(handle); }
};

/// What messages say of the database and of the way out; texts that live forever.
struct Words {
    std::string_view what;    ///< "the state database"
    std::string_view full;    ///< hint for Errc::full
    std::string_view damaged; ///< hint for Errc::corrupt
    std::string_view in_use;  ///< hint for Errc::busy
    std::string_view denied;  ///< hint for Errc::forbidden
};

extern const Words state_words;

/// The last error of `handle` as a value. Full disk: Errc::full; damaged: Errc::corrupt; a broken
/// constraint: Errc::conflict; locked by another process: Errc::busy.
tl::unexpected<Error> failure(sqlite3* handle, int code, std::string_view doing,
                              const Words& words = state_words);

/// A prepared statement. Bound text must live until the next reset.
class Statement {
  public:
    Statement(sqlite3* database, sqlite3_stmt* handle, const Words& words = state_words)
        : database_(database), handle_(handle), words_(&words) {}

    Result<void> bind(int index, std::int64_t value);
    Result<void> bind(int index, std::string_view value);
    Result<void> bind_bytes(int index, std::string_view value); ///< as a BLOB
    Result<void> bind_nothing(int index);                       ///< NULL
    /// true: a row is there; false: done.
    Result<bool> step();
    void reset();

    [[nodiscard]] std::int64_t integer(int column) const;
    [[nodiscard]] std::string text(int column) const;
    /// Text or BLOB in place: until the next step or reset.
    [[nodiscard]] std::string_view bytes(int column) const;
    [[nodiscard]] int columns() const;

  private:
    sqlite3* database_;
    std::unique_ptr<sqlite3_stmt, Finalize> handle_;
    const Words* words_;
};

class Database {
  public:
    enum class Mode : std::uint8_t { make, existing, read_only };

    /// Opens or makes the file (mode 0600).
    static Result<Database> open(const std::string& path, const Words& words = state_words,
                                 Mode mode = Mode::make);

    Result<Statement> prepare(const std::string& sql);
    /// Runs statements that give no rows.
    Result<void> execute(const std::string& sql);
    /// The first column of the first row.
    Result<std::string> ask(const std::string& sql);
    [[nodiscard]] std::int64_t last_row_id() const;
    [[nodiscard]] int changes() const;
    [[nodiscard]] bool in_transaction() const;

  private:
    std::unique_ptr<sqlite3, CloseDatabase> handle_;
    const Words* words_ = &state_words;
};

/// BEGIN IMMEDIATE; rolled back when it goes without commit().
class Transaction {
  public:
    static Result<Transaction> begin(Database& database);
    Transaction(Transaction&& other) noexcept;
    Transaction& operator=(Transaction&&) = delete;
    ~Transaction();
    Result<void> commit();

  private:
    explicit Transaction(Database& database) : database_(&database) {}

    Database* database_;
};

} // namespace baton::store::sqlite
