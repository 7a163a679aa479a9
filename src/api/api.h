#pragma once

#include "api/kept.h"
#include "api/latest.h"
#include "api/passwords.h"
#include "handoff/engine.h"
#include "net/http.h"
#include "osimage/manifest.h"
#include "store/store.h"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

/// The controller's HTTP API (docs/api.md). Pure of sockets: a net::Request goes in, a
/// net::Response comes out; everything else is injected.
namespace baton::api {

/// What the desk server says of a desk's image.
struct DeskFacts {
    DeskId id;
    std::int64_t size_bytes = 0;
    FencingNumber fence; ///< the largest that its header has seen: a desk that was elsewhere before
};

/// A part of a packed desk that is being imported; parts come in order, the first at 0.
struct DeskPiece {
    std::int64_t offset = 0;
    std::int64_t total = 0; ///< of the whole packed desk
    std::string bytes;
};

struct DeskCheck {
    bool sound = false;
    std::string report; ///< lines for a person
};

/// How a desk was at a moment.
struct DeskSnapshot {
    std::string name;
    WallTime made{};
    std::uint64_t generation = 0; ///< of the desk at that moment
    std::int64_t allocated_bytes = 0;
    bool shared = false; ///< just taken, and takes no space until the desk changes
};

/// Where a desk is, by its header at the desk server.
struct DeskWhereabouts {
    FencingNumber fence; ///< the largest given out
    std::uint64_t generation = 0;
    std::string journey; ///< the id of the check-out; empty: none

    struct Away {
        std::string to;
        WallTime since{};
        std::uint64_t generation = 0; ///< of the desk when it left
    };

    std::optional<Away> away; ///< it was taken away, and what stayed is not opened
};

/// Managed desks, as `baton desk` needs them: the desk server behind blocking calls. Called from
/// `Services::background` only, never two calls for the same desk at once.
class DeskAdmin {
  public:
    virtual ~DeskAdmin() = default;
    /// `size_bytes` 0: the site's desk size.
    virtual Result<DeskFacts> create(const DeskName& name, const UserName& owner,
                                     std::int64_t size_bytes) = 0;
    /// `repair`: mend what can be mended.
    virtual Result<DeskCheck> check(const DeskName& name, bool repair) = 0;
    virtual Result<void> remove(const DeskName& name) = 0;
    virtual Result<DeskSnapshot> take_snapshot(const DeskName& name,
                                               const std::string& snapshot) = 0;
    /// The oldest first.
    virtual Result<std::vector<DeskSnapshot>> snapshots(const DeskName& name) = 0;
    virtual Result<void> remove_snapshot(const DeskName& name, const std::string& snapshot) = 0;
    virtual Result<void> restore(const DeskName& name, const std::string& snapshot) = 0;
    virtual Result<DeskWhereabouts> whereabouts(const DeskName& name) = 0;
    /// The mark that a copy of that generation with the id `journey` is the desk now, at `to`.
    /// Errc::conflict: the desk has changed since; Errc::refused: it is away. Repeated: nothing.
    virtual Result<DeskWhereabouts> check_out(const DeskName& name, const std::string& journey,
                                              std::uint64_t generation, const std::string& to) = 0;
    /// As import_piece, of the copy that comes back into the desk's place. Errc::conflict: it is
    /// not the one that left, or the desk has changed since; nothing is merged.
    virtual Result<std::optional<DeskWhereabouts>> check_in_piece(const DeskName& name,
                                                                  const DeskPiece& piece) = 0;
    /// The copy is lost: the desk is used again as it was when it left.
    virtual Result<DeskWhereabouts> call_off(const DeskName& name) = 0;
    /// Answers with the image as a file, or with an error. Called on any thread.
    virtual void export_image(const DeskName& name, net::Respond respond) = 0;
    /// Keeps one part; the last one makes the desk, and what it is comes back.
    virtual Result<std::optional<DeskFacts>>
    import_piece(const DeskName& name, const UserName& owner, const DeskPiece& piece) = 0;
};

/// The library of OS images on the boot server.
class Images {
  public:
    virtual ~Images() = default;
    virtual Result<std::vector<osimage::Manifest>> list() = 0;
    /// "tiny-2" as it is, "tiny" as the newest of that name. Errc::not_found says what there is.
    virtual Result<OsImageId> resolve(const std::string& id_or_name) = 0;
    /// The path of one of an image's files, "manifest.json" included. Errc::not_found.
    virtual Result<std::string> file(const OsImageId& id, const std::string& name) = 0;
};

struct HostCertificate {
    std::string certificate_pem;
    std::string authority_pem;
    std::string sha256; ///< of the certificate, lower-case hex
};

/// The site's own certificate authority.
class Authority {
  public:
    virtual ~Authority() = default;
    virtual Result<HostCertificate> sign_host(const HostId& host, const std::string& csr_pem) = 0;
    /// For a gateway that viewers reach at `address`.
    virtual Result<HostCertificate> sign_gateway(const GatewayId& gateway,
                                                 const std::string& address,
                                                 const std::string& csr_pem) = 0;
    /// The one-time token that a person carries to the host: where, whom to trust, the secret.
    virtual std::string join_token(const std::string& secret) = 0;
};

/// A gateway that is connected.
struct GatewayNow {
    GatewayId id;
    std::string address;
    std::uint16_t vnc_port = 0;
    std::uint16_t web_port = 0;
    std::string version;
    std::size_t viewers = 0;
    std::size_t sessions = 0;
};

/// Somebody who looks on at a session through a gateway.
struct ViewerNow {
    GatewayId gateway;
    SessionId session;
    std::string client;
    bool view_only = false;
    bool browser = false;
};

/// The gateways that have dialled in. On the executor.
class Gateways {
  public:
    virtual ~Gateways() = default;
    [[nodiscard]] virtual std::vector<GatewayNow> connected() const = 0;
    [[nodiscard]] virtual std::vector<ViewerNow> viewers() const = 0;
    /// Sessions that somebody looks at who may act in them.
    [[nodiscard]] virtual std::set<SessionId> looked_at() const = 0;
    virtual void drain(const GatewayId& gateway, bool draining) = 0;
    /// It was removed, or has a new certificate: its link is cut.
    virtual void expel(const GatewayId& gateway) = 0;
};

/// Somebody whom a gateway may let in.
struct Admitted {
    handoff::SessionView session; ///< it serves
    bool view_only = false;
    std::string resume; ///< lets the same viewer in again, once
};

/// What PCs fetch of the boot server over HTTP, before they can say anything. Any thread.
class Fetches {
  public:
    virtual ~Fetches() = default;

