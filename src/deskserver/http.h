#pragma once

#include "deskserver/content_store.h"
#include "deskserver/server.h"
#include "net/http.h"

#include <memory>
#include <string>

/// The desk server's API over HTTPS (docs/desk-server.md).
namespace baton::deskserver {

/// A whole desk comes in pieces of at most this.
inline constexpr std::size_t piece_limit = 4 * 1024 * 1024;

class Door {
  public:
    /// `caller`: the only certificate name that may call. References must outlive the door.
    Door(DeskServer& server, ContentStore& contents, std::string caller)
        : server_(server), contents_(contents), caller_(std::move(caller)) {}

    /// Blocking; thread-safe. Never throws: what goes wrong is an error response.
    net::Response answer(const net::Request& request);

  private:
    struct Call;
    net::Response route(const Call& call);
    net::Response desks(const Call& call);
    net::Response snapshots(const Call& call);
    net::Response leases(const Call& call);
    net::Response contents(const Call& call);
    net::Response health() const;

    DeskServer& server_;
    ContentStore& contents_;
    std::string caller_;
};

/// answer() on threads of its own, because net's may not be blocked. Destroyed: what is under way
/// is finished, what waits gets Errc::unavailable.
class Workers {
  public:
    Workers(Door& door, unsigned threads);
    ~Workers();
    Workers(const Workers&) = delete;
    Workers& operator=(const Workers&) = delete;

    net::Handler handler();

  private:
    struct Queue;
    std::shared_ptr<Queue> queue_;
    std::vector<std::thread> threads_;
};

} // namespace baton::deskserver
