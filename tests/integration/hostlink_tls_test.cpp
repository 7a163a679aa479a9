// A host's agent and the controller's fleet over real TLS on loopback, in real threads, with the
// simulated hypervisor behind.
#include "handoff/loop.h"
#include "hostlink/agent.h"
#include "hostlink/fleet.h"
#include "hostlink/images.h"
#include "hostlink/protocol.h"
#include "hypervisor/simulated.h"
#include "net/pki.h"
#include "support/temporary_directory.h"

#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <future>
#include <mutex>

namespace baton::hostlink {
namespace {

using baton::testing::TemporaryDirectory;
using namespace std::chrono_literals;

class NoImages : public ImageSource {
  public:
    Result<osimage::LocalImage> ensure(const OsImageId& id) override {
        osimage::LocalImage image;
        image.id = id;
        return image;
    }
};

/// What the engine is told, for a thread to wait for.
class Heard : public handoff::FleetEvents {
  public:
    void on_host_up(const HostFacts& facts) override { say("up " + facts.id.value); }

    void on_host_down(const HostId& host, const std::string&) override {
        say("down " + host.value);
    }

    void on_desktop_gone(const HostId&, const DesktopId& desktop, const std::string&) override {
        say("gone " + desktop.value);
    }

    void on_answer(const DesktopId& desktop, bool) override { say("answer " + desktop.value); }

    void on_logged_out(const DesktopId& desktop) override { say("out " + desktop.value); }

    /// Waits until `word` has been said `times` times.
    bool wait(const std::string& word, std::ptrdiff_t times = 1) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(
            lock, 20s, [&] { return std::count(words_.begin(), words_.end(), word) >= times; });
    }

  private:
    void say(const std::string& word) {
        const std::lock_guard lock(mutex_);
        words_.push_back(word);
        changed_.notify_all();
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<std::string> words_;
};

/// The controller: its loop, its fleet, its door.
struct Controller {
    Controller(const net::TlsFiles& tls, const std::string& known_sha256, Heard& heard,
               std::uint16_t port)
        : fleet(HostFleet::make(
              loop, [known_sha256](const HostId&, const net::Peer& peer) -> Result<void> {
                  if (peer.certificate_sha256 != known_sha256)
                      return fail(Errc::forbidden, "not the certificate that it joined with");
                  return {};
              })) {
        fleet->set_events(heard);
        net::ServerSettings settings;
        settings.tls = tls;
        settings.port = port;
        auto made = net::serve(
            settings,
            [](const net::Request&, const net::Respond& respond) {
                respond(net::error_response(Error{Errc::not_found, "nothing", "", 0}));
            },
            [this](const net::Request& request, std::shared_ptr<net::WebSocket> socket) {
                return fleet->accept(request, std::move(socket));
            });
        if (!made)
            throw std::runtime_error(made.error().message());
        server = std::move(*made);
    }

    ~Controller() {
        server.reset();
        loop.run_and_wait([this] { fleet.reset(); });
    }

    Controller(const Controller&) = delete;
    Controller& operator=(const Controller&) = delete;

    /// Calls on the loop and waits for the outcome.
    template <class T, class Call>
    Result<T> ask(Call call) {
        std::promise<Result<T>> outcome;
        loop.post(
            [&] { call(*fleet, [&](Result<T> result) { outcome.set_value(std::move(result)); }); });
        return outcome.get_future().get();
    }

    handoff::Loop loop;
    std::unique_ptr<HostFleet> fleet;
    std::unique_ptr<net::Server> server;
};

/// The host: agent, dialer, simulated machines.
struct Host {
    Host(const net::ClientSettings& where, ImageSource& images,
         hypervisor::Hypervisor& hypervisor) {
        AgentSettings settings;
        settings.facts = {HostId("host1"), "127.0.0.1", 4_GiB, 2, {false, "simulated"}, "0.1.0"};
        const auto on = [](handoff::InOrder& pool) {
            return [&pool](const std::string& key, std::function<void()> work) {
                pool.run(key, std::move(work));
            };
        };
        agent = Agent::make({hypervisor, images, loop, on(quick_in_order), on(slow_in_order)},
                            settings);
        dialer = net::Dialer::start(
            [this](auto link, auto ended) { agent->serve(std::move(link), std::move(ended)); },
            [where] { return net::connect_websocket(where, std::string(target)); }, {5ms, 50ms});
    }

    ~Host() {
        dialer.reset();
        loop.run_and_wait([this] { agent.reset(); });
        quick.stop();
        slow.stop();
        loop.stop();
    }

    Host(const Host&) = delete;
    Host& operator=(const Host&) = delete;

