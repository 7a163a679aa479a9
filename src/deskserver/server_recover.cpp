#include "desk/image.h"
#include "deskserver/server_parts.h"
#include "net/json.h"
#include "net/pki.h"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <unistd.h>

namespace baton::deskserver {

namespace {

namespace fs = std::filesystem;

Result<std::string> own_folder(const std::string& folder, const char* what) {
    std::error_code error;
    fs::create_directories(folder, error);
    if (!error)
        fs::permissions(folder, fs::perms(0700), error);
    const auto path = fs::canonical(folder, error);
    if (error)
        return fail_errno(error.value(),
                          std::string("cannot make the folder ") + what + " " + folder);
    return path.string();
}

/// What creating or copying left when it was killed: ".<uuid>.new".
void remove_half_made(const std::string& folder) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
        const auto name = entry.path().filename().string();
        if (name.starts_with('.') && name.ends_with(".new") &&
            desk::valid_desk_id(std::string_view(name).substr(1, name.size() - 5)))
            fs::remove(entry.path(), error);
    }
}

} // namespace

DeskServer::DeskServer(Settings settings, std::function<void(const Incident&)> on_incident)
    : settings_(std::move(settings)), on_incident_(std::move(on_incident)) {}

Result<std::unique_ptr<DeskServer>>
DeskServer::open(Settings settings, std::function<void(const Incident&)> on_incident) {
    std::unique_ptr<DeskServer> server(new DeskServer(std::move(settings), std::move(on_incident)));
    BATON_TRY(server->prepare());
    BATON_TRY(server->recover());
    server->supervisor_ = std::thread([raw = server.get()] { raw->supervise(); });
    return server;
}

DeskServer::~DeskServer() {
    if (supervisor_.joinable()) {
        const std::uint64_t one = 1;
        [[maybe_unused]] const ssize_t told = ::write(stop_.get(), &one, sizeof one);
        supervisor_.join();
    }
    if (!settings_.end_exports_at_exit)
        return;
    for (auto& [name, desk] : desks_) {
        const std::lock_guard lock(desk->mutex);
        if (const auto ended = end_daemon(*desk); !ended)
            tell(Incident::Kind::given_up, name, ended.error().message());
    }
}

Result<void> DeskServer::prepare() {
    auto desks = own_folder(settings_.desks, "for desks");
    auto runtime = own_folder(settings_.runtime, "for the storage daemons");
    for (const auto* folder : {&desks, &runtime})
        if (!*folder)
            return tl::unexpected(folder->error());
    settings_.desks = *desks;
    settings_.runtime = *runtime;
    const std::string guard = settings_.desks + "/.baton-deskd";
    guard_ = process::Descriptor(::open(guard.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!guard_.open())
        return fail_errno(errno, "cannot make the file " + guard);
    if (::flock(guard_.get(), LOCK_EX | LOCK_NB) != 0)
        return fail(Errc::busy, "another desk server keeps the desks in " + settings_.desks,
                    "stop that one, or name another folder");
    remove_half_made(settings_.desks);
    epoll_ = process::Descriptor(::epoll_create1(EPOLL_CLOEXEC));
    stop_ = process::Descriptor(::eventfd(0, EFD_CLOEXEC));
    if (!epoll_.open() || !stop_.open())
        return fail_errno(errno, "cannot watch the storage daemons");
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = 0;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, stop_.get(), &event) != 0)
        return fail_errno(errno, "cannot watch the storage daemons");
    return make_tls_folder(settings_.runtime + "/tls", settings_);
}

Result<void> DeskServer::recover() {
    // listed before anything is done: serving again writes records into the same folder
    std::error_code error;
    std::vector<fs::path> records;
    for (fs::directory_iterator it(settings_.runtime, error), end; it != end && !error;
         it.increment(error))
        if (it->path().extension() == ".json")
            records.push_back(it->path());
    if (error)
        return fail_errno(error.value(), "cannot list " + settings_.runtime);
    for (const auto& path : records) {
        const auto text = net::read_small_file(path);
        const auto record = text ? net::parse_object(*text, "the record of an export")
                                 : Result<boost::json::object>(tl::unexpected(text.error()));
        Lease lease;
        Result<void> sound = {};
        if (record) {
            net::Fields fields(*record, "the record of an export");
            lease.desk = DeskName(fields.text("desk"));
            lease.id = DeskId(fields.text("id"));
            lease.fence = FencingNumber{fields.natural("fence")};
            lease.holder = HostId(fields.text("holder"));
            lease.size_bytes = fields.integer("size_bytes", 1);
            lease.read_only = fields.truth("read_only");
            lease.port = fields.port("port");
            sound = fields.finish();
        }
        if (!record || !sound)
            return fail(Errc::corrupt, "the record " + path.string() + " cannot be read",
                        "see that no storage daemon has a desk open (fuser -v " + settings_.desks +
                            "/*), then remove that file");
        recover_one(lease);
    }
    return {};
}

