#pragma once

#include "history/pack.h"
#include "model/error.h"
#include "model/types.h"
#include "monitor/rates.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

/// The port that keeps samples: the `samples` database, apart from `state`. It may lose its last
/// two seconds. Adapters: SQLite (default), MariaDB. docs/formats/samples.md.
namespace baton::history {

using Seconds = std::int64_t; ///< since 1970-01-01 UTC

inline Seconds seconds_of(WallTime time) {
    return std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
}

enum class Kind : std::uint8_t { host, desktop };

/// A host or a desktop that samples are of.
struct Subject {
    std::int64_t id = 0; ///< in this database
    Kind kind = Kind::host;
    std::string key;    ///< HostIP, or UUID
    std::string name;   ///< HostName, or the domain's name
    std::string host;   ///< desktops: HostIP of where it was last
    std::string handle; ///< HostId or DesktopId; empty: a VM that is not Baton's
    std::string state;  ///< desktops: "running", ...
    Seconds first_seen = 0, last_seen = 0;
    bool operator==(const Subject&) const = default;
};

/// Which desktop a session had, and when.
struct Stay {
    std::string session;
    std::int64_t subject = 0;
    Seconds since = 0, until = 0;
    bool operator==(const Stay&) const = default;
};

/// Who a session is of, as the controller knows it.
struct Person {
    std::string session;
    std::string user;
    std::string image;
    Seconds connected = 0; ///< LCT of the paper's T3; 0 = not yet
    bool operator==(const Person&) const = default;
};

/// One compact sample on its way into the database.
struct Sample {
    std::int64_t subject = 0;
    Seconds at = 0;
    Row row;
};

struct Point {
    Seconds at = 0; ///< of a roll-up: its first second
    RollUp values;  ///< of 1 s: rows = 1 and all four alike
    bool operator==(const Point&) const = default;
};

enum class Resolution : std::uint8_t { second, minute, hour };

/// Seconds that one point of it stands for.
Seconds length_of(Resolution resolution);

struct Retention {
    std::chrono::seconds seconds = std::chrono::hours(48);
    std::chrono::seconds minutes = std::chrono::hours(24 * 30);
    std::chrono::seconds hours = std::chrono::hours(24 * 365 * 2);
    /// The database does not grow over this: what was kept at 1 s goes earlier instead.
    std::int64_t most_bytes = std::int64_t{16} << 30;
};

struct Size {
    std::int64_t used_bytes = 0; ///< without pages that are free for reuse
    std::int64_t file_bytes = 0; ///< SQLite: the file; MariaDB: what its tables take
    Seconds oldest_second = 0;   ///< at 1 s; 0: nothing yet
};

/// What tend() has done.
struct Tended {
    int minutes_packed = 0;
    int minutes_waiting = 0; ///< over its limit: call again
    int hours_rolled = 0;
    bool shortened = false; ///< most_bytes made it forget 1 s samples early
};

/// Thread rules: any thread; calls are serialized inside. Errc::full: no space left;
/// Errc::unavailable: the server cannot be reached; both may go through later, the next call tries
/// to connect again by itself.
class Samples {
  public:
    virtual ~Samples() = default;

    /// The numbers under which these subjects are kept; new ones get one, what changed (name, host,
    /// state, session) is written. In the order: the host, then its desktops.
    virtual Result<std::vector<std::int64_t>> enrol(const monitor::Reading& reading) = 0;
    /// One commit. A second sample of a subject in the same second replaces the first.
    virtual Result<void> append(std::span<const Sample> samples) = 0;
    /// Who has a session (from the controller). Replaces what was known.
    virtual Result<void> annotate(const Person& person) = 0;
    /// What is due: packs minutes that are over, rolls up, forgets what is too old. At most
    /// `most_minutes` minutes in one call, one commit each.
    virtual Result<Tended> tend(Seconds now, int most_minutes) = 0;

    virtual Result<std::vector<Subject>> subjects() = 0;
    virtual Result<std::vector<Stay>> stays() = 0;
    virtual Result<std::vector<Person>> people() = 0;
    /// Ascending, at >= from, at < until.
    virtual Result<std::vector<Point>> read(std::int64_t subject, Seconds from, Seconds until,
                                            Resolution resolution) = 0;
    virtual Result<Size> size() = 0;
};

/// The SQLite file at `path`; made when it is not there, unless read_only. Errc::corrupt: not a
/// samples database, or damaged; Errc::conflict: made by a newer Baton.
Result<std::unique_ptr<Samples>>
open_sqlite(const std::string& path, const Retention& retention = {}, bool read_only = false);

/// "mysql://user[:password]@host[:port]/database" or
/// "mysql://user@localhost/database?socket=/run/mysqld/mysqld.sock".
Result<std::unique_ptr<Samples>>
open_mariadb(const std::string& url, const Retention& retention = {}, bool read_only = false);

/// By what `where` looks like: mysql://..., or a path.
Result<std::unique_ptr<Samples>> open(const std::string& where, const Retention& retention = {},
                                      bool read_only = false);

} // namespace baton::history
