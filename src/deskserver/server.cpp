#include "deskserver/server.h"

#include "desk/image.h"
#include "deskserver/server_parts.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <poll.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace baton::deskserver {

namespace {

namespace fs = std::filesystem;

constexpr const char* extension = ".desk";

} // namespace

tl::unexpected<Error> no_such_desk(const DeskName& name) {
    return fail(Errc::not_found, "no desk is called '" + name.value + "'",
                "see them with: baton desk list");
}

tl::unexpected<Error> in_use(const DeskName& name, const HostId& holder) {
    return fail(Errc::busy, "the desk '" + name.value + "' is in use by " + holder.value,
                "close its session first");
}

bool DeskServer::Desk::serves() const {
    if (!daemon)
        return false;
    pollfd set{daemon->pidfd(), POLLIN, 0};
    return ::poll(&set, 1, 0) == 0;
}

DeskExport DeskServer::Desk::desk_export(const std::string& address) const {
    DeskExport result;
    result.desk = lease->desk;
    result.id = lease->id;
    result.fence = lease->fence;
    result.server = Endpoint{address, lease->port};
    result.export_name = export_name(lease->id, lease->fence);
    result.size_bytes = lease->size_bytes;
    result.read_only = lease->read_only;
    return result;
}

std::string DeskServer::path_of(const DeskName& name) const {
    return settings_.desks + "/" + name.value + extension;
}

DeskServer::Held DeskServer::hold(const DeskName& name) {
    std::shared_ptr<Desk> desk;
    {
        const std::lock_guard lock(mutex_);
        auto& entry = desks_[name];
        if (!entry)
            entry = std::make_shared<Desk>();
        desk = entry;
    }
    std::unique_lock lock(desk->mutex);
    return Held{std::move(desk), std::move(lock)};
}

Result<DeskView> DeskServer::view(const DeskName& name, const Desk& desk) const {
    DeskView result;
    result.name = name;
    auto image = desk::Image::open(path_of(name), desk::Access::look);
    if (!image && image.error().code == Errc::not_found)
        return no_such_desk(name);
    if (image) {
        result.header = image->header();
        result.warnings = image->warnings();
        result.allocated_bytes = image->allocated_bytes().value_or(0);
        if (const auto superblock = image->superblock())
            result.free_bytes = superblock->free_bytes;
        else
            result.problem = superblock.error();
    } else {
        result.problem = image.error();
    }
    if (desk.lease) {
        ExportView exported;
        exported.desk_export = desk.desk_export(settings_.export_address);
        exported.holder = desk.lease->holder;
        exported.process = desk.daemon ? desk.daemon->pid() : -1;
        exported.restarts = desk.restarts;
        exported.failure = desk.failure;
        result.exported = std::move(exported);
    }
    return result;
}

Result<DeskView> DeskServer::create(const DeskName& name, const std::string& owner,
                                    std::int64_t size_bytes) {
    BATON_TRY(check_name("desk name", name.value));
    const auto held = hold(name);
    desk::CreateOrder order;
    order.path = path_of(name);
    order.owner = owner;
    order.size_bytes = size_bytes;
    order.skeleton = settings_.skeleton;
    if (auto made = desk::create(order); !made) {
        if (made.error().code == Errc::already_exists)
            return fail(Errc::already_exists, "a desk called '" + name.value + "' is there already",
                        "choose another name");
        return tl::unexpected(made.error());
    }
    return view(name, *held);
}

Result<std::vector<DeskView>> DeskServer::list() {
    std::vector<std::string> names;
    std::error_code error;
    for (fs::directory_iterator it(settings_.desks, error), end; it != end && !error;
         it.increment(error)) {
        const auto& path = it->path();
        if (path.extension() == extension && check_name("desk name", path.stem().string()))
            names.push_back(path.stem().string());
    }
    if (error)
        return fail_errno(error.value(), "cannot list the desks in " + settings_.desks);
    std::sort(names.begin(), names.end());
    std::vector<DeskView> views;
    for (const auto& name : names)
        if (auto one = show(DeskName(name))) // one that has just been removed is none
            views.push_back(std::move(*one));
    return views;
}

