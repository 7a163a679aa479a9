#pragma once

#include "history/directory.h"

namespace baton::history {

/// Packs, rolls up and forgets: the housekeeping of a samples database.
class Tending {
  public:
    explicit Tending(const Retention& retention) : retention_(retention) {}

    Result<Tended> tend(Sql& sql, Directory& directory, Seconds now, int most_minutes);

  private:
    Result<void> pack(Sql& sql, Directory& directory, std::int64_t minute);
    Result<void> pack_subject(Sql& sql, Directory& directory, std::int64_t subject,
                              std::int64_t minute, std::vector<Slot> slots);
    Result<void> roll_hours(Sql& sql, Directory& directory, std::int64_t minute);
    Result<void> forget(Sql& sql, Directory& directory, std::int64_t minute);
    Result<void> watch_size(Sql& sql, std::int64_t minute);

    Retention retention_;
    double shortened_ = 1; ///< share of retention_.seconds that fits into most_bytes
    int rolled_ = 0;
};

} // namespace baton::history
