#include "history/mariadb_url.h"
#include "history/sql_samples.h"

#include <fmt/format.h>

#include <charconv>
#include <errmsg.h>
#include <mysql.h>
#include <mysqld_error.h>
#include <unordered_map>

namespace baton::history {
namespace {

constexpr unsigned connect_timeout_s = 5;
constexpr unsigned answer_timeout_s = 30;

struct CloseConnection {
    void operator()(MYSQL* handle) const { mysql_close(handle); }
};

struct CloseStatement {
    void operator()(MYSQL_STMT* handle) const { mysql_stmt_close(handle); }
};

using OwnedStatement = std::unique_ptr<MYSQL_STMT, CloseStatement>;

Errc kind_of(unsigned code) {
    switch (code) {
    case CR_SERVER_GONE_ERROR:
    case CR_SERVER_LOST:
    case CR_CONNECTION_ERROR:
    case CR_CONN_HOST_ERROR:
    case ER_SERVER_SHUTDOWN:
    case ER_CONNECTION_KILLED:
        return Errc::unavailable;
    case ER_ACCESS_DENIED_ERROR:
    case ER_DBACCESS_DENIED_ERROR:
    case ER_TABLEACCESS_DENIED_ERROR:
        return Errc::forbidden;
    case ER_BAD_DB_ERROR:
    case ER_NO_SUCH_TABLE:
        return Errc::not_found;
    case ER_RECORD_FILE_FULL:
    case ER_DISK_FULL:
        return Errc::full;
    case ER_LOCK_WAIT_TIMEOUT:
    case ER_LOCK_DEADLOCK:
        return Errc::busy;
    default:
        return Errc::io;
    }
}

std::string hint_of(Errc kind) {
    switch (kind) {
    case Errc::unavailable:
        return "see that the MariaDB server runs and can be reached; history goes on by itself "
               "then";
    case Errc::forbidden:
        return "grant that user all rights on that database";
    case Errc::not_found:
        return "make it once: CREATE DATABASE NAME";
    case Errc::full:
        return "free some space on the server; history goes on by itself then";
    default:
        return {};
    }
}

tl::unexpected<Error> failure(unsigned code, const char* text, std::string_view doing) {
    const Errc kind = kind_of(code);
    return fail(kind, fmt::format("{}: {}", doing, text), hint_of(kind), static_cast<int>(code));
}

bool whole_number(enum_field_types type) {
    switch (type) {
    case MYSQL_TYPE_TINY:
    case MYSQL_TYPE_SHORT:
    case MYSQL_TYPE_INT24:
    case MYSQL_TYPE_LONG:
    case MYSQL_TYPE_LONGLONG:
        return true;
    default:
        return false;
    }
}

/// The columns of an answer, bound to memory of ours: numbers as numbers, the rest as bytes.
class BoundAnswer final : public Answer {
  public:
    explicit BoundAnswer(MYSQL_STMT* statement, MYSQL_RES* description) {
        const unsigned count = mysql_num_fields(description);
        const MYSQL_FIELD* fields = mysql_fetch_fields(description);
        columns_.resize(count);
        bound_.resize(count);
        for (unsigned i = 0; i < count; ++i) {
            Column& column = columns_[i];
            MYSQL_BIND& bind = bound_[i];
            bind = {};
            column.is_number = whole_number(fields[i].type);
            bind.buffer_type = column.is_number ? MYSQL_TYPE_LONGLONG : MYSQL_TYPE_BLOB;
            column.bytes.resize(fields[i].max_length);
            bind.buffer = column.is_number ? static_cast<void*>(&column.number)
                                           : static_cast<void*>(column.bytes.data());
            bind.buffer_length = column.bytes.size();
            bind.length = &column.length;
            bind.is_null = &column.is_null;
        }
        mysql_stmt_bind_result(statement, bound_.data());
    }

    [[nodiscard]] std::int64_t integer(int index) const override {
        const Column& column = columns_[static_cast<std::size_t>(index)];
        if (column.is_null != 0)
            return 0;
        if (column.is_number)
            return column.number;
        std::int64_t value = 0; // a sum is a DECIMAL, which comes as text
        const std::string_view digits = text(index);
        std::from_chars(digits.data(), digits.data() + digits.size(), value);
        return value;
    }

