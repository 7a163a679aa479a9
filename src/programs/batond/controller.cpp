#include "programs/batond/controller.h"

#include "allocation/allocator.h"
#include "net/join_token.h"
#include "net/pki.h"
#include "process/large_pages.h"
#include "programs/batond/certificates.h"
#include "programs/batond/gateways.h"
#include "programs/batond/load_feed.h"
#include "programs/batond/needs.h"
#include "programs/batond/netboot_door.h"
#include "programs/batond/retention.h"
#include "programs/batond/samples_keeper.h"
#include "programs/batond/share_news.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <fcntl.h>
#include <filesystem>
#include <future>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace fs = std::filesystem;

namespace baton::controller {

namespace {

/// Password hashes, desk server calls and routes run side by side on these.
constexpr unsigned background_threads = 4;
/// Bodies are small but for a desk's image.
constexpr std::size_t server_body_limit = std::size_t{9} << 20;

std::string host_name() {
    std::array<char, 256> name{};
    if (::gethostname(name.data(), name.size() - 1) != 0)
        return "localhost";
    return name.data();
}

/// The host part of "https://boot1:8443".
std::string host_of_url(const std::string& url) {
    const std::size_t begin = url.find("://") == std::string::npos ? 0 : url.find("://") + 3;
    const std::size_t end = url.find_first_of(":/", begin);
    return url.substr(begin, end == std::string::npos ? end : end - begin);
}

class StateFolder {
  public:
    /// Errc::busy: another batond runs on it.
    static Result<StateFolder> take(const std::string& path) {
        std::error_code error;
        fs::create_directories(path, error);
        if (error)
            return fail_errno(error.value(), fmt::format("cannot make the state folder {}", path),
                              "set state.dir to a folder that may be written");
        if (::chmod(path.c_str(), 0700) != 0)
            return fail_errno(errno, fmt::format("cannot make the state folder {} private", path),
                              "it has to belong to the user that batond runs as");
        const std::string lock = path + "/lock";
        StateFolder folder;
        folder.lock_ = ::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (folder.lock_ < 0)
            return fail_errno(errno, fmt::format("cannot open {}", lock));
        if (::flock(folder.lock_, LOCK_EX | LOCK_NB) != 0)
            return fail(Errc::busy, fmt::format("another batond runs on {}", path),
                        "stop it first, or give this one a state.dir of its own");
        return folder;
    }

    StateFolder() = default;

    StateFolder(StateFolder&& other) noexcept : lock_(std::exchange(other.lock_, -1)) {}

    StateFolder& operator=(StateFolder&& other) noexcept {
        std::swap(lock_, other.lock_);
        return *this;
    }

    ~StateFolder() {
        if (lock_ >= 0)
            ::close(lock_);
    }

  private:
    int lock_ = -1;
};

class SiteAuthority : public api::Authority {
  public:
    explicit SiteAuthority(CertificateKeeper& certificates) : certificates_(certificates) {}

    Result<api::HostCertificate> sign_host(const HostId& host,
                                           const std::string& csr_pem) override {
        return with_authority(certificates_.sign_host(host, csr_pem));
    }

    Result<api::HostCertificate> sign_gateway(const GatewayId& gateway, const std::string& address,
                                              const std::string& csr_pem) override {
        return with_authority(certificates_.sign_gateway(gateway, address, csr_pem));
    }

    std::string join_token(const std::string& secret) override {
        return net::encode(net::JoinToken{url, certificates_.authority().sha256(), secret});
    }

    std::string url; ///< known when the server listens

  private:
    Result<api::HostCertificate> with_authority(const Result<std::string>& certificate) const {
        if (!certificate)
            return tl::unexpected(certificate.error());
        auto info = net::inspect_certificate(*certificate);
        if (!info)
            return tl::unexpected(info.error());
        return api::HostCertificate{*certificate, certificates_.authority().certificate_pem(),
                                    info->sha256};
    }

    CertificateKeeper& certificates_;
};

class Site : public Controller {
  public:
    explicit Site(Config config) : config_(std::move(config)) {}

