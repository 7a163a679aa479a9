// baton-hostd as it is installed: joins, runs a real desktop beside a libvirtd of its own, is
// killed, comes back. The controller is played by the test, with the real fleet.
#include "handoff/loop.h"
#include "hostlink/fleet.h"
#include "hostlink/protocol.h"
#include "net/digest.h"
#include "net/join_token.h"
#include "net/json.h"
#include "net/pki.h"
#include "osimage/library.h"
#include "process/run.h"
#include "screenrelay/request.h"
#include "screenrelay/tickets.h"
#include "support/hostd_program.h"
#include "support/screen_gateway.h"
#include "support/temporary_directory.h"

#include <boost/beast/core/error.hpp>
#include <boost/json/serialize.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <arpa/inet.h>
#include <array>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <mutex>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

namespace baton::hostlink {
namespace {

using baton::testing::environment;
using Program = baton::testing::HostdProgram;
using baton::testing::GatewayEnd;
using baton::testing::TemporaryDirectory;
using ::testing::HasSubstr;
using ::testing::Not;
using namespace std::chrono_literals;

constexpr const char* boot_address = "10.99.0.1";

std::string run(std::vector<std::string> words) {
    auto done = process::run_checked({std::move(words)}, "running");
    if (!done)
        throw std::runtime_error(done.error().message());
    return done->out;
}

class Heard : public handoff::FleetEvents {
  public:
    void on_host_up(const HostFacts& up) override {
        const std::lock_guard lock(mutex_);
        facts_ = up;
        ++ups_;
        changed_.notify_all();
    }

    void on_host_down(const HostId&, const std::string&) override {}

    void on_desktop_gone(const HostId&, const DesktopId&, const std::string& why) override {
        const std::lock_guard lock(mutex_);
        gone_.push_back(why);
        changed_.notify_all();
    }

    void on_answer(const DesktopId&, bool) override {}

    void on_logged_out(const DesktopId&) override {}

    HostFacts wait_up(int times) {
        std::unique_lock lock(mutex_);
        if (!changed_.wait_for(lock, 60s, [&] { return ups_ >= times; }))
            throw std::runtime_error("the host did not connect");
        return facts_;
    }

    std::vector<std::string> wait_gone(std::size_t count) {
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, 60s, [&] { return gone_.size() >= count; });
        return gone_;
    }

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    HostFacts facts_;
    int ups_ = 0;
    std::vector<std::string> gone_;
};

class Hostd : public ::testing::Test {
  protected:
    Hostd() : library_(osimage::Library::open_folder(environment("BATON_IMAGES")).value()) {
        spdlog::set_level(spdlog::level::warn);
        // A wire to a boot server, in this test's own network namespace.
        if (run({"ip", "-br", "link", "show"}).find("boot0") == std::string::npos) {
            run({"ip", "link", "add", "boot0", "type", "veth", "peer", "name", "boot1"});
            run({"ip", "addr", "add", std::string(boot_address) + "/24", "dev", "boot0"});
            run({"ip", "link", "set", "boot0", "up"});
            run({"ip", "link", "set", "boot1", "up"});
        }
        fleet_ =
            HostFleet::make(loop_, [this](const HostId&, const net::Peer& peer) -> Result<void> {
                if (peer.certificate_sha256 != certificate_)
                    return fail(Errc::forbidden, "it has not joined");
                return {};
            });
        fleet_->set_events(heard_);
        serve();
        image_ = library_.resolve("tiny").value().id;
        write_config();
    }

    ~Hostd() override {
        server_.reset();
        loop_.run_and_wait([this] { fleet_.reset(); });
    }

    void serve() {
        net::CertificateOrder order;
        order.common_name = "boot1";
        order.names = {boot_address};
        order.server = true;
        ASSERT_TRUE(net::keep_certificate(authority_, folder_.file("tls"), "server", order, now_));
        net::ServerSettings settings;
        settings.address = boot_address;
        settings.tls = {folder_.file("tls/server-cert.pem"), folder_.file("tls/server-key.pem"),
                        folder_.file("tls/ca-cert.pem")};
        auto made = net::serve(
            settings,
            [this](const net::Request& request, const net::Respond& respond) {
                respond(answer(request));
            },
            [this](const net::Request& request, std::shared_ptr<net::WebSocket> socket) {
                return fleet_->accept(request, std::move(socket));
            });
        ASSERT_TRUE(made) << made.error().message();
        server_ = std::move(*made);
        url_ = std::string("https://") + boot_address + ":" + std::to_string(server_->port());
    }