    [[nodiscard]] std::string_view text(int index) const override {
        const Column& column = columns_[static_cast<std::size_t>(index)];
        return column.is_null != 0 || column.is_number
                   ? std::string_view()
                   : std::string_view(column.bytes.data(), column.length);
    }

  private:
    struct Column {
        bool is_number = false;
        long long number = 0;
        std::vector<char> bytes;
        unsigned long length = 0;
        my_bool is_null = 0;
    };

    std::vector<Column> columns_;
    std::vector<MYSQL_BIND> bound_;
};

std::vector<MYSQL_BIND> bound(const std::vector<Value>& parameters) {
    std::vector<MYSQL_BIND> binds(parameters.size());
    for (std::size_t i = 0; i < parameters.size(); ++i) {
        MYSQL_BIND& bind = binds[i];
        bind = {};
        const auto set = [&](enum_field_types type, const void* data, std::size_t size) {
            bind.buffer_type = type;
            bind.buffer = const_cast<void*>(data);
            bind.buffer_length = size;
        };
        if (const auto* number = std::get_if<std::int64_t>(&parameters[i]))
            set(MYSQL_TYPE_LONGLONG, number, sizeof *number);
        else if (const auto* text = std::get_if<std::string_view>(&parameters[i]))
            set(MYSQL_TYPE_STRING, text->data(), text->size());
        else if (const auto* bytes = std::get_if<Bytes>(&parameters[i]))
            set(MYSQL_TYPE_BLOB, bytes->view.data(), bytes->view.size());
        else
            set(MYSQL_TYPE_NULL, nullptr, 0);
    }
    return binds;
}

class MariadbSql final : public Sql {
  public:
    explicit MariadbSql(MariadbUrl url) : url_(std::move(url)) {}

    [[nodiscard]] Dialect dialect() const override { return Dialect::mariadb; }

    Result<void> script(const std::string& sql) override {
        BATON_TRY(connect());
        for (std::size_t at = 0; at < sql.size();) {
            const std::size_t end = std::min(sql.find(";\n", at), sql.size());
            const std::string one = sql.substr(at, end - at);
            at = end + 2;
            if (one.find_first_not_of(" \n") == std::string::npos)
                continue;
            if (mysql_real_query(handle_.get(), one.data(), one.size()) != 0)
                return lost(failure(mysql_errno(handle_.get()), mysql_error(handle_.get()),
                                    "the samples database failed"));
        }
        return {};
    }

    Result<void> run(const std::string& sql, const std::vector<Value>& parameters,
                     const OnRow& on_row) override {
        BATON_TRY(connect());
        auto found = statements_.find(sql);
        if (found == statements_.end()) {
            OwnedStatement made(mysql_stmt_init(handle_.get()));
            if (mysql_stmt_prepare(made.get(), sql.data(), sql.size()) != 0)
                return lost(failed(made.get(), "the samples database cannot be read"));
            // so that the longest value of an answer is known before it is fetched
            my_bool on = 1;
            mysql_stmt_attr_set(made.get(), STMT_ATTR_UPDATE_MAX_LENGTH, &on);
            found = statements_.emplace(sql, std::move(made)).first;
        }
        MYSQL_STMT* statement = found->second.get();
        auto binds = bound(parameters);
        if ((!binds.empty() && mysql_stmt_bind_param(statement, binds.data()) != 0) ||
            mysql_stmt_execute(statement) != 0)
            return lost(failed(statement, "the samples database failed"));
        return fetch(statement, on_row);
    }

    Result<void> begin() override {
        BATON_TRY(connect());
        BATON_TRY(script("START TRANSACTION"));
        in_transaction_ = true;
        return {};
    }

    Result<void> commit() override {
        BATON_TRY(script("COMMIT"));
        in_transaction_ = false;
        return {};
    }

    void roll_back() override {
        if (handle_)
            static_cast<void>(script("ROLLBACK"));
        in_transaction_ = false;
    }

