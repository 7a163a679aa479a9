#include "programs/batond/desk_door.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <fcntl.h>
#include <filesystem>
#include <iterator>
#include <unistd.h>

namespace fs = std::filesystem;

namespace baton::controller {

namespace {

using namespace std::chrono_literals;

/// A packed desk that nobody has fetched by then is removed.
constexpr std::chrono::minutes export_kept{60};

net::ClientSettings settings_for(const Config& config) {
    const std::string pki = config.state_dir + "/pki/controller";
    net::ClientSettings settings;
    settings.url = config.desk_server;
    settings.tls = {pki + "/client-cert.pem", pki + "/client-key.pem", pki + "/ca-cert.pem"};
    return settings;
}

api::DeskFacts facts_of(const deskserver::DeskView& view) {
    return {view.header.id, view.header.size_bytes, view.header.largest_fence};
}

api::DeskSnapshot told_of(const desk::Snapshot& snapshot) {
    return {snapshot.name, snapshot.made, snapshot.generation, snapshot.allocated_bytes,
            snapshot.shared};
}

api::DeskWhereabouts whereabouts_of(const deskserver::DeskView& view) {
    api::DeskWhereabouts where{view.header.largest_fence, view.header.generation,
                               view.header.journey, std::nullopt};
    if (const auto& out = view.header.checked_out)
        where.away = {out->to, out->since, out->generation};
    return where;
}

/// Keeps a part in the file; true: it is whole.
Result<bool> keep_piece(const std::string& path, const api::DeskPiece& piece) {
    const auto folder = fs::path(path).parent_path().string();
    const int flags = O_WRONLY | O_CREAT | O_CLOEXEC | (piece.offset == 0 ? O_TRUNC : 0);
    const int fd = ::open(path.c_str(), flags, 0600);
    if (fd < 0)
        return fail_errno(errno, fmt::format("cannot keep the desk in {}", folder));
    const ssize_t written = ::pwrite(fd, piece.bytes.data(), piece.bytes.size(), piece.offset);
    const int why = errno;
    ::close(fd);
    if (written == static_cast<ssize_t>(piece.bytes.size()))
        return piece.offset + written >= piece.total;
    std::error_code ignored;
    fs::remove(path, ignored);
    return fail_errno(written < 0 ? why : ENOSPC,
                      fmt::format("cannot keep the desk in {}", folder));
}

std::string text_of(const desk::CheckReport& report) {
    std::string text;
    for (const std::string& finding : report.findings)
        text += (text.empty() ? "" : "\n") + finding;
    return text;
}

} // namespace

DeskDoor::Clients::Clients(net::ClientSettings settings, std::chrono::milliseconds patience)
    : settings_(std::move(settings)) {
    settings_.timeout = patience;
}

Result<std::unique_ptr<deskserver::Client>> DeskDoor::Clients::take() {
    {
        const std::lock_guard lock(mutex_);
        if (!idle_.empty()) {
            auto client = std::move(idle_.back());
            idle_.pop_back();
            return client;
        }
    }
    auto made = deskserver::Client::make(settings_);
    if (!made)
        return tl::unexpected(made.error());
    return std::make_unique<deskserver::Client>(std::move(*made));
}

void DeskDoor::Clients::give_back(std::unique_ptr<deskserver::Client> client) {
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(client));
}

DeskDoor::DeskDoor(const Config& config, Loop& loop, Pool& pool)
    : loop_(loop),
      in_order_(pool),
      transit_(config.state_dir + "/transit"),
      size_bytes_(config.desk_size_bytes),
      quick_(settings_for(config), 30s),
      slow_(settings_for(config), 15min) {
    std::error_code ignored; // what a former batond left half-way
    fs::remove_all(transit_, ignored);
    fs::create_directories(transit_, ignored);
}

void DeskDoor::lease(const DeskName& desk, FencingNumber fence, const HostId& holder,
                     handoff::Done<DeskExport> done) {
    in_order_.run(desk.value, [this, desk, fence, holder, done = std::move(done)] {
        auto result = quick_.with<DeskExport>(
            [&](deskserver::Client& client) { return client.lease(desk, fence, holder); });
        loop_.post([done, result = std::move(result)] { done(result); });
    });
}

void DeskDoor::close(const DeskName& desk, FencingNumber fence, handoff::Done<void> done) {
    in_order_.run(desk.value, [this, desk, fence, done = std::move(done)] {
        auto result = quick_.with<void>(
            [&](deskserver::Client& client) { return client.close(desk, fence); });
        loop_.post([done, result = std::move(result)] { done(result); });
    });
}

Result<api::DeskFacts> DeskDoor::create(const DeskName& name, const UserName& owner,
                                        std::int64_t size_bytes) {
    return slow_
        .with<deskserver::DeskView>([&](deskserver::Client& client) {
            return client.create(name, owner.value, size_bytes == 0 ? size_bytes_ : size_bytes);
        })
        .map(facts_of);
}

