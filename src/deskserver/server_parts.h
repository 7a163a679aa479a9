#pragma once

#include "deskserver/server.h"

#include <deque>

/// Inside deskserver/ alone: what a DeskServer keeps of each desk.
namespace baton::deskserver {

/// An export that is, or is to be, there; on disk beside the storage daemon's files, so that the
/// next start finds it.
struct DeskServer::Lease {
    DeskName desk;
    DeskId id;
    FencingNumber fence;
    HostId holder;
    std::int64_t size_bytes = 0;
    bool read_only = false;
    std::uint16_t port = 0; ///< 0: not chosen yet
};

struct DeskServer::Desk {
    std::mutex mutex;
    std::optional<Lease> lease;
    process::Descriptor nbd; ///< the listening socket; not open for an adopted daemon
    std::unique_ptr<StorageDaemon> daemon;
    std::uint64_t watch = 0; ///< of `daemon`; 0: none
    std::deque<Clock::time_point> deaths;
    unsigned restarts = 0;
    std::string failure;

    [[nodiscard]] bool serves() const;
    [[nodiscard]] DeskExport desk_export(const std::string& address) const;
};

struct DeskServer::Held {
    std::shared_ptr<Desk> desk;
    std::unique_lock<std::mutex> lock;

    Desk& operator*() const { return *desk; }

    Desk* operator->() const { return desk.get(); }
};

tl::unexpected<Error> no_such_desk(const DeskName& name);
tl::unexpected<Error> in_use(const DeskName& name, const HostId& holder);

/// A TLS folder as QEMU wants it: links to the three files, and Diffie-Hellman parameters (the
/// group ffdhe2048 of RFC 7919), without which every start of a storage daemon would compute some,
/// for up to half a second.
Result<void> make_tls_folder(const std::string& folder, const Settings& settings);

} // namespace baton::deskserver