    net::Response answer(const net::Request& request) {
        if (request.method == "POST" && request.path == "/v1/hosts/join")
            return join(request);
        net::Response response;
        const std::string base = "/v1/os-images/" + image_.value;
        if (request.peer.certificate_name != "host1") {
            response = net::error_response(Error{Errc::unauthenticated, "who are you?", "", 0});
        } else if (request.path == base + "/manifest") {
            response.body = osimage::to_json(library_.show(image_).value());
        } else if (request.path.starts_with(base + "/files/")) {
            response.file =
                library_.folder() + "/" + image_.value + "/" + request.path.substr(base.size() + 7);
        } else {
            response = net::error_response(Error{Errc::not_found, "nothing here", "", 0});
        }
        return response;
    }

    net::Response join(const net::Request& request) {
        const auto object = net::parse_object(request.body, "join").value();
        net::Fields fields(object, "join");
        if (fields.text("token_secret") != secret_)
            return net::error_response(Error{Errc::unauthenticated, "no such invitation", "", 0});
        net::CertificateOrder order;
        order.common_name = fields.text("name");
        order.names = {fields.text("address")};
        order.client = true;
        order.server = true;
        offered_ = Mebibytes(fields.integer("memory_mib"));
        const auto pem = authority_.sign(fields.text("csr_pem"), order, now_).value();
        certificate_ = net::inspect_certificate(pem)->sha256;
        secret_ = "used";
        net::Response response;
        response.body = boost::json::serialize(
            boost::json::object{{"host", order.common_name},
                                {"certificate_pem", pem},
                                {"authority_pem", authority_.certificate_pem()}});
        return response;
    }

    [[nodiscard]] std::string token(const std::string& secret) const {
        return net::encode(net::JoinToken{url_, authority_.sha256(), secret});
    }

    void write_config() {
        std::ofstream(folder_.file("hostd.toml"))
            << "[controller]\nurl = \"" << url_ << "\"\n[host]\nstate_dir = \""
            << folder_.file("host") << "\"\nmemory = \"2GiB\"\n"
            << "[network]\nsubnet = \"10.101.7.0/24\"\nbridge = \"desktops\"\ngateway = "
               "\"10.99.0.254\"\n";
    }

    std::unique_ptr<Program> join_host(const std::string& secret) {
        return std::make_unique<Program>(std::vector<std::string>{"join", "--token", token(secret),
                                                                  "--name", "host1", "--state",
                                                                  folder_.file("host")},
                                         folder_.file("join.log"));
    }

    std::unique_ptr<Program> run_host() {
        return std::make_unique<Program>(
            std::vector<std::string>{"run", "--config", folder_.file("hostd.toml")},
            folder_.file("run.log"));
    }

    template <class T, class Call>
    Result<T> ask(Call call) {
        std::promise<Result<T>> outcome;
        loop_.post([&] { call([&](Result<T> result) { outcome.set_value(std::move(result)); }); });
        return outcome.get_future().get();
    }

    Result<handoff::Started> start(const std::string& ticket = {}) {
        handoff::StartOrder order;
        order.desktop = d1_;
        order.session = SessionId("s-1");
        order.person = UserName("kim");
        order.image = image_;
        order.memory = 256_MiB;
        if (ticket.empty())
            order.screen_password = "secret";
        order.screen_password_until = now_ + 1h;
        order.screen_ticket = ticket;
        return ask<handoff::Started>([&](auto done) { fleet_->start(host1_, order, done); });
    }

    Result<std::vector<DesktopInfo>> list() {
        return ask<std::vector<DesktopInfo>>([&](auto done) { fleet_->list(host1_, done); });
    }

    Result<void> stop() {
        return ask<void>([&](auto done) { fleet_->stop(host1_, d1_, done); });
    }

    TemporaryDirectory folder_;
    WallTime now_ = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
    net::Authority authority_ = net::Authority::create("Baton CA", now_).value();
    std::string secret_ = "s3cret";
    std::string certificate_;
    Mebibytes offered_;
    osimage::Library library_;
    OsImageId image_;
    Heard heard_;
    handoff::Loop loop_;
    std::unique_ptr<HostFleet> fleet_;
    std::unique_ptr<net::Server> server_;
    std::string url_;
    const HostId host1_{"host1"};
    const DesktopId d1_{"d-hostdtest1"};
};

/// The first bytes that a screen says.
std::string screen_says(const Endpoint& screen) {
    const int descriptor = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(screen.port);
    ::inet_pton(AF_INET, screen.address.c_str(), &address.sin_addr);
    std::array<char, 12> bytes{};
    ssize_t got = 0;
    if (::connect(descriptor, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0)
        got = ::recv(descriptor, bytes.data(), bytes.size(), MSG_WAITALL);
    ::close(descriptor);
    return {bytes.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0))};
}

