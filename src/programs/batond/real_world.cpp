/// Real hosts, a real desk server, real routes, the library of OS images.
#include "deskserver/client.h"
#include "hostlink/fleet.h"
#include "osimage/library.h"
#include "programs/batond/desk_door.h"
#include "programs/batond/route_keeper.h"
#include "programs/batond/world.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

namespace baton::controller {

namespace {

class LibraryImages : public api::Images {
  public:
    explicit LibraryImages(osimage::Library library) : library_(std::move(library)) {}

    Result<std::vector<osimage::Manifest>> list() override {
        auto all = library_.list();
        if (!all)
            return tl::unexpected(all.error());
        std::vector<osimage::Manifest> sound;
        for (osimage::Listed& one : *all)
            if (one.manifest)
                sound.push_back(std::move(*one.manifest));
        return sound;
    }

    Result<OsImageId> resolve(const std::string& wanted) override {
        return library_.resolve(wanted).map(
            [](const osimage::Manifest& manifest) { return manifest.id; });
    }

    Result<std::string> file(const OsImageId& id, const std::string& name) override {
        const auto manifest = library_.show(id);
        if (!manifest)
            return tl::unexpected(manifest.error());
        const bool listed = std::ranges::any_of(
            manifest->files, [&](const osimage::File& file) { return file.name == name; });
        if (!listed && name != "manifest.json")
            return fail(Errc::not_found,
                        fmt::format("the OS image {} has no file '{}'", id.value, name));
        return fmt::format("{}/{}/{}", library_.folder(), id.value, name);
    }

  private:
    osimage::Library library_;
};

class RealWorld : public World {
  public:
    RealWorld(const Config& config, Loop& loop, Pool& pool, osimage::Library library)
        : images_(std::move(library)),
          desks_(config, loop, pool),
          routes_(config, loop, pool),
          fleet_(hostlink::HostFleet::make(loop, [this](const HostId& host, const net::Peer& peer) {
              return admit(host, peer);
          })) {}

    handoff::Fleet& fleet() override { return *fleet_; }

    handoff::DeskServer& desk_server() override { return desks_; }

    handoff::Path& path() override { return routes_; }

    api::DeskAdmin& desk_admin() override { return desks_; }

    api::Images& images() override { return images_; }

    void prepare(handoff::Engine& engine, store::Store& store) override {
        store_ = &store;
        fleet_->set_events(engine);
        routes_.restore(store);
    }

    Result<void> begin(handoff::Engine&, store::Store&) override { return {}; }

    net::OnWebSocket on_websocket() override {
        return [this](const net::Request& request, std::shared_ptr<net::WebSocket> socket) {
            return fleet_->accept(request, std::move(socket));
        };
    }

    void on_reading(std::function<void(monitor::Reading)> told) override {
        fleet_->on_reading(std::move(told));
    }

    void on_cpu_shares(std::function<void(const HostId&, const CpuSharesTold&)> told) override {
        fleet_->on_cpu_shares(std::move(told));
    }

    void host_changed(const HostId& host) override { fleet_->expel(host); }

    void stop() override {}

  private:
    /// Its certificate is the one it was given when it joined, and it has not been removed since.
    Result<void> admit(const HostId& host, const net::Peer& peer) {
        auto rows = store_->hosts();
        if (!rows)
            return tl::unexpected(rows.error());
        for (const store::HostRow& row : *rows)
            if (row.id == host && row.joined && row.certificate_sha256 == peer.certificate_sha256)
                return {};
        return fail(
            Errc::forbidden,
            fmt::format("'{}' is not a host of this site with that certificate", host.value),
            "let it join (again): baton host invite NAME");
    }

    store::Store* store_ = nullptr;
    LibraryImages images_;
    DeskDoor desks_;
    RouteKeeper routes_;
    std::unique_ptr<hostlink::HostFleet> fleet_;
};

} // namespace

Result<std::unique_ptr<World>> make_real_world(const Config& config, Loop& loop, Pool& pool) {
    auto library = osimage::Library::open_folder(config.images_folder);
    if (!library)
        return tl::unexpected(library.error());
    return std::make_unique<RealWorld>(config, loop, pool, std::move(*library));
}

} // namespace baton::controller
