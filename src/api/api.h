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
    /// The one-time token that a person carries to the host: where, whom to trust, the secret.
    virtual std::string join_token(const std::string& secret) = 0;
};

struct Settings {
    std::string default_image; ///< id or name; empty: the only one there is
    std::chrono::seconds login_life{12 * 3600};
    std::chrono::seconds invitation_life{24 * 3600};
    /// What a host of that memory keeps for itself.
    std::function<Mebibytes(Mebibytes)> reserve = default_reserve;
    std::string version = "0.1.0";
    /// Where viewers reach routes: the boot server's address towards clients; shown with a session.
    std::string viewer_address;
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

    /// The host that a verified client certificate belongs to; empty: none of ours.
    [[nodiscard]] Result<HostId> host_of_certificate(const std::string& sha256);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace baton::api