TEST_F(Hostd, JoinsOnceWithItsToken) {
    auto early = run_host();
    EXPECT_EQ(early->wait(), 3);
    EXPECT_THAT(early->said(), HasSubstr("has not joined"));
    const auto wrong = join_host("guess");
    EXPECT_EQ(wrong->wait(), 6);
    EXPECT_THAT(wrong->said(), HasSubstr("no such invitation"));
    const auto first = join_host("s3cret");
    EXPECT_EQ(first->wait(), 0) << first->said();
    EXPECT_GT(offered_, 100_MiB);
    EXPECT_EQ(net::inspect_certificate_file(folder_.file("host/pki/client-cert.pem"))->common_name,
              "host1");
    const auto again = join_host("s3cret");
    EXPECT_EQ(again->wait(), 5);
    EXPECT_THAT(again->said(), HasSubstr("has joined already, as 'host1'"));
    // A token of another site: its CA is not the one that answers here.
    const auto forged = net::encode(net::JoinToken{url_, std::string(64, 'a'), "s3cret"});
    Program stranger(
        {"join", "--token", forged, "--name", "host1", "--state", folder_.file("other")},
        folder_.file("stranger.log"));
    EXPECT_EQ(stranger.wait(), 6);
    EXPECT_THAT(stranger.said(), HasSubstr("fingerprint"));
    EXPECT_FALSE(std::filesystem::exists(folder_.file("other/pki/client-cert.pem")));
}

TEST_F(Hostd, RunsARealDesktopThatOutlivesIt) {
    ASSERT_EQ(join_host("s3cret")->wait(), 0);
    auto host = run_host();
    const auto facts = heard_.wait_up(1);
    EXPECT_EQ(facts.memory, 2_GiB);
    EXPECT_EQ(facts.address, boot_address);
    EXPECT_FALSE(facts.acceleration.reason.empty());

    const auto started = start();
    ASSERT_TRUE(started) << started.error().message() << host->said();
    EXPECT_EQ(started->memory, 256_MiB);
    EXPECT_EQ(screen_says(started->screen), "RFB 003.008\n");
    // The desktop is in the network that the agent made.
    const auto leases = [&] { return run({"virsh", "-q", "net-dhcp-leases", "baton"}); };
    const auto until = std::chrono::steady_clock::now() + 30s;
    while (leases().find("10.101.7.") == std::string::npos &&
           std::chrono::steady_clock::now() < until)
        std::this_thread::sleep_for(200ms); // libvirt says nothing of leases by itself
    EXPECT_THAT(leases(), HasSubstr("10.101.7."));
    EXPECT_THAT(run({"ip", "rule"}), HasSubstr("from all iif desktops lookup 7101"));
    EXPECT_THAT(run({"ip", "route", "show", "table", "7101"}), HasSubstr("via 10.99.0.254"));

    EXPECT_EQ(host->end(SIGKILL), 128 + SIGKILL);
    host = run_host();
    heard_.wait_up(2);
    auto listed = list();
    ASSERT_TRUE(listed && listed->size() == 1);
    EXPECT_EQ((*listed)[0].id, d1_);
    EXPECT_TRUE((*listed)[0].running);
    const auto again = start(); // repeated after the crash: finds it
    ASSERT_TRUE(again) << again.error().message();
    EXPECT_EQ(again->screen, started->screen);

    Program second({"run", "--config", folder_.file("hostd.toml")}, folder_.file("second.log"));
    EXPECT_EQ(second.wait(), 5);
    EXPECT_THAT(second.said(), HasSubstr("another baton-hostd"));

    EXPECT_EQ(host->end(SIGTERM), 0) << host->said();
    EXPECT_THAT(run({"virsh", "-q", "list", "--name"}), HasSubstr(d1_.value));
    host = run_host();
    heard_.wait_up(3);
    // The VM dies by itself.
    run({"virsh", "-q", "destroy",
         run({"virsh", "-q", "list", "--name"})
             .substr(0, run({"virsh", "-q", "list", "--name"}).find('\n'))});
    EXPECT_EQ(heard_.wait_gone(1).size(), 1U);
    EXPECT_TRUE(start()) << host->said();
    const auto stopped = stop();
    EXPECT_TRUE(stopped) << stopped.error().message();
    EXPECT_TRUE(list()->empty());
    EXPECT_EQ(host->end(SIGTERM), 0);
}

