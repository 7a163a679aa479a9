#include "programs/batond/netboot_door.h"

#include "netboot/wake.h"
#include "netboot/watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace baton::controller {

namespace {

/// An address that the machine does not have yet, or a folder: nobody tells of these.
constexpr int try_again_ms = 5'000;
constexpr std::chrono::hours longest_start{1};
constexpr std::string_view prefix = "/netboot/";

} // namespace

void FetchLog::saw(const std::string& address, const std::string& file, Clock::time_point now) {
    const std::lock_guard lock(mutex_);
    const bool begins = file == netboot::script_name;
    const auto found = starts_.find(address);
    if (found == starts_.end() && starts_.size() >= most_addresses)
        starts_.erase(std::ranges::min_element(starts_, {}, [](const auto& entry) {
            return entry.second.empty() ? Clock::time_point{} : entry.second.back().at;
        }));
    auto& seen = starts_[address];
    if (begins || (!seen.empty() && now - seen.front().at > longest_start))
        seen.clear();
    // a file that is asked for again has not come the first time
    std::erase_if(seen, [&](const Seen& one) { return one.file == file; });
    if (seen.size() < most_files)
        seen.push_back({file, now});
}

std::vector<api::Fetches::Fetch> FetchLog::of(const std::string& address,
                                              Clock::time_point now) const {
    const std::lock_guard lock(mutex_);
    std::vector<api::Fetches::Fetch> fetches;
    const auto found = starts_.find(address);
    if (found == starts_.end() || found->second.empty() ||
        now - found->second.front().at > longest_start)
        return fetches;
    const auto begin = found->second.front().at;
    const auto since = [begin](Clock::time_point at) {
        return std::chrono::duration_cast<std::chrono::milliseconds>(at - begin);
    };
    for (const auto& seen : found->second)
        fetches.push_back({seen.file, since(seen.at)});
    fetches.push_back({"up", since(now)});
    return fetches;
}

NetbootDoor::NetbootDoor(std::string folder, std::function<void(bool, const std::string&)> log)
    : path_(std::move(folder)),
      log_(std::move(log)),
      stop_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      thread_([this] { run(); }) {}

NetbootDoor::~NetbootDoor() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto told = ::write(stop_.get(), &one, sizeof one);
    thread_.join();
}

std::vector<api::Fetches::Fetch> NetbootDoor::of(const std::string& address) {
    return fetches_.of(address, FetchLog::Clock::now());
}

Result<void> NetbootDoor::wake(const std::string& mac) {
    const auto packet = netboot::magic_packet(mac);
    if (!packet)
        return tl::unexpected(packet.error());
    std::vector<std::string> interfaces;
    {
        const std::lock_guard lock(interfaces_mutex_);
        interfaces = interfaces_;
    }
    if (interfaces.empty())
        return fail(Errc::refused, "network boot is not enabled, so no PC is switched on from here",
                    "enable it with: baton netboot enable");
    for (const auto& interface : interfaces)
        BATON_TRY(netboot::send_magic(interface, *packet));
    return {};
}

void NetbootDoor::say_once(const std::string& line) {
    if (line != said_)
        log_(true, line);
    said_ = line;
}

void NetbootDoor::run() {
    std::optional<netboot::Folder> folder;
    std::optional<netboot::Watch> watch;
    for (;;) {
        bool settled = false;
        // made by `baton netboot`, as root
        if (!watch && std::filesystem::is_directory(path_)) {
            auto opened = netboot::Folder::open(path_);
            auto watching = opened ? netboot::Watch::open(path_) : tl::unexpected(opened.error());
            if (watching) {
                folder.emplace(std::move(*opened));
                watch.emplace(std::move(*watching));
            } else {
                say_once(watching.error().message());
            }
        }
        if (watch)
            settled = follow(*folder);
        std::array<pollfd, 2> fds{
            {{stop_.get(), POLLIN, 0}, {watch ? watch->fd() : -1, POLLIN, 0}}};
        if (::poll(fds.data(), fds.size(), settled ? -1 : try_again_ms) < 0 && errno != EINTR)
            return;
        if (fds[0].revents != 0) {
            server_.reset();
            return;
        }
        if (fds[1].revents != 0)
            watch->take();
    }
}

bool NetbootDoor::follow(const netboot::Folder& folder) {
    const auto settings = folder.settings();
    if (!settings) {
        say_once(settings.error().message());
        return true; // until somebody writes others
    }
    {
        const std::lock_guard lock(interfaces_mutex_);
        interfaces_ = settings->enabled ? settings->interfaces : std::vector<std::string>();
    }
    const auto wanted = settings->enabled
                            ? fmt::format("{}:{}", settings->address, settings->http_port)
                            : std::string();
    if (wanted == listening_)
        return true;
    server_.reset();
    listening_.clear();
    if (wanted.empty()) {
        log_(false, "network boot is not enabled any more");
        return true;
    }
    net::ServerSettings server;
    server.address = settings->address;
    server.port = settings->http_port;
    server.body_limit = 0;
    auto made = net::serve(
        server, [this, folder](const net::Request& request, const net::Respond& respond) {
            serve(folder, request, respond);
        });
    if (!made) {
        say_once("network boot: " + made.error().message());
        return false;
    }
    server_ = std::move(*made);
    listening_ = wanted;
    said_.clear();
    log_(false, "network boot: files for PCs at http://" + wanted + "/netboot/");
    return true;
}

void NetbootDoor::serve(const netboot::Folder& folder, const net::Request& request,
                        const net::Respond& respond) {
    if (request.method != "GET" && request.method != "HEAD")
        return respond(net::error_response(
            Error{Errc::forbidden, "files of network boot can be read, no more", "", 0}));
    if (!request.path.starts_with(prefix))
        return respond(net::error_response(
            Error{Errc::not_found, "there is nothing but /netboot/ here", "", 0}));
    const auto file = folder.served(request.path.substr(prefix.size()));
    if (!file)
        return respond(net::error_response(file.error()));
    fetches_.saw(request.peer.address, std::filesystem::path(*file).filename().string(),
                 FetchLog::Clock::now());
    net::Response response;
    response.content_type = "application/octet-stream";
    response.file = *file;
    respond(std::move(response));
}

} // namespace baton::controller
