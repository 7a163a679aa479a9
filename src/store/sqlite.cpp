#include "store/sqlite.h"

#include <fmt/format.h>

#include <cerrno>
#include <chrono>
#include <fcntl.h>
#include <unistd.h>
#include <utility>

namespace baton::store::sqlite {
namespace {

/// How long a call waits for another process that has the file locked.
constexpr std::chrono::milliseconds busy_timeout{1'000};

Errc kind_of(int code) {
    switch (code & 0xff) {
    case SQLITE_FULL:
        return Errc::full;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return Errc::corrupt;
    case SQLITE_CONSTRAINT:
        return Errc::conflict;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return Errc::busy;
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_READONLY:
        return Errc::forbidden;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        return Errc::io;
    default:
        return Errc::internal;
    }
}

std::string hint_of(Errc kind, const Words& words) {
    switch (kind) {
    case Errc::full:
        return std::string(words.full);
    case Errc::corrupt:
        return std::string(words.damaged);
    case Errc::busy:
        return std::string(words.in_use);
    case Errc::forbidden:
        return std::string(words.denied);
    default:
        return {};
    }
}

} // namespace

const Words state_words{
    .what = "the state database",
    .full = "free some space on the file system of the state database; nothing was changed",
    .damaged = "stop batond, put the damaged file aside, restore it from a backup (baton restore) "
               "or rescue it with: sqlite3 FILE .recover",
    .in_use = "another process has it open: only one batond may run on a state database",
    .denied = "the state database and its directory must be writable by batond's user"};

tl::unexpected<Error> failure(sqlite3* handle, int code, std::string_view doing,
                              const Words& words) {
    const auto kind = kind_of(code);
    const std::string reason = handle != nullptr ? sqlite3_errmsg(handle) : sqlite3_errstr(code);
    return fail(kind, fmt::format("{}: {}", doing, reason), hint_of(kind, words), code);
}

Result<void> Statement::bind(int index, std::int64_t value) {
    if (const int code = sqlite3_bind_int64(handle_.get(), index, value); code != SQLITE_OK)
        return failure(database_, code, fmt::format("cannot write to {}", words_->what), *words_);
    return {};
}

Result<void> Statement::bind(int index, std::string_view value) {
    // A null pointer would be NULL, and an empty text is not NULL.
    const char* data = value.data() != nullptr ? value.data() : "";
    const int code = sqlite3_bind_text64(handle_.get(), index, data, value.size(),
                                         nullptr /* SQLITE_STATIC */, SQLITE_UTF8);
    if (code != SQLITE_OK)
        return failure(database_, code, fmt::format("cannot write to {}", words_->what), *words_);
    return {};
}

Result<void> Statement::bind_bytes(int index, std::string_view value) {
    const int code = sqlite3_bind_blob64(handle_.get(), index, value.data(), value.size(),
                                         nullptr /* SQLITE_STATIC */);
    if (code != SQLITE_OK)
        return failure(database_, code, fmt::format("cannot write to {}", words_->what), *words_);
    return {};
}

Result<void> Statement::bind_nothing(int index) {
    if (const int code = sqlite3_bind_null(handle_.get(), index); code != SQLITE_OK)
        return failure(database_, code, fmt::format("cannot write to {}", words_->what), *words_);
    return {};
}

Result<bool> Statement::step() {
    const int code = sqlite3_step(handle_.get());
    if (code == SQLITE_ROW)
        return true;
    if (code == SQLITE_DONE)
        return false;
    return failure(database_, code, fmt::format("{} failed", words_->what), *words_);
}

void Statement::reset() {
    sqlite3_reset(handle_.get());
    sqlite3_clear_bindings(handle_.get());
}

std::int64_t Statement::integer(int column) const {
    return sqlite3_column_int64(handle_.get(), column);
}

std::string Statement::text(int column) const {
    return std::string(bytes(column));
}

std::string_view Statement::bytes(int column) const {
    const auto* data = static_cast<const char*>(sqlite3_column_blob(handle_.get(), column));
    const int size = sqlite3_column_bytes(handle_.get(), column);
    return data != nullptr ? std::string_view(data, static_cast<std::size_t>(size))
                           : std::string_view();
}

int Statement::columns() const {
    return sqlite3_column_count(handle_.get());
}

Result<Database> Database::open(const std::string& path, const Words& words, Mode mode) {
    // Made here and not by SQLite, because it holds password hashes: nobody else may read it.
    const int flags = mode == Mode::make       ? O_RDWR | O_CREAT
                      : mode == Mode::existing ? O_RDWR
                                               : O_RDONLY;
    const int file = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
    if (file < 0)
        return fail_errno(errno, fmt::format("cannot open {} {}", words.what, path),
                          mode == Mode::make ? std::string(words.denied) : std::string());
    ::close(file);

    sqlite3* raw = nullptr;
    const int code =
        sqlite3_open_v2(path.c_str(), &raw,
                        (mode == Mode::read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE) |
                            SQLITE_OPEN_NOMUTEX,
                        nullptr);
    Database database;
    database.handle_.reset(raw);
    database.words_ = &words;
    if (code != SQLITE_OK)
        return failure(raw, code, fmt::format("cannot open {} {}", words.what, path), words);
    sqlite3_extended_result_codes(raw, 1);
    sqlite3_busy_timeout(raw, static_cast<int>(busy_timeout.count()));
    return database;
}

Result<Statement> Database::prepare(const std::string& sql) {
    sqlite3_stmt* raw = nullptr;
    const int code = sqlite3_prepare_v3(handle_.get(), sql.c_str(), static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
    if (code != SQLITE_OK)
        return failure(handle_.get(), code, fmt::format("{} cannot be read", words_->what),
                       *words_);
    return Statement(handle_.get(), raw, *words_);
}

Result<void> Database::execute(const std::string& sql) {
    const int code = sqlite3_exec(handle_.get(), sql.c_str(), nullptr, nullptr, nullptr);
    if (code != SQLITE_OK)
        return failure(handle_.get(), code, fmt::format("{} failed", words_->what), *words_);
    return {};
}

Result<std::string> Database::ask(const std::string& sql) {
    auto statement = prepare(sql);
    if (!statement)
        return tl::unexpected(statement.error());
    const auto row = statement->step();
    if (!row)
        return tl::unexpected(row.error());
    return *row ? statement->text(0) : std::string();
}

std::int64_t Database::last_row_id() const {
    return sqlite3_last_insert_rowid(handle_.get());
}

int Database::changes() const {
    return sqlite3_changes(handle_.get());
}

bool Database::in_transaction() const {
    return sqlite3_get_autocommit(handle_.get()) == 0;
}

Result<Transaction> Transaction::begin(Database& database) {
    BATON_TRY(database.execute("BEGIN IMMEDIATE"));
    return Transaction(database);
}

Transaction::Transaction(Transaction&& other) noexcept
    : database_(std::exchange(other.database_, nullptr)) {}

Transaction::~Transaction() {
    // After some errors (a full disk) SQLite has rolled back by itself.
    if (database_ != nullptr && database_->in_transaction())
        static_cast<void>(database_->execute("ROLLBACK"));
}

Result<void> Transaction::commit() {
    BATON_TRY(database_->execute("COMMIT"));
    database_ = nullptr;
    return {};
}

} // namespace baton::store::sqlite