    bool reconnected() override {
        static_cast<void>(connect()); // what fails now is told by the call that needs it
        return std::exchange(fresh_, false);
    }

    Result<void> tidy() override { return {}; } // InnoDB uses freed pages again by itself

    Result<std::pair<std::int64_t, std::int64_t>> used_and_file_bytes() override {
        std::pair<std::int64_t, std::int64_t> bytes;
        BATON_TRY(run("SELECT CAST(SUM(data_length + index_length) AS SIGNED), "
                      "CAST(SUM(data_length + index_length + data_free) AS SIGNED) "
                      "FROM information_schema.tables WHERE table_schema = DATABASE()",
                      {}, [&](const Answer& row) { bytes = {row.integer(0), row.integer(1)}; }));
        return bytes;
    }

  private:
    static tl::unexpected<Error> failed(MYSQL_STMT* statement, std::string_view doing) {
        return failure(mysql_stmt_errno(statement), mysql_stmt_error(statement), doing);
    }

    /// A connection that is of no more use is dropped; the next call makes another one.
    tl::unexpected<Error> lost(tl::unexpected<Error> error) {
        if (error.value().code == Errc::unavailable) {
            statements_.clear();
            handle_.reset();
        }
        return error;
    }

    Result<void> fetch(MYSQL_STMT* statement, const OnRow& on_row) {
        MYSQL_RES* before = mysql_stmt_result_metadata(statement);
        if (before == nullptr)
            return {};
        mysql_free_result(before);
        if (mysql_stmt_store_result(statement) != 0)
            return lost(failed(statement, "the samples database failed"));
        MYSQL_RES* description = mysql_stmt_result_metadata(statement);
        BoundAnswer answer(statement, description);
        int status = 0;
        while ((status = mysql_stmt_fetch(statement)) == 0)
            if (on_row)
                on_row(answer);
        mysql_free_result(description);
        mysql_stmt_free_result(statement);
        if (status == 1)
            return lost(failed(statement, "the samples database failed"));
        return {};
    }

    Result<void> connect() {
        if (handle_)
            return {};
        // half of a transaction must not go on in another connection
        if (in_transaction_)
            return fail(Errc::unavailable, "the connection to the samples database was lost",
                        hint_of(Errc::unavailable));
        std::unique_ptr<MYSQL, CloseConnection> made(mysql_init(nullptr));
        mysql_options(made.get(), MYSQL_OPT_CONNECT_TIMEOUT, &connect_timeout_s);
        mysql_options(made.get(), MYSQL_OPT_READ_TIMEOUT, &answer_timeout_s);
        mysql_options(made.get(), MYSQL_OPT_WRITE_TIMEOUT, &answer_timeout_s);
        mysql_options(made.get(), MYSQL_SET_CHARSET_NAME, "utf8mb4");
        const auto text = [](const std::string& value) {
            return value.empty() ? nullptr : value.c_str();
        };
        if (mysql_real_connect(made.get(), text(url_.host), url_.user.c_str(), text(url_.password),
                               url_.database.c_str(), url_.port, text(url_.socket), 0) == nullptr)
            return failure(mysql_errno(made.get()), mysql_error(made.get()),
                           "cannot connect to the samples database " + url_.shown());
        handle_ = std::move(made);
        fresh_ = true;
        return script("SET SESSION sql_mode = 'STRICT_ALL_TABLES', time_zone = '+00:00'");
    }

    MariadbUrl url_;
    std::unique_ptr<MYSQL, CloseConnection> handle_;
    std::unordered_map<std::string, OwnedStatement> statements_; ///< gone before the connection
    bool in_transaction_ = false;
    bool fresh_ = false;
};

} // namespace

Result<std::unique_ptr<Samples>> open_mariadb(const std::string& url, const Retention& retention,
                                              bool read_only) {
    auto parsed = parse_mariadb_url(url);
    if (!parsed)
        return tl::unexpected(parsed.error());
    return open_samples(std::make_unique<MariadbSql>(std::move(*parsed)), retention, read_only);
}

} // namespace baton::history