Result<DeskView> DeskServer::show(const DeskName& name) {
    BATON_TRY(check_name("desk name", name.value));
    const auto held = hold(name);
    return view(name, *held);
}

Result<desk::CheckReport> DeskServer::check(const DeskName& name, bool repair) {
    const auto held = hold_idle(name);
    if (!held)
        return tl::unexpected(held.error());
    return desk::check(path_of(name), desk::CheckOrder{.repair = repair, .mark = true});
}

Result<void> DeskServer::remove(const DeskName& name) {
    const auto held = hold_idle(name);
    if (!held)
        return tl::unexpected(held.error());
    // a damaged one may go too; one that somebody outside has open may not
    auto image = desk::Image::open(path_of(name), desk::Access::write);
    if (!image && image.error().code != Errc::corrupt)
        return tl::unexpected(image.error());
    BATON_TRY(desk::remove_snapshots(path_of(name)));
    if (::unlink(path_of(name).c_str()) != 0)
        return fail_errno(errno, "cannot remove the desk '" + name.value + "'");
    (*held)->lease.reset();
    (*held)->failure.clear();
    return desk::sync_folder_of(path_of(name));
}

Result<Space> DeskServer::space() const {
    struct statvfs status{};
    if (::statvfs(settings_.desks.c_str(), &status) != 0)
        return fail_errno(errno, "cannot ask how much space is left in " + settings_.desks);
    Space result;
    result.free_bytes = static_cast<std::int64_t>(status.f_bavail * status.f_frsize);
    result.total_bytes = static_cast<std::int64_t>(status.f_blocks * status.f_frsize);
    result.low = result.free_bytes < settings_.low_space_bytes;
    return result;
}

Result<void>
DeskServer::with_idle_file(const DeskName& name,
                           const std::function<Result<void>(const std::string&)>& work) {
    const auto held = hold_idle(name);
    if (!held)
        return tl::unexpected(held.error());
    auto image = desk::Image::open(path_of(name), desk::Access::read);
    if (!image)
        return tl::unexpected(image.error());
    return work(path_of(name));
}

Result<void> DeskServer::check_unique(const DeskId& id) {
    auto all = list();
    if (!all)
        return tl::unexpected(all.error());
    for (const auto& one : *all)
        if (one.header.id == id)
            return fail(Errc::already_exists,
                        "this desk is here already, as '" + one.name.value + "'",
                        "remove that one first if the other is to take its place");
    return {};
}

Result<DeskView> DeskServer::adopt_file(const DeskName& name, const std::string& path) {
    BATON_TRY(check_name("desk name", name.value));
    auto report = desk::check(path, {});
    if (!report)
        return tl::unexpected(report.error());
    if (report->verdict == desk::Verdict::damaged)
        return fail(Errc::corrupt,
                    "the desk that was to become '" + name.value + "' is damaged: " +
                        (report->findings.empty() ? "" : report->findings.front()),
                    "mend it first: baton desk check --repair ./FILE");
    BATON_TRY(check_unique(report->header.id));
    const auto held = hold(name);
    {
        auto image = desk::Image::open(path, desk::Access::write);
        if (!image)
            return tl::unexpected(image.error());
        auto header = image->header();
        header.lease = {};
        header.checked_out.reset();
        header.largest_fence = {}; // fencing numbers are of one site; no export of it is left here
        BATON_TRY(desk::write_first_header(image->fd(), header, path));
        BATON_TRY(image->sync());
    }
    if (::renameat2(AT_FDCWD, path.c_str(), AT_FDCWD, path_of(name).c_str(), RENAME_NOREPLACE) != 0)
        return fail_errno(errno, "cannot take the desk in as '" + name.value + "'",
                          "choose another name, or remove that desk first");
    BATON_TRY(desk::sync_folder_of(path_of(name)));
    return view(name, *held);
}

void DeskServer::tell(Incident::Kind kind, const DeskName& desk, std::string text) const {
    if (on_incident_)
        on_incident_(Incident{kind, desk, std::move(text)});
}

} // namespace baton::deskserver