TEST_F(Hostd, AScreenThatAGatewayLooksAtOutlivesTheAgent) {
    const std::string word = "0123456789abcdef0123456789abcdef";
    ASSERT_EQ(join_host("s3cret")->wait(), 0);
    auto host = run_host();
    heard_.wait_up(1);
    const auto started = start(word);
    ASSERT_TRUE(started) << started.error().message() << host->said();
    EXPECT_EQ(started->screen, (Endpoint{boot_address, 5899}));
    const std::string domain =
        run({"virsh", "-q", "dumpxml", "--security-info", "baton-" + d1_.value});
    EXPECT_THAT(domain, HasSubstr("<listen type='socket' socket='" +
                                  folder_.file("host/vm/sc/" + d1_.value) + "'/>"));
    EXPECT_THAT(domain, Not(HasSubstr("passwd")));
    EXPECT_THAT(domain, Not(HasSubstr("listen type='address'")));

    Program screens({"screens", "--config", folder_.file("hostd.toml")},
                    folder_.file("screens.log"));
    ASSERT_TRUE(screens.says("listening on 10.99.0.1:5899")) << screens.said();
    const net::TlsFiles gateway{folder_.file("gw-cert.pem"), folder_.file("gw-key.pem"),
                                folder_.file("gw-ca.pem")};
    baton::testing::write_identity(authority_, "gateway/gw1", gateway);
    auto viewer = GatewayEnd::connect(started->screen, gateway).value();
    ASSERT_TRUE(viewer.send(screenrelay::to_line({d1_, word})));
    EXPECT_EQ(viewer.receive_line(), "ok\n");
    EXPECT_EQ(viewer.receive(12), "RFB 003.008\n");

    EXPECT_EQ(host->end(SIGKILL), 128 + SIGKILL);
    ASSERT_TRUE(viewer.send("RFB 003.008\n"));
    EXPECT_EQ(viewer.receive(2), "\x01\x01") << "one security type: None";
    auto another = GatewayEnd::connect(started->screen, gateway).value();
    ASSERT_TRUE(another.send(screenrelay::to_line({d1_, word})));
    EXPECT_EQ(another.receive_line(), "ok\n") << "no agent is needed";

    host = run_host();
    heard_.wait_up(2);
    const auto listed = list();
    ASSERT_TRUE(listed && listed->size() == 1);
    EXPECT_EQ((*listed)[0].screen, started->screen);
    EXPECT_EQ(start(word)->screen, started->screen) << "repeated after the crash";
    ASSERT_TRUE(viewer.send("\x01"));
    EXPECT_EQ(viewer.receive(4), std::string(4, '\0')) << "the same connection goes on";

    const screenrelay::Tickets tickets(folder_.file("host/screens"));
    EXPECT_TRUE(tickets.read(d1_));
    const auto stopped = stop();
    EXPECT_TRUE(stopped) << stopped.error().message();
    (void)viewer.receive_to_end();
    EXPECT_NE(viewer.error(), boost::beast::error::timeout) << "it heard the end";
    EXPECT_EQ(tickets.read(d1_).error().code, Errc::not_found);
    EXPECT_EQ(screens.end(SIGTERM), 0);
    EXPECT_EQ(host->end(SIGTERM), 0);
}

TEST_F(Hostd, SaysWhatIsMissing) {
    ASSERT_EQ(join_host("s3cret")->wait(), 0);
    std::ofstream(folder_.file("hostd.toml"), std::ios::app)
        << "[libvirt]\nuri = \"qemu+unix:///system?socket=/nonexistent\"\n";
    const auto deaf = run_host();
    EXPECT_EQ(deaf->wait(), 7);
    EXPECT_THAT(deaf->said(), HasSubstr("install libvirt-daemon-system"));
    std::ofstream(folder_.file("hostd.toml"))
        << "[controller]\nurl = \"" << url_ << "\"\n[network]\nsubnet = \"10.101.7.1/24\"\n";
    const auto confused = run_host();
    EXPECT_EQ(confused->wait(), 2);
    EXPECT_THAT(confused->said(), HasSubstr("line 4"));
}

} // namespace
} // namespace baton::hostlink