    ~Site() override;
    Result<void> begin();

    std::vector<std::string> urls() const override { return urls_; }

    std::string admin_token_file() const override { return config_.state_dir + "/admin.token"; }

  private:
    Result<void> make_certificates();
    Result<void> make_api();
    Result<void> wake_engine();
    void make_samples();
    Result<void> write_admin_token();
    Result<void> listen();
    Result<void> listen_at(const net::ServerSettings& settings, const std::string& url);

    Config config_;
    StateFolder folder_;
    std::unique_ptr<store::Store> store_;
    std::unique_ptr<Loop> loop_;
    std::unique_ptr<Pool> pool_;
    std::unique_ptr<World> world_;
    std::unique_ptr<GatewaySite> gateways_;
    std::unique_ptr<handoff::Engine> engine_;
    std::unique_ptr<api::Hasher> hasher_;
    std::unique_ptr<CertificateKeeper> certificates_;
    std::unique_ptr<SiteAuthority> authority_;
    api::Latest latest_;
    std::unique_ptr<LoadFeed> load_feed_;
    std::unique_ptr<Needs> needs_;
    std::unique_ptr<ShareNews> share_news_;
    std::unique_ptr<api::Api> api_;
    std::unique_ptr<Historian> historian_;
    std::unique_ptr<SamplesKeeper> samples_;
    std::unique_ptr<NetbootDoor> netboot_;
    std::vector<std::unique_ptr<net::Server>> servers_;
    std::vector<std::string> urls_;
};

Site::~Site() {
    netboot_.reset();
    servers_.clear(); // no more requests begin
    if (world_)
        world_->stop();
    if (pool_)
        pool_->stop();
    if (loop_)
        loop_->stop();
}

Result<void> Site::begin() {
    config_.engine.sizes.memory = &process::large_pages();
    // a wrong policy or size is said before anything is made
    if (auto fine = allocation::make_allocator(config_.engine.policy, config_.engine.sizes, {});
        !fine)
        return tl::unexpected(fine.error().in("allocation"));
    auto folder = StateFolder::take(config_.state_dir);
    if (!folder)
        return tl::unexpected(folder.error());
    folder_ = std::move(*folder);
    auto store = store::open_sqlite(config_.state_dir + "/state.db");
    if (!store)
        return tl::unexpected(store.error());
    store_ = std::move(*store);
    loop_ = std::make_unique<Loop>();
    pool_ = std::make_unique<Pool>(background_threads);
    BATON_TRY(make_certificates());
    auto world = config_.simulated_hosts > 0 ? make_simulated_world(config_, *loop_)
                                             : make_real_world(config_, *loop_, *pool_);
    if (!world)
        return tl::unexpected(world.error());
    world_ = std::move(*world);
    if (config_.engine.policy == "advised") {
        needs_ = std::make_unique<Needs>(sizes_of(config_.engine.sizes));
        config_.engine.advice = [this](const UserName& user, const OsImageId& image) {
            return needs_->find(user, image);
        };
    }
    gateways_ = std::make_unique<GatewaySite>(world_->path(), world_->fleet(), *loop_);
    engine_ = handoff::Engine::make(*store_, world_->fleet(), world_->desk_server(), *gateways_,
                                    *loop_, config_.engine);
    world_->prepare(*engine_, *store_);
    BATON_TRY(make_api());
    BATON_TRY(wake_engine());
    BATON_TRY(write_admin_token());
    return listen();
}

Result<void> Site::make_certificates() {
    const std::string folder = config_.state_dir + "/pki";
    const std::string name = host_name();
    const bool first = !fs::exists(folder);
    auto authority = net::open_authority(folder, "Baton CA of " + name, loop_->wall());
    if (!authority)
        return tl::unexpected(authority.error());
    if (first)
        spdlog::info("made the site's certificate authority in {}", folder);

    net::CertificateOrder server;
    server.common_name = name;
    server.server = true;
    server.names = {name, "localhost", "127.0.0.1"};
    for (const std::string& address : config_.addresses)
        if (address != "0.0.0.0" && address != "::" &&
            std::ranges::find(server.names, address) == server.names.end())
            server.names.push_back(address);
    if (const std::string host = host_of_url(config_.public_url);
        !host.empty() && std::ranges::find(server.names, host) == server.names.end())
        server.names.push_back(host);
    // "api": the controller's own; "deskd", "controller": for the desk server and for our calls to
    // it
    net::CertificateOrder deskd = server;
    deskd.common_name = "deskd";
    if (const std::string host = host_of_url(config_.desk_server);
        std::ranges::find(deskd.names, host) == deskd.names.end())
        deskd.names.push_back(host);
    net::CertificateOrder client;
    client.common_name = "controller";
    client.names = {"controller"};
    client.client = true;
    certificates_ = std::make_unique<CertificateKeeper>(
        std::move(*authority), folder,
        std::vector<SiteCertificate>{{"api", "server", server},
                                     {"deskd", "server", deskd},
                                     {"controller", "client", client}},
        CertificateKeeper::Doors{*store_, *loop_, [this] { api_->events_grew(); },
                                 [](const Error& error) { spdlog::warn("{}", error.message()); }});
    const auto fresh = certificates_->keep();
    if (!fresh)
        return tl::unexpected(fresh.error());
    for (const auto& path : *fresh)
        spdlog::info("issued the certificate {}", path);
    authority_ = std::make_unique<SiteAuthority>(*certificates_);
    return {};
}

Result<void> Site::make_api() {
    hasher_ = api::make_hasher();
    make_samples();
    if (!config_.netboot_folder.empty())
        netboot_ = std::make_unique<NetbootDoor>(
            config_.netboot_folder, [](bool bad, const std::string& line) {
                bad ? spdlog::warn("{}", line) : spdlog::info("{}", line);
            });
    const api::Services services{
        *store_,
        *engine_,
        *loop_,
        *hasher_,
        world_->desk_admin(),
        world_->images(),
        *authority_,
        [this](std::function<void()> work) { pool_->run(std::move(work)); },
        [](const std::string& line) { spdlog::error("{}", line); },
        [this](const HostId& host) {
            latest_.forget(host);
            load_feed_->forget(host);
            world_->host_changed(host);
        },
        &latest_,
        samples_.get(),
        gateways_.get(),
        netboot_.get(),
        netboot_ ? [door = netboot_.get()](const std::string& mac) { return door->wake(mac); }
                 : std::function<Result<void>(const std::string&)>()};
    share_news_ = std::make_unique<ShareNews>(
        ShareNews::Doors{*store_, *loop_, latest_, [this] { api_->events_grew(); },
                         [](const Error& error) { spdlog::warn("{}", error.message()); }});
    world_->on_cpu_shares(
        [this](const HostId& host, const CpuSharesTold& told) { share_news_->take(host, told); });
    load_feed_ = std::make_unique<LoadFeed>(*engine_);
    world_->on_reading([this](monitor::Reading reading) {
        load_feed_->take(reading);
        if (needs_)
            needs_->take(reading, *engine_);
        if (samples_)
            samples_->heard(reading);
        latest_.put(std::make_shared<const monitor::Reading>(std::move(reading)),
                    {loop_->monotonic().count()});
    });
    api::Settings settings;
    settings.default_image = config_.default_image;
    settings.login_life = config_.login_life;
    settings.invitation_life = config_.invitation_life;
    settings.reserve = [config = config_](Mebibytes memory) { return config.reserve(memory); };
    settings.viewer_address = config_.viewer_address;
    settings.route = config_.route;
    settings.largest = config_.engine.sizes.largest;
    settings.prestart = config_.prestart;
    settings.kept_unused = config_.kept_unused;
    settings.kept_without_viewer = config_.kept_without_viewer;
    api_ = std::make_unique<api::Api>(services, std::move(settings));
    gateways_->begin(*api_, *engine_, *store_);
    return {};
}

Result<void> Site::wake_engine() {
    Result<void> result;
    loop_->run_and_wait([&] {
        engine_->on_events([this](const std::vector<store::EventRow>& events) {
            for (const store::EventRow& event : events)
                spdlog::info("{} {}: {}", event.kind, event.subject, event.text);
            api_->events_grew();
            if (samples_)
                samples_->happened(events);
        });
        result = api_->load();
        if (result)
            result = engine_->resume();
        if (result && samples_)
            samples_->begin();
        if (result)
            result = world_->begin(*engine_, *store_);
        certificates_->begin();
        historian_ = std::make_unique<Historian>(
            Historian::Doors{*store_, *loop_, [this] { api_->events_grew(); },
                             [](const Error& error) { spdlog::warn("{}", error.message()); }},
            config_.retention);
    });
    return result;
}

void Site::make_samples() {
    if (config_.samples_place().empty())
        return;
    samples_ = std::make_unique<SamplesKeeper>(
        SamplesKeeper::Doors{*store_, *engine_, *loop_, [this] { api_->events_grew(); },
                             [](bool bad, const std::string& line) {
                                 bad ? spdlog::error("{}", line) : spdlog::info("{}", line);
                             }},
        SamplesKeeper::Settings{config_.samples_place(), config_.samples,
                                static_cast<std::size_t>(config_.samples_waiting.bytes())});
    spdlog::info("samples are kept in {}", samples_->state().where);
}

Result<void> Site::write_admin_token() {
    const std::string path = admin_token_file();
    std::string present = net::read_small_file(path).value_or(std::string{});
    while (!present.empty() && (present.back() == '\n' || present.back() == ' '))
        present.pop_back();
    Result<std::string> fresh;
    loop_->run_and_wait([&] { fresh = api_->local_admin_token(present); });
    if (!fresh && fresh.error().code == Errc::refused) {
        spdlog::warn("{}", fresh.error().message());
        return {};
    }
    if (!fresh)
        return tl::unexpected(fresh.error());
    if (fresh->empty())
        return {};
    BATON_TRY(net::write_private_file(path, *fresh + "\n"));
    spdlog::info("the admin's token is in {}", path);
    return {};
}

Result<void> Site::listen_at(const net::ServerSettings& settings, const std::string& url) {
    auto server = net::serve(
        settings,
        [this](net::Request request, net::Respond respond) {
            api_->handle(std::move(request), std::move(respond));
        },
        [this, hosts = world_->on_websocket()](const net::Request& request,
                                               const std::shared_ptr<net::WebSocket>& socket) {
            return gateways_->accept(request, socket) || (hosts && hosts(request, socket));
        });
    if (!server)
        return tl::unexpected(server.error());
    urls_.push_back(url.empty() ? fmt::format("https://{}:{}", settings.address, (*server)->port())
                                : url);
    servers_.push_back(std::move(*server));
    return {};
}

Result<void> Site::listen() {
    const std::string pki = config_.state_dir + "/pki/api";
    for (const std::string& address : config_.addresses) {
        net::ServerSettings settings;
        settings.address = address;
        settings.port = config_.port;
        settings.tls = {pki + "/server-cert.pem", pki + "/server-key.pem", pki + "/ca-cert.pem"};
        settings.body_limit = server_body_limit;
        BATON_TRY(listen_at(settings, ""));
    }
    std::string address = config_.addresses.front();
    if (address == "0.0.0.0" || address == "::")
        address = host_name();
    authority_->url = config_.public_url.empty()
                          ? fmt::format("https://{}:{}", address, servers_.front()->port())
                          : config_.public_url;
    if (config_.local_socket.empty())
        return {};
    std::error_code error;
    fs::create_directories(fs::path(config_.local_socket).parent_path(), error);
    net::ServerSettings local;
    local.address = "unix:" + config_.local_socket;
    local.body_limit = server_body_limit;
    return listen_at(local, local.address);
}

} // namespace

Result<std::unique_ptr<Controller>> Controller::start(const Config& config) {
    auto site = std::make_unique<Site>(config);
    BATON_TRY(site->begin());
    return site;
}

} // namespace baton::controller