    struct Fetch {
        std::string file;             ///< "boot.ipxe", "kernel", "initrd", "root.squashfs"
        std::chrono::milliseconds at; ///< since the PC at that address asked for the first of them
    };

    /// In the order of asking, with {"up", now} at the end; empty: none of late.
    virtual std::vector<Fetch> of(const std::string& address) = 0;
};

struct Settings {
    std::string default_image; ///< id or name; empty: the only one there is
    std::chrono::seconds login_life{12 * 3600};
    std::chrono::seconds invitation_life{24 * 3600};
    /// How sessions are reached when it is not said. nullopt: through a gateway if one has joined,
    /// and by the port forward otherwise.
    std::optional<RouteKind> route;
    /// A browser's ticket, until it is used.
    std::chrono::seconds ticket_life{60};
    /// What a host of that memory keeps for itself.
    std::function<Mebibytes(Mebibytes)> reserve = default_reserve;
    std::string version = "0.1.0";
    /// Where viewers reach routes: the boot server's address towards clients; shown with a session.
    std::string viewer_address;
    /// A PC without a disk that is up has its person's desktop started (Prestarter).
    bool prestart = false;
    /// How long such a desktop waits for its person, and a guest's for somebody who looks at it.
    std::chrono::seconds kept_unused{15 * 60};
    /// How long a session behind a gateway is kept that nobody looks at; 0: for ever.
    std::chrono::seconds kept_without_viewer{0};
    /// C of the levels: a desktop with C / 2^m has level m. 0: levels are not told.
    Mebibytes largest{0};

    /// max(1 GiB, 10 %), spec "Unequal hosts".
    static Mebibytes default_reserve(Mebibytes memory);
};

struct Services {
    store::Store& store;
    handoff::Engine& engine;
    handoff::Clock& clock; ///< and the executor on which everything here runs
    Hasher& hasher;
    DeskAdmin& desks;
    Images& images;
    Authority& authority;
    /// Runs work that takes long on another thread; it posts back by `clock`. At least one thread.
    std::function<void(std::function<void()>)> background;
    std::function<void(const std::string&)> log; ///< one line; never a secret
    /// The host was removed or has a new certificate: whoever speaks for it now is to be cut off.
    std::function<void(const HostId&)> host_changed = [](const HostId&) {};
    /// What the hosts' monitors said last; nullptr: nobody collects it.
    const Latest* latest = nullptr;
    /// And what was measured before; nullptr: nobody keeps it.
    Kept* kept = nullptr;
    /// nullptr: this controller has no gateways.
    Gateways* gateways = nullptr;
    /// nullptr: no PC boots from this machine.
    Fetches* fetches = nullptr;
    /// Sends what switches on the PC with that MAC address, on the networks of network boot. May
    /// block for a moment. Empty: no PC boots from this machine.
    std::function<Result<void>(const std::string& mac)> wake = {};
};

/// Thread rules: handle() from any thread, everything else on the executor. Must outlive the
/// requests that it has been given; stop the server first.
class Api {
  public:
    Api(const Services& services, Settings settings);
    ~Api();
    Api(const Api&) = delete;
    Api& operator=(const Api&) = delete;

    /// Reads people and tokens from the store; once, before the first request.
    Result<void> load();

    /// For the token file of whoever may read the state folder. `present` is what the file holds:
    /// empty back if it is good for an admin. Otherwise a new token that does not expire, for the
    /// user `admin`, which is made if there is none; former ones of that kind are void.
    /// Errc::refused when `admin` has been disabled.
    Result<std::string> local_admin_token(const std::string& present);

    void handle(net::Request request, net::Respond respond);

    /// For the body limit that the server enforces before a request is read: the table's.
    [[nodiscard]] static std::size_t body_limit(std::string_view method, std::string_view path);

    /// Tells those who wait for events that there are new ones: to be hung on Engine::on_events.
    void events_grew();

    // ---- for gateways, on the executor --------------------------------------------------------

    /// Somebody at a gateway who says who they are: their session, opened if they have none.
    /// `client`: their address. Errc::unauthenticated: name or password; busy: too many wrong
    /// ones; conflict: their session is reached by another route; and what opening can say.
    void admit(const UserName& user, std::string password, const std::string& client,
               handoff::Done<Admitted> done);
    /// Somebody at a gateway with a ticket, which is used up. Errc::unauthenticated: unknown, used
    /// or too old.
    void admit(const std::string& ticket, const std::string& client,
               const handoff::Done<Admitted>& done);
    /// What it was given with this certificate: draining? Errc::forbidden: none of this site's.
    Result<bool> admit_gateway(const GatewayId& gateway, const std::string& certificate_sha256);

    /// The host that a verified client certificate belongs to; empty: none of ours.
    [[nodiscard]] Result<HostId> host_of_certificate(const std::string& sha256);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace baton::api
