#include "desk/image.h"
#include "deskserver/server_parts.h"
#include "net/listen.h"
#include "net/pki.h"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <cerrno>
#include <sys/epoll.h>
#include <unistd.h>

namespace baton::deskserver {

namespace {

/// The image may be exported: whole, not marked damaged, with a file system in it.
Result<void> check_usable(const desk::Image& image) {
    if (image.header().state == desk::State::damaged)
        return fail(Errc::corrupt, "the desk image " + image.path() + " is marked as damaged",
                    "mend it with: baton desk check --repair");
    if (const auto superblock = image.superblock(); !superblock)
        return tl::unexpected(superblock.error());
    return {};
}

} // namespace

DaemonOrder DeskServer::order_for(const Lease& lease) const {
    DaemonOrder order;
    order.program = settings_.program;
    order.runtime = settings_.runtime;
    order.tls_folder = settings_.runtime + "/tls";
    order.image = path_of(lease.desk);
    order.size_bytes = lease.size_bytes;
    order.read_only = lease.read_only;
    order.desk = lease.desk;
    order.id = lease.id;
    order.fence = lease.fence;
    order.holder = lease.holder;
    return order;
}

Result<void> DeskServer::check_lease(const DeskName& name, const desk::Header& header,
                                     FencingNumber fence, const HostId& holder) const {
    if (fence.value == 0)
        return fail(Errc::invalid_argument, "a lease needs a fencing number of at least 1");
    if (fence < header.largest_fence)
        return fail(Errc::conflict, "the desk '" + name.value + "' has been given out under the " +
                                        "larger fencing number " +
                                        std::to_string(header.largest_fence.value));
    if (fence == header.largest_fence && header.lease.kind != desk::HolderKind::none &&
        (header.lease.kind != desk::HolderKind::host || header.lease.holder != holder.value))
        return fail(Errc::conflict, "the fencing number " + std::to_string(fence.value) +
                                        " of the desk '" + name.value + "' belongs to " +
                                        header.lease.holder);
    if (fence == header.largest_fence && header.lease.kind == desk::HolderKind::none)
        return fail(Errc::conflict,
                    "the fencing number " + std::to_string(fence.value) + " of the desk '" +
                        name.value + "' has been closed",
                    "take the next one");
    if (header.lease.kind == desk::HolderKind::player)
        return fail(Errc::busy, "the desk '" + name.value + "' is in use by a player on " +
                                    header.lease.holder);
    if (header.checked_out && !settings_.checked_out_read_only)
        return fail(Errc::refused,
                    "the desk '" + name.value + "' was taken away to " + header.checked_out->to,
                    "bring it back first: baton desk checkin " + name.value + " FILE");
    return {};
}

Result<DeskExport> DeskServer::lease(const DeskName& name, FencingNumber fence,
                                     const HostId& holder) {
    BATON_TRY(check_name("desk name", name.value));
    BATON_TRY(check_name("host name", holder.value));
    const auto held = hold(name);
    auto header = [&]() -> Result<desk::Header> {
        auto image = desk::Image::open(path_of(name), desk::Access::look);
        if (!image && image.error().code == Errc::not_found)
            return fail(Errc::not_found, "no desk is called '" + name.value + "'",
                        "see them with: baton desk list");
        if (!image)
            return tl::unexpected(image.error());
        return image->header();
    }();
    if (!header)
        return tl::unexpected(header.error());
    BATON_TRY(check_lease(name, *header, fence, holder));
    if (held->serves() && held->lease->fence == fence && held->lease->holder == holder)
        return held->desk_export(settings_.export_address);
    return move_lease(*held, name, fence, holder);
}

Result<DeskExport> DeskServer::move_lease(Desk& desk, const DeskName& name, FencingNumber fence,
                                          const HostId& holder) {
    // a repeated call finds its own export dead: its port is kept, the desktop may be waiting there
    const bool same = desk.lease && desk.lease->fence == fence;
    const std::uint16_t port = same ? desk.lease->port : 0;
    BATON_TRY(end_daemon(desk));
    Lease next;
    {
        auto image = desk::Image::open(path_of(name), desk::Access::write);
        if (!image)
            return tl::unexpected(image.error());
        BATON_TRY(check_usable(*image));
        BATON_TRY(image->sync());
        auto header = image->header();
        next =
            Lease{name, header.id, fence, holder, header.size_bytes, header.checked_out.has_value(),
                  port};
        if (header.lease.fence != fence || header.lease.kind == desk::HolderKind::none) {
            header.lease = {desk::HolderKind::host, holder.value, fence, desk::wall_now()};
            header.largest_fence = fence;
            header.generation += next.read_only ? 0 : 1;
            BATON_TRY(image->change(header));
        }
    }
    desk.lease = next;
    desk.restarts = 0;
    desk.deaths.clear();
    if (auto started = start_daemon(desk); !started) {
        desk.failure = started.error().message();
        return tl::unexpected(started.error());
    }
    return desk.desk_export(settings_.export_address);
}

Result<void> DeskServer::close(const DeskName& name, FencingNumber fence) {
    BATON_TRY(check_name("desk name", name.value));
    const auto held = hold(name);
    if (held->lease && held->lease->fence <= fence)
        BATON_TRY(end_daemon(*held));
    auto header = desk::Image::open(path_of(name), desk::Access::look);
    if (!header && header.error().code == Errc::not_found)
        return {};
    if (!header)
        return tl::unexpected(header.error());
    if (header->header().lease.kind != desk::HolderKind::host ||
        header->header().lease.fence > fence)
        return {};
    auto image = desk::Image::open(path_of(name), desk::Access::write);
    if (!image)
        return tl::unexpected(image.error());
    BATON_TRY(image->sync());
    auto changed = image->header();
    changed.lease = {};
    return image->change(changed);
}

Result<void> DeskServer::listen(Desk& desk) {
    if (desk.nbd.open())
        return {};
    std::uint16_t first = settings_.first_port;
    std::uint16_t last = settings_.last_port;
    if (desk.lease->port != 0)
        first = last = desk.lease->port;
    for (std::uint32_t port = first; port <= last; ++port) {
        auto listening = net::listen_at(settings_.export_address, static_cast<std::uint16_t>(port));
        if (listening) {
            desk.nbd = process::Descriptor(listening->descriptor);
            desk.lease->port = listening->port;
            return {};
        }
        if (listening.error().code != Errc::busy || port == last)
            return tl::unexpected(
                listening.error().in("exporting the desk '" + desk.lease->desk.value + "'"));
    }
    return fail(Errc::invalid_argument, "the range of ports for exports is empty",
                "set first_port and last_port in the configuration");
}

Result<void> DeskServer::write_record(const Lease& lease) const {
    const boost::json::object record{{"desk", lease.desk.value},
                                     {"id", lease.id.value},
                                     {"fence", lease.fence.value},
                                     {"holder", lease.holder.value},
                                     {"size_bytes", lease.size_bytes},
                                     {"read_only", lease.read_only},
                                     {"port", lease.port}};
    return net::write_private_file(runtime_file(order_for(lease), ".json"),
                                   boost::json::serialize(record));
}

Result<void> DeskServer::start_daemon(Desk& desk) {
    BATON_TRY(listen(desk));
    BATON_TRY(write_record(*desk.lease));
    auto daemon = StorageDaemon::start(order_for(*desk.lease), desk.nbd, settings_.deadlines);
    if (!daemon)
        return tl::unexpected(daemon.error());
    if (auto opened = (*daemon)->open_export(); !opened) {
        BATON_TRY((*daemon)->end());
        return opened;
    }
    desk.daemon = std::move(*daemon);
    desk.failure.clear();
    watch(desk, desk.lease->desk);
    return {};
}

Result<void> DeskServer::end_daemon(Desk& desk) {
    unwatch(desk);
    if (desk.daemon) {
        if (auto ended = desk.daemon->end(); !ended) {
            watch(desk, desk.lease->desk);
            return ended;
        }
        desk.daemon.reset();
    }
    desk.nbd.reset();
    if (desk.lease)
        ::unlink(runtime_file(order_for(*desk.lease), ".json").c_str());
    desk.lease.reset();
    desk.failure.clear();
    return {};
}

void DeskServer::watch(Desk& desk, const DeskName& name) {
    const std::lock_guard lock(mutex_);
    desk.watch = ++last_watch_;
    watches_[desk.watch] = name;
    epoll_event event{};
    event.events = EPOLLIN | EPOLLONESHOT;
    event.data.u64 = desk.watch;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, desk.daemon->pidfd(), &event) != 0)
        ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, desk.daemon->pidfd(), &event);
}

void DeskServer::unwatch(Desk& desk) {
    const std::lock_guard lock(mutex_);
    watches_.erase(desk.watch);
    desk.watch = 0;
}

} // namespace baton::deskserver
