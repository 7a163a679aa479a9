#include "player/session.h"

#include "player/base.h"
#include "player/mounts.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <fstream>
#include <sys/mount.h>
#include <unistd.h>

namespace baton::player {

namespace {

constexpr std::chrono::milliseconds assembling{60'000};
constexpr std::chrono::milliseconds letting_go{60'000};
constexpr std::chrono::milliseconds showing_image{15'000};
constexpr std::chrono::milliseconds showing_disk{180'000};
constexpr std::chrono::milliseconds network_up{10'000};

/// 32 hex digits, as machine-id(5): the desk's own, the same wherever it is open.
std::string machine_id_of(const DeskId& id) {
    auto text = id.value;
    text.erase(std::remove(text.begin(), text.end(), '-'), text.end());
    return text;
}

} // namespace

Result<Session> Session::open(const PlayOrder& order) {
    std::ifstream map("/proc/self/uid_map");
    std::string ids;
    std::getline(map, ids);
    BATON_TRY(check_root(::geteuid(), ids, order.desk));
    BATON_TRY(check_kernel());
    Session session;
    if (auto loaded = session.load(order); !loaded) {
        // nobody was inside yet: what was taken is given back at once
        session.network_ = UserNetwork();
        session.environment_.reset();
        session.image_.reset();
        if (session.desk_)
            (void)session.desk_->give_back(letting_go);
        session.desk_.reset();
        if (session.disk_)
            (void)session.disk_->put_away(letting_go);
        return tl::unexpected(loaded.error());
    }
    return session;
}

Result<Descriptor> Session::survey(const PlayOrder& order) {
    Descriptor pc(::open(order.pc_root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!pc.open())
        return fail_errno(errno, "cannot open the system " + order.pc_root);
    blueprint_.policy = order.policy;
    if (order.image.empty()) {
        BATON_TRY(survey_base(pc.get(), blueprint_));
        auto base = base_of(pc.get());
        if (!base)
            return tl::unexpected(base.error());
        blueprint_.base = *base;
        return pc;
    }
    auto image = BaseImage::open(order.image, order.images, showing_image);
    if (!image)
        return tl::unexpected(image.error());
    image_.emplace(std::move(*image));
    const Descriptor root(::openat(image_->mount().get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    BATON_TRY(survey_base(root.get(), blueprint_));
    blueprint_.base = image_->id();
    return pc;
}

Result<void> Session::load(const PlayOrder& order) {
    note_ = order.note;
    const auto place = place_of(order.desk);
    if (!place)
        return tl::unexpected(place.error());
    const bool plain = place->kind == DeskPlace::Kind::file;
    if (!plain)
        BATON_TRY(leave_mount_namespace());
    const auto pc = survey(order);
    if (!pc)
        return tl::unexpected(pc.error());
    const auto resolver =
        resolver_for(contents_of(pc->get(), "etc/resolv.conf").value_or(""), order.policy.network);
    blueprint_.resolver = resolver.text;
    HoldOrder hold{.path = order.desk,
                   .holder = holder_name(),
                   .break_lease = order.break_lease,
                   .remember = order.policy.remember,
                   .note = order.note};
    if (!plain) {
        auto disk = DeskDisk::open(*place, order.disk, showing_disk);
        if (!disk)
            return tl::unexpected(disk.error());
        disk_.emplace(std::move(*disk));
        hold.path = disk_->path();
        hold.without_header = disk_->without_header();
        opening_.done(Row::image, place->kind == DeskPlace::Kind::encrypted ? "unlocked, shown"
                                                                            : "connected, shown");
    }
    auto desk = HeldDesk::open(hold);
    if (!desk)
        return tl::unexpected(desk.error());
    desk_.emplace(std::move(*desk));
    blueprint_.owner = desk_->header().owner;
    blueprint_.host_name = blueprint_.owner + "-desk";
    blueprint_.machine_id = machine_id_of(desk_->header().id);
    opening_.done(Row::information, desk_->was_known()
                                        ? "policy, base, header (closed in order here before)"
                                        : "policy, base, header, check");
    auto environment = Environment::make(blueprint_, order.arguments, order.desktop);
    if (!environment)
        return tl::unexpected(environment.error());
    environment_.emplace(std::move(*environment));
    opening_.done(Row::layer, "namespaces");
    auto loop = desk_->attach();
    if (!loop)
        return tl::unexpected(loop.error());
    const auto ids = ids_for(loop->number);
    if (!ids)
        return tl::unexpected(ids.error());
    opening_.done(Row::image, "loop device");
    BATON_TRY(environment_->map_ids(*ids));
    if (image_) {
        BATON_TRY(environment_->give_base(image_->mount()));
        image_->let_go();
    } else {
        BATON_TRY(environment_->give_layers(pc->get(), blueprint_.layers));
    }
    if (order.policy.network == Network::user) {
        auto network = UserNetwork::start(pasta_command(order.publish, resolver.forward),
                                          environment_->init());
        if (network)
            network_ = std::move(*network);
        else
            order.note(network.error().message());
    }
    opening_.done(Row::layer, "users mapped, layers of the base");
    BATON_TRY(desk_->take_lease());
    opening_.done(Row::image, "lease, durable");
    auto mount = make_mount("ext4", {{"source", loop->path}}, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
                            "the file system of the desk");
    if (!mount)
        return tl::unexpected(mount.error());
    loop->device.reset();
    opening_.done(Row::image, "file system");
    BATON_TRY(environment_->give_desk(*mount));
    mount->reset();
    const auto notes = environment_->wait_ready(assembling);
    if (!notes)
        return tl::unexpected(notes.error());
    for (const auto& note : *notes)
        order.note(note);
    opening_.done(Row::layer, "overlays, masks, devices, root");
    if (order.services)
        BATON_TRY(environment_->begin_services());
    if (network_.running()) {
        if (auto up = network_.wait_ready(network_up); !up)
            order.note(up.error().message());
        opening_.done(Row::layer, "network");
    }
    if (disk_ && place->kind != DeskPlace::Kind::encrypted)
        received_ = disk_->received_bytes();
    return {};
}

std::vector<Watch> Session::watches() const {
    if (!desk_->backing())
        return {};
    const auto& backing = *desk_->backing();
    return {{backing.fd(), [&backing] { return backing.look(); }}};
}

void Session::abandon() {
    network_ = UserNetwork();
    (void)environment_->end(std::chrono::milliseconds(0));
    environment_.reset();
    image_.reset();
    desk_.reset();
    disk_.reset();
}

Result<void> Session::close(std::chrono::milliseconds grace) {
    closing_ = Timings();
    for (const auto& watch : watches()) {
        if (auto there = watch.heard(); !there) {
            abandon();
            return there;
        }
    }
    network_ = UserNetwork();
    BATON_TRY(environment_->end(grace));
    closing_.done(Row::environment, "programs ended");
    environment_.reset();
    image_.reset();
    BATON_TRY(desk_->give_back(letting_go));
    closing_.done(Row::image, "unmounted, lease given back");
    desk_.reset();
    if (disk_)
        BATON_TRY(disk_->put_away(letting_go));
    disk_.reset();
    return {};
}

} // namespace baton::player
