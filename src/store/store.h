#pragma once

#include "model/error.h"
#include "model/types.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

/// The port that keeps what must never be lost (`state`: synchronous FULL). Adapters: SQLite
/// (default), memory (tests, with fault injection). MariaDB follows with the monitor's samples.
namespace baton::store {

struct UserRow {
    UserName name;
    Role role = Role::user;
    std::string password_hash; ///< libsodium's Argon2id string; empty = cannot log in
    bool disabled = false;
    WallTime created{};
    bool operator==(const UserRow&) const = default;
};

struct HostRow {
    HostId id;
    std::string address;
    Mebibytes memory;
    Mebibytes reserve;
    bool draining = false;
    bool joined = false;
    std::string certificate_sha256; ///< of its client certificate, lower-case hex
    std::string facts_json;         ///< the last HostFacts, for `baton host show`
    WallTime last_seen{};
    bool operator==(const HostRow&) const = default;
};

/// A gateway that has joined.
struct GatewayRow {
    GatewayId id;
    std::string address; ///< where viewers reach it, as it was given
    bool draining = false;
    std::string certificate_sha256; ///< lower-case hex
    WallTime joined{};
    bool operator==(const GatewayRow&) const = default;
};

/// A PC without a disk that has said that it is up: an inventory, and a claim in every column but
/// the address and the times.
struct ClientRow {
    std::string mac;     ///< "52:54:00:99:00:01", lower case: the key
    std::string uuid;    ///< of its mainboard (SMBIOS); empty: none told
    std::string address; ///< IPv4, as the connection shows it
    Mebibytes memory;
    std::string image;        ///< the client image that it runs
    std::string firmware;     ///< "bios" or "uefi"
    std::string timings_json; ///< of its last start: milliseconds by phase
    std::uint64_t boots = 0;  ///< how often it has been heard
    WallTime first_seen{};
    WallTime last_seen{};
    UserName user;        ///< whose PC it is, as an operator said; empty: anybody's
    OsImageId os_image;   ///< what a desktop of it runs, as an operator said; empty: as elsewhere
    bool guest = false;   ///< for guests: it opens sessions without a desk by itself
    SessionId prestarted; ///< opened because it was up, and nobody has come yet; empty: none
    bool operator==(const ClientRow&) const = default;
};

enum class DeskState : std::uint8_t { ok, damaged, checked_out };

struct DeskRow {
    DeskName name;
    DeskId id;
    UserName owner;
    std::int64_t size_bytes = 0;
    DeskState state = DeskState::ok;
    FencingNumber fence; ///< the last number given out; a commit that takes it back is refused
    SessionId holder;    ///< empty = nobody
    WallTime created{};
    std::string away_to; ///< checked_out: the place, as the desk server has it; else empty
    UserName away_by;    ///< who took it away; empty: not through this controller
    WallTime away_since{};
    bool operator==(const DeskRow&) const = default;
};

enum class SessionPhase : std::uint8_t {
    waiting, ///< planned, not started: waits for the memory that a handoff frees
    opening, ///< first desktop being prepared
    serving,
    handing_off,
    closing,
    closed, ///< kept for history, until it is pruned; `ended_because` says why
};

struct SessionRow {
    SessionId id;
    UserName user;
    DeskName desk; ///< empty: a guest session without a desk
    OsImageId image;
    SessionPhase phase = SessionPhase::waiting;
    RouteKind route = RouteKind::nat;
    std::string client;            ///< of nat: IPv4 address; empty: no route wanted
    std::uint16_t listen_port = 0; ///< of nat: on the boot server; 0 = no route
    DesktopId desktop;             ///< the one that holds the desk (or is getting it first)
    std::uint64_t joined = 0;      ///< order of joining
    std::string screen_password;
    WallTime screen_password_until{};
    bool grow_wanted = false;
    bool deferred = false; ///< has said its one "not now"; a finished handoff gives it another
    std::string ended_because;
    WallTime created{};
    bool operator==(const SessionRow&) const = default;
};

enum class DesktopPhase : std::uint8_t { planned, starting, ready, stopping, gone };

struct DesktopRow {
    DesktopId id;
    SessionId session;
    HostId host;
    Mebibytes memory;
    OsImageId image;
    DesktopPhase phase = DesktopPhase::planned;
    Endpoint screen;
    std::string screen_ticket; ///< of a session with route gateway: opens the screen at its host
    bool operator==(const DesktopRow&) const = default;
};

/// The journal of handoff.md: one row per open, handoff or close under way. Written before each
/// step.
enum class MoveKind : std::uint8_t { open, handoff, close };
enum class MovePhase : std::uint8_t {
    planned,    ///< waits for its memory
    preparing,  ///< `to` is being started and must say ready
    announcing, ///< the person has been told; grace period
    releasing,  ///< `from` ends the session, unmounts, lets go of the disk
    leasing,    ///< the desk's lease moves to `fence`: from here only forward
    attaching,  ///< `to` plugs in and mounts
    routing,    ///< the route is re-pointed
    draining,   ///< `from` is stopped
    returning,  ///< rolling back: the desk is given back to `from`
    done,
    failed,
};

struct MoveRow {
    std::uint64_t id = 0; ///< 0: the store gives the next number at commit
    SessionId session;
    MoveKind kind = MoveKind::open;
    MovePhase phase = MovePhase::planned;
    DesktopId from;      ///< empty for open
    DesktopId to;        ///< empty for close
    FencingNumber fence; ///< the number that `to` gets (open, handoff)
    std::string reason;  ///< why: "user 9 joins", "grow", "drain host1"
    std::string error;   ///< of failed
    WallTime started{};
    bool operator==(const MoveRow&) const = default;
};

/// What happened, for `baton events`. Append only; the oldest are pruned.
struct EventRow {
    std::uint64_t seq = 0; ///< given by the store
    WallTime at{};
    std::string kind;      ///< "session.opened", "handoff.done", "host.lost", ...
    std::string subject;   ///< an id
    std::string text;      ///< one sentence for a person
    std::string data_json; ///< figures for programs: {"interruption_ms": ...}
    bool operator==(const EventRow&) const = default;
};

/// Secrets are kept as SHA-256 of the token, never as they are.
struct TokenRow {
    std::string token_sha256;
    enum class Kind : std::uint8_t { api, host_invite, gateway_invite } kind = Kind::api;
    std::string subject; ///< name of a user, host or gateway
    WallTime expires{};  ///< epoch = never
    bool operator==(const TokenRow&) const = default;
};

/// One atomic change. Rows are inserted or replaced by their key.
struct Change {
    std::vector<UserRow> users;
    std::vector<HostRow> hosts;
    std::vector<GatewayRow> gateways;
    std::vector<ClientRow> clients;
    std::vector<DeskRow> desks;
    std::vector<SessionRow> sessions;
    std::vector<DesktopRow> desktops;
    std::vector<MoveRow> moves;
    std::vector<EventRow> events;
    std::vector<TokenRow> tokens;
    std::vector<std::pair<std::string, std::string>> settings;

