#pragma once

#include "history/samples.h"
#include "history/sql.h"

#include <map>
#include <set>
#include <unordered_map>

namespace baton::history {

/// Who is in the database, as this process knows it: written through.
class Directory {
  public:
    struct Known {
        Subject subject;
        std::string session; ///< that it serves now
        Seconds rolled = 0;  ///< the hour (since 1970) up to which it is rolled up
    };

    Result<void> load(Sql& sql);
    /// In a transaction of its own when something is new; none otherwise.
    Result<std::vector<std::int64_t>> enrol(Sql& sql, const monitor::Reading& reading);
    /// In the caller's transaction.
    Result<void> forget(Sql& sql, std::int64_t subject);

    [[nodiscard]] std::map<std::int64_t, Known>& all() { return known_; }

  private:
    using Key = std::pair<Kind, std::string>;

    Result<void> write(Sql& sql, const Subject& wanted, const std::string& session);
    Result<std::int64_t> insert(Sql& sql, const Subject& wanted);
    Result<void> mark_gone(Sql& sql, const std::string& host, const std::set<std::int64_t>& there);
    [[nodiscard]] const Known* find(const Subject& subject) const;
    [[nodiscard]] bool up_to_date(const Subject& subject, const std::string& session) const;

    std::map<std::int64_t, Known> known_;
    std::unordered_map<std::string, std::int64_t> ids_;
};

} // namespace baton::history