    handoff::Loop loop;
    handoff::Pool quick{4};
    handoff::Pool slow{1};
    handoff::InOrder quick_in_order{quick};
    handoff::InOrder slow_in_order{slow};
    std::unique_ptr<Agent> agent;
    std::unique_ptr<net::Dialer> dialer;
};

class HostLinkTls : public ::testing::Test {
  protected:
    HostLinkTls() {
        spdlog::set_level(spdlog::level::off);
        net::CertificateOrder order;
        order.common_name = "boot1";
        order.names = {"127.0.0.1"};
        order.server = true;
        server_files = files("server", order);
        order.common_name = "host1";
        order.client = true;
        client_files = files("client", order);
        known = net::inspect_certificate_file(client_files.certificate)->sha256;
        begin_controller();
    }

    net::TlsFiles files(const std::string& role, const net::CertificateOrder& order) {
        const auto place = folder.file(role);
        EXPECT_TRUE(net::keep_certificate(authority, place, role, order, now));
        return {place + "/" + role + "-cert.pem", place + "/" + role + "-key.pem",
                place + "/ca-cert.pem"};
    }

    void begin_controller() {
        controller = std::make_unique<Controller>(server_files, known, heard, port);
        port = controller->server->port();
    }

    [[nodiscard]] net::ClientSettings where() const {
        net::ClientSettings settings;
        settings.url = "https://127.0.0.1:" + std::to_string(port);
        settings.tls = client_files;
        return settings;
    }

    Result<handoff::Started> start(const std::string& desktop) {
        handoff::StartOrder order;
        order.desktop = DesktopId(desktop);
        order.session = SessionId("s-" + desktop.substr(2));
        order.person = UserName("kim");
        order.image = OsImageId("tiny-1");
        order.memory = 256_MiB;
        order.screen_password = "secret";
        order.screen_password_until = now + 1h;
        return controller->ask<handoff::Started>(
            [&](HostFleet& fleet, auto done) { fleet.start(host1, order, done); });
    }

    Result<handoff::MountReport> attach(const std::string& desktop, std::uint64_t fence) {
        const DeskExport desk{DeskName("kim"),
                              DeskId("1-2"),
                              FencingNumber{fence},
                              {"127.0.0.1", 10809},
                              "desk.1-2.1",
                              1 << 30,
                              false};
        return controller->ask<handoff::MountReport>([&](HostFleet& fleet, auto done) {
            fleet.attach(host1, DesktopId(desktop), desk, 10s, done);
        });
    }

    Result<void> release(const std::string& desktop) {
        return controller->ask<void>([&](HostFleet& fleet, auto done) {
            fleet.release(host1, DesktopId(desktop), 0s, 10s, done);
        });
    }

    Result<void> stop(const std::string& desktop) {
        return controller->ask<void>(
            [&](HostFleet& fleet, auto done) { fleet.stop(host1, DesktopId(desktop), done); });
    }

    Result<std::vector<DesktopInfo>> list() {
        return controller->ask<std::vector<DesktopInfo>>(
            [&](HostFleet& fleet, auto done) { fleet.list(host1, done); });
    }