    std::vector<HostId> removed_hosts;
    std::vector<GatewayId> removed_gateways;
    std::vector<std::string> removed_clients; ///< by MAC address
    std::vector<DeskName> removed_desks;
    std::vector<DesktopId> removed_desktops;
    std::vector<std::uint64_t> removed_moves;
    std::vector<std::string> removed_tokens;
};

/// What history may be taken away: everything older than a moment that nothing refers to.
struct Bounds {
    /// Of events: older than this go. Epoch: none for their age. The oldest that is not older ends
    /// the search, so that what stays is the log's end without a hole, whatever the clock did.
    WallTime events_before{};
    std::uint64_t events_kept = 0; ///< and the newest so many stay, no more; 0: any number
    /// Of ended moves (by their start), and of closed sessions that began before and have no move
    /// left: a session stays for as long as the move that closed it. Epoch: none.
    WallTime sessions_before{};
    std::size_t rows = 200; ///< at most so many at once, all kinds together

    bool operator==(const Bounds&) const = default;
};

struct Pruned {
    std::size_t events = 0;
    std::size_t moves = 0;
    std::size_t sessions = 0;
    bool more = false; ///< the bound of rows was reached: there may be more to take away

    bool operator==(const Pruned&) const = default;
};

/// Thread rules: any thread; calls are serialized inside. After commit() returned success, the
/// change survives kill -9 and power loss.
class Store {
  public:
    virtual ~Store() = default;

    /// All or nothing. On success the rows' given numbers (MoveRow::id, EventRow::seq) are filled
    /// in. Errc::full and Errc::io leave the store as it was; so does Errc::conflict: a DeskRow
    /// whose fence is smaller than the stored one (somebody wrote from an old copy; read it again).
    virtual Result<void> commit(Change& change) = 0;

    /// One transaction, short by its bound of rows; all or nothing as commit(). Takes away old
    /// history and nothing else: never the newest event (its number says where the log ends), a
    /// move under way, a session that is not closed, or one that a move, a desktop or a desk names.
    /// Numbers that were given are not given again. The space is used again; the file does not
    /// shrink.
    virtual Result<Pruned> prune(const Bounds& bounds) = 0;

    virtual Result<std::vector<UserRow>> users() = 0;
    virtual Result<std::optional<UserRow>> user(const UserName& name) = 0;
    virtual Result<std::vector<HostRow>> hosts() = 0;
    virtual Result<std::vector<GatewayRow>> gateways() = 0;
    /// Ordered by MAC address.
    virtual Result<std::vector<ClientRow>> clients() = 0;
    virtual Result<std::vector<DeskRow>> desks() = 0;
    virtual Result<std::optional<DeskRow>> desk(const DeskName& name) = 0;
    /// Without closed ones unless asked; ordered by `joined`.
    virtual Result<std::vector<SessionRow>> sessions(bool closed_too) = 0;
    virtual Result<std::vector<DesktopRow>> desktops() = 0;
    /// Neither done nor failed, ordered by id, unless asked for all.
    virtual Result<std::vector<MoveRow>> moves(bool ended_too) = 0;
    /// With seq > after, at most `limit`, in order.
    virtual Result<std::vector<EventRow>> events(std::uint64_t after, std::size_t limit) = 0;
    virtual Result<std::vector<TokenRow>> tokens() = 0;
    virtual Result<std::optional<std::string>> setting(const std::string& key) = 0;
};

/// Opens or makes the SQLite database at `path` and brings its schema up to date (migrations, one
/// transaction each). Errc::corrupt: not a database, or damaged; Errc::conflict: made by a newer
/// Baton.
Result<std::unique_ptr<Store>> open_sqlite(const std::string& path);

/// In memory; store/memory.h has the one with faults.
std::unique_ptr<Store> make_memory_store();

} // namespace baton::store