void DeskServer::recover_one(const Lease& lease) {
    const auto held = hold(lease.desk);
    const auto image = desk::Image::open(path_of(lease.desk), desk::Access::look);
    const bool current = image && image->header().lease.kind == desk::HolderKind::host &&
                         image->header().lease.fence == lease.fence &&
                         image->header().lease.holder == lease.holder.value;
    const std::string what =
        "export " + export_name(lease.id, lease.fence) + " of " + lease.holder.value;
    auto daemon = StorageDaemon::adopt(order_for(lease), settings_.deadlines);
    if (!daemon && daemon.error().code != Errc::unavailable) {
        // the file's locks keep anything else from opening it meanwhile
        tell(Incident::Kind::given_up, lease.desk, daemon.error().message());
        return;
    }
    held->lease = lease;
    if (daemon) {
        held->daemon = std::move(*daemon);
        if (current && held->daemon->exports_it().value_or(false)) {
            watch(*held, lease.desk);
            tell(Incident::Kind::adopted, lease.desk, what + " goes on");
            return;
        }
        if (auto ended = held->daemon->end(); !ended) {
            tell(Incident::Kind::given_up, lease.desk, ended.error().message());
            return;
        }
        held->daemon.reset();
        tell(Incident::Kind::orphan_ended, lease.desk, what + " was left over and has been ended");
    }
    if (!current) {
        static_cast<void>(end_daemon(*held));
        return;
    }
    if (auto started = start_daemon(*held); !started) {
        held->failure = started.error().message();
        tell(Incident::Kind::given_up, lease.desk, held->failure);
        return;
    }
    tell(Incident::Kind::restarted, lease.desk, what + " had ended and serves again");
}

void DeskServer::supervise() {
    auto next_look = Clock::now();
    while (true) {
        if (Clock::now() >= next_look) {
            look_at_space();
            next_look = Clock::now() + settings_.space_interval;
        }
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(next_look - Clock::now());
        std::array<epoll_event, 16> events{};
        const int count = ::epoll_wait(epoll_.get(), events.data(), events.size(),
                                       static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
        for (int i = 0; i < count; ++i) {
            const auto watch = events[static_cast<std::size_t>(i)].data.u64;
            if (watch == 0)
                return;
            DeskName name;
            {
                const std::lock_guard lock(mutex_);
                const auto found = watches_.find(watch);
                if (found == watches_.end())
                    continue;
                name = found->second;
            }
            on_death(name, watch);
        }
    }
}

void DeskServer::on_death(const DeskName& name, std::uint64_t watch) {
    const auto held = hold(name);
    if (held->watch != watch || !held->daemon)
        return; // ended on purpose meanwhile
    unwatch(*held);
    const auto how = held->daemon->reap();
    held->daemon.reset();
    const auto now = Clock::now();
    held->deaths.push_back(now);
    while (now - held->deaths.front() > settings_.restart_window)
        held->deaths.pop_front();
    const std::string what = "the storage daemon of the desk '" + name.value + "' for " +
                             held->lease->holder.value + " died: " + how;
    const auto give_up = [&](const std::string& why) {
        held->nbd.reset();
        held->failure = what + "; " + why;
        tell(Incident::Kind::given_up, name, held->failure);
    };
    if (held->deaths.size() > settings_.most_restarts)
        return give_up("that was the " + std::to_string(held->deaths.size()) +
                       "th time in a short while, it is not started again");
    const auto image = desk::Image::open(path_of(name), desk::Access::look);
    if (!image)
        return give_up(image.error().message());
    if (const auto superblock = image->superblock(); !superblock)
        return give_up(superblock.error().message());
    if (const auto started = start_daemon(*held); !started)
        return give_up(started.error().message());
    ++held->restarts;
    tell(Incident::Kind::restarted, name, what + "; it serves again at the same port");
}

void DeskServer::look_at_space() {
    const auto now = space();
    if (!now || now->low == space_low_)
        return;
    space_low_ = now->low;
    const auto left = std::to_string(now->free_bytes / Mebibytes(1).bytes()) + " MiB are left in " +
                      settings_.desks;
    if (now->low)
        tell(Incident::Kind::space_low, {},
             "only " + left + ": desktops whose desk cannot grow any more will pause");
    else
        tell(Incident::Kind::space_well, {}, "enough space again: " + left);
}

} // namespace baton::deskserver