    TemporaryDirectory folder;
    WallTime now = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
    net::Authority authority = net::Authority::create("Baton CA", now).value();
    net::TlsFiles server_files;
    net::TlsFiles client_files;
    std::string known;
    std::uint16_t port = 0;
    Heard heard;
    NoImages images;
    std::unique_ptr<hypervisor::Simulated> machines = hypervisor::make_simulated();
    std::unique_ptr<Controller> controller;
    const HostId host1{"host1"};
};

TEST_F(HostLinkTls, ADesktopsWholeLife) {
    const Host host(where(), images, *machines);
    ASSERT_TRUE(heard.wait("up host1"));
    const auto started = start("d-1");
    ASSERT_TRUE(started) << started.error().message();
    EXPECT_EQ(started->memory, 256_MiB);
    const auto attached = attach("d-1", 1);
    ASSERT_TRUE(attached) << attached.error().message();
    const auto listed = list();
    ASSERT_TRUE(listed && listed->size() == 1);
    EXPECT_TRUE((*listed)[0].desk_attached);
    EXPECT_EQ((*listed)[0].desk_fence, FencingNumber{1});
    machines->guest_says(DesktopId("d-1"), guest::LoggedOut{});
    EXPECT_TRUE(heard.wait("out d-1"));
    const auto released = release("d-1");
    EXPECT_TRUE(released) << released.error().message();
    EXPECT_TRUE(stop("d-1"));
    EXPECT_TRUE(list()->empty());
    EXPECT_EQ(machines->memory_in_use(), 0_MiB);
}

TEST_F(HostLinkTls, ManyDesktopsAtOnce) {
    const Host host(where(), images, *machines);
    ASSERT_TRUE(heard.wait("up host1"));
    std::vector<std::future<bool>> lives;
    for (int i = 0; i < 12; ++i)
        lives.push_back(std::async(std::launch::async, [this, i] {
            const auto desktop = "d-" + std::to_string(i);
            return start(desktop) && attach(desktop, static_cast<std::uint64_t>(i) + 1) &&
                   release(desktop) && stop(desktop);
        }));
    for (auto& life : lives)
        EXPECT_TRUE(life.get());
    EXPECT_EQ(machines->memory_in_use(), 0_MiB);
}

TEST_F(HostLinkTls, DesktopsOutliveTheControllerAndTheAgent) {
    {
        auto host = std::make_unique<Host>(where(), images, *machines);
        ASSERT_TRUE(heard.wait("up host1"));
        ASSERT_TRUE(start("d-1"));
        controller.reset();
        begin_controller(); // the same port; the host dials again by itself
        ASSERT_TRUE(heard.wait("up host1", 2));
        EXPECT_EQ(list()->size(), 1U);
        EXPECT_TRUE(start("d-1")); // as it is
        machines->lose(DesktopId("d-1"));
        EXPECT_TRUE(heard.wait("gone d-1"));
    }
    EXPECT_TRUE(heard.wait("down host1"));
    EXPECT_EQ(start("d-2").error().code, Errc::unavailable);
}

TEST_F(HostLinkTls, ACertificateThatIsNotTheHostsAnyMoreIsTurnedAway) {
    known = "another";
    controller.reset();
    begin_controller();
    std::promise<LinkEnd> ended;
    handoff::Loop loop;
    handoff::Pool pool(1);
    handoff::InOrder in_order(pool);
    const auto workers = [&in_order](const std::string& key, std::function<void()> work) {
        in_order.run(key, std::move(work));
    };
    AgentSettings settings;
    settings.facts = {host1, "127.0.0.1", 4_GiB, 2, {false, "no"}, "0.1.0"};
    auto agent = Agent::make({*machines, images, loop, workers, workers}, settings);
    auto link = net::connect_websocket(where(), std::string(target));
    ASSERT_TRUE(link) << link.error().message();
    agent->serve(*link, [&](LinkEnd end) { ended.set_value(std::move(end)); });
    const auto end = ended.get_future().get();
    EXPECT_FALSE(end.welcomed);
    EXPECT_EQ(end.why.code, Errc::forbidden);
    link->reset();
    loop.run_and_wait([&] { agent.reset(); });
    pool.stop();
}

// ---- images -------------------------------------------------------------------------------------

TEST(HostImages, AreBroughtFromTheControllerOnceAndVerified) {
    spdlog::set_level(spdlog::level::off);
    const TemporaryDirectory folder;
    // The controller's library has one image.
    auto source = osimage::Library::open_folder(folder.file("source")).value();
    auto workshop = source.workshop().value();
    const auto disk = workshop.folder() + "/disk.qcow2";
    ASSERT_EQ(std::system(("qemu-img create -q -f qcow2 " + disk + " 1M").c_str()), 0);
    osimage::Draft draft;
    draft.name = "tiny";
    const auto published = source.publish(std::move(workshop), draft);
    ASSERT_TRUE(published) << published.error().message();
    std::atomic<int> files{0};
    std::atomic<bool> spoil{true};
    const auto server =
        net::serve({}, [&](const net::Request& request, const net::Respond& respond) {
            const auto base = "/v1/os-images/" + published->id.value;
            net::Response response;
            if (request.path == base + "/manifest") {
                response.body = osimage::to_json(*published);
            } else if (request.path.starts_with(base + "/files/")) {
                ++files;
                response.file = folder.file("source/" + published->id.value + "/" +
                                            request.path.substr(base.size() + 7));
                if (spoil.exchange(false)) {
                    response.file.clear();
                    response.body = "something else";
                }
            } else {
                response = net::error_response(Error{Errc::not_found, "no such image", "", 0});
            }
            respond(response);
        });
    ASSERT_TRUE(server);
    net::ClientSettings settings;
    settings.url = "http://127.0.0.1:" + std::to_string((*server)->port());
    const auto images =
        make_images(osimage::Library::open_folder(folder.file("here")).value(), settings);
    const auto image = images->ensure(published->id);
    ASSERT_TRUE(image) << image.error().message();
    EXPECT_EQ(image->disk, folder.file("here/" + published->id.value + "/disk.qcow2"));
    EXPECT_GE(files, 2); // what came first was not what the manifest says
    const int before = files;
    EXPECT_TRUE(images->ensure(published->id));
    EXPECT_EQ(files, before);
    EXPECT_EQ(images->ensure(OsImageId("none-1")).error().code, Errc::not_found);
    EXPECT_EQ(images->ensure(OsImageId("../etc")).error().code, Errc::invalid_argument);
}

} // namespace
} // namespace baton::hostlink