Result<api::DeskCheck> DeskDoor::check(const DeskName& name, bool repair) {
    return slow_
        .with<desk::CheckReport>(
            [&](deskserver::Client& client) { return client.check(name, repair); })
        .map([](const desk::CheckReport& report) {
            return api::DeskCheck{report.verdict != desk::Verdict::damaged, text_of(report)};
        });
}

Result<void> DeskDoor::remove(const DeskName& name) {
    return slow_.with<void>([&](deskserver::Client& client) { return client.remove(name); });
}

Result<api::DeskSnapshot> DeskDoor::take_snapshot(const DeskName& name,
                                                  const std::string& snapshot) {
    return slow_
        .with<desk::Snapshot>(
            [&](deskserver::Client& client) { return client.take_snapshot(name, snapshot); })
        .map(told_of);
}

Result<std::vector<api::DeskSnapshot>> DeskDoor::snapshots(const DeskName& name) {
    using Kept = std::vector<desk::Snapshot>;
    return quick_.with<Kept>([&](deskserver::Client& client) { return client.snapshots(name); })
        .map([](const Kept& kept) {
            std::vector<api::DeskSnapshot> all;
            std::transform(kept.begin(), kept.end(), std::back_inserter(all), told_of);
            return all;
        });
}

Result<void> DeskDoor::remove_snapshot(const DeskName& name, const std::string& snapshot) {
    return slow_.with<void>(
        [&](deskserver::Client& client) { return client.remove_snapshot(name, snapshot); });
}

Result<void> DeskDoor::restore(const DeskName& name, const std::string& snapshot) {
    return slow_
        .with<deskserver::DeskView>(
            [&](deskserver::Client& client) { return client.restore(name, snapshot); })
        .map([](const auto&) {});
}

Result<api::DeskWhereabouts> DeskDoor::whereabouts(const DeskName& name) {
    return quick_
        .with<deskserver::DeskView>([&](deskserver::Client& client) { return client.show(name); })
        .map(whereabouts_of);
}

Result<api::DeskWhereabouts> DeskDoor::check_out(const DeskName& name, const std::string& journey,
                                                 std::uint64_t generation, const std::string& to) {
    return slow_
        .with<deskserver::DeskView>([&](deskserver::Client& client) {
            return client.check_out(name, journey, generation, to);
        })
        .map(whereabouts_of);
}

Result<std::optional<api::DeskWhereabouts>> DeskDoor::check_in_piece(const DeskName& name,
                                                                     const api::DeskPiece& piece) {
    const std::string path = fmt::format("{}/{}.checkin", transit_, name.value);
    const auto whole = keep_piece(path, piece);
    if (!whole)
        return tl::unexpected(whole.error());
    if (!*whole)
        return std::nullopt;
    auto back = slow_.with<deskserver::DeskView>(
        [&](deskserver::Client& client) { return client.bring_back(name, path); });
    std::error_code ignored;
    fs::remove(path, ignored);
    if (!back)
        return tl::unexpected(back.error());
    return std::optional(whereabouts_of(*back));
}

Result<api::DeskWhereabouts> DeskDoor::call_off(const DeskName& name) {
    return slow_
        .with<deskserver::DeskView>(
            [&](deskserver::Client& client) { return client.call_off(name); })
        .map(whereabouts_of);
}

void DeskDoor::export_image(const DeskName& name, net::Respond respond) {
    const std::string path = fmt::format("{}/{}.export", transit_, name.value);
    std::error_code ignored;
    fs::remove(path, ignored);
    auto done =
        slow_.with<void>([&](deskserver::Client& client) { return client.download(name, path); });
    if (!done)
        return respond(net::error_response(done.error()));
    // the server opens it to send it; afterwards it is only in the way
    loop_.after(export_kept, [path] {
        std::error_code gone;
        fs::remove(path, gone);
    });
    net::Response response;
    response.content_type = "application/octet-stream";
    response.file = path;
    respond(std::move(response));
}

Result<std::optional<api::DeskFacts>> DeskDoor::import_piece(const DeskName& name, const UserName&,
                                                             const api::DeskPiece& piece) {
    const std::string path = fmt::format("{}/{}.import", transit_, name.value);
    const auto whole = keep_piece(path, piece);
    if (!whole)
        return tl::unexpected(whole.error());
    if (!*whole)
        return std::nullopt;
    std::error_code ignored;
    auto made = slow_.with<deskserver::DeskView>(
        [&](deskserver::Client& client) { return client.upload(name, path); });
    fs::remove(path, ignored);
    if (!made)
        return tl::unexpected(made.error());
    return std::optional(facts_of(*made));
}

} // namespace baton::controller
