// TLS and WebSocket on loopback, with the built-in CA's certificates.
#include "net/http.h"
#include "net/pki.h"
#include "net/tls.h"
#include "support/temporary_directory.h"

#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <condition_variable>
#include <future>
#include <mutex>
#include <sstream>
#include <thread>

namespace baton::net {
namespace {

using baton::testing::TemporaryDirectory;
using namespace std::chrono_literals;

WallTime today() {
    return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
}

CertificateOrder for_server() {
    CertificateOrder order;
    order.common_name = "boot1";
    order.names = {"127.0.0.1"};
    order.server = true;
    return order;
}

CertificateOrder for_client(std::string name) {
    CertificateOrder order;
    order.common_name = std::move(name);
    order.client = true;
    return order;
}

class Tls : public ::testing::Test {
  protected:
    TlsFiles files(const Authority& authority, const CertificateOrder& order, WallTime when) {
        const auto issued = authority.issue(order, when).value();
        const auto stem = folder_.file(std::to_string(++count_));
        TlsFiles result{stem + "-cert.pem", stem + "-key.pem", stem + "-ca.pem"};
        EXPECT_TRUE(write_private_file(result.certificate, issued.certificate_pem));
        EXPECT_TRUE(write_private_file(result.key, issued.key_pem));
        EXPECT_TRUE(write_private_file(result.authority, authority.certificate_pem()));
        return result;
    }

    std::unique_ptr<Server> start(const TlsFiles& tls, bool require) {
        ServerSettings settings;
        settings.tls = tls;
        settings.require_client_certificate = require;
        auto server = serve(settings, [](const Request& request, const Respond& respond) {
            Response response;
            response.body = request.peer.certificate_name + " " + request.peer.certificate_sha256;
            respond(response);
        });
        if (!server)
            throw std::runtime_error(server.error().message());
        return std::move(*server);
    }

    static Result<Response> ask(const Server& server, const TlsFiles& tls,
                                const std::string& pin = "",
                                const std::string& host = "127.0.0.1") {
        ClientSettings settings;
        settings.url = "https://" + host + ":" + std::to_string(server.port());
        settings.tls = tls;
        settings.pinned_sha256 = pin;
        return make_client(settings).value()->request("GET", "/");
    }

    static TlsFiles only_authority(TlsFiles files) {
        files.certificate.clear();
        files.key.clear();
        return files;
    }

    TemporaryDirectory folder_;
    int count_ = 0;
    Authority ours_ = Authority::create("Baton CA", today()).value();
    Authority other_ = Authority::create("Baton CA", today()).value();
    TlsFiles server_files_ = files(ours_, for_server(), today());
};

TEST_F(Tls, NamesThePeerByItsCertificate) {
    const auto server = start(server_files_, true);
    const auto host1 = files(ours_, for_client("host1"), today());
    const auto answer = ask(*server, host1);
    ASSERT_TRUE(answer) << answer.error().message();
    EXPECT_EQ(answer->body, "host1 " + inspect_certificate_file(host1.certificate)->sha256);
}

TEST_F(Tls, ACertificateCanBeOptional) {
    const auto server = start(server_files_, false);
    EXPECT_EQ(ask(*server, only_authority(server_files_))->body, " ");
    EXPECT_EQ(ask(*server, files(ours_, for_client("host1"), today()))->body.substr(0, 6),
              "host1 ");
    // One that is shown must be good.
    const auto stranger = files(other_, for_client("host1"), today());
    TlsFiles shown{stranger.certificate, stranger.key, server_files_.authority};
    const auto refused = ask(*server, shown);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::unauthenticated) << refused.error().message();
}

TEST_F(Tls, ARequiredCertificateIsRequired) {
    const auto server = start(server_files_, true);
    const auto answer = ask(*server, only_authority(server_files_));
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, Errc::unauthenticated) << answer.error().message();
    EXPECT_NE(answer.error().what.find("wants a client certificate"), std::string::npos);
}

TEST_F(Tls, RefusesAServerOfAnotherCa) {
    const auto server = start(server_files_, false);
    const auto answer = ask(*server, only_authority(files(other_, for_server(), today())));
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, Errc::unauthenticated);
    EXPECT_NE(answer.error().what.find("not trusted"), std::string::npos) << answer.error().what;
}

TEST_F(Tls, RefusesAnExpiredServerAndOneFromTheFuture) {
    const auto expired = start(files(ours_, for_server(), today() - 24h * 400), false);
    auto answer = ask(*expired, only_authority(server_files_));
    ASSERT_FALSE(answer);
    EXPECT_NE(answer.error().what.find("has expired"), std::string::npos) << answer.error().what;
    const auto future = start(files(ours_, for_server(), today() + 24h * 400), false);
    answer = ask(*future, only_authority(server_files_));
    ASSERT_FALSE(answer);
    EXPECT_NE(answer.error().what.find("not valid yet"), std::string::npos);
    // A clock that is some hours behind is nothing.
    const auto behind = start(files(ours_, for_server(), today() + 12h), false);
    EXPECT_TRUE(ask(*behind, only_authority(server_files_)));
}

TEST_F(Tls, RefusesAServerOfAnotherName) {
    auto order = for_server();
    order.names = {"10.1.2.3", "localhost"};
    const auto server = start(files(ours_, order, today()), false);
    const auto answer = ask(*server, only_authority(server_files_));
    ASSERT_FALSE(answer);
    EXPECT_NE(answer.error().what.find("another name"), std::string::npos) << answer.error().what;
    EXPECT_TRUE(ask(*server, only_authority(server_files_), "", "localhost"));
}

TEST_F(Tls, RefusesAClientsCertificateAsAServers) {
    auto order = for_client("host1");
    order.names = {"127.0.0.1"};
    const auto server = start(files(ours_, order, today()), false);
    EXPECT_EQ(ask(*server, only_authority(server_files_)).error().code, Errc::unauthenticated);
}

TEST_F(Tls, TrustsAPinnedCaAlone) {
    const auto server = start(server_files_, false);
    const auto answer = ask(*server, {}, ours_.sha256());
    ASSERT_TRUE(answer) << answer.error().message();
    const auto wrong = ask(*server, {}, other_.sha256());
    ASSERT_FALSE(wrong);
    EXPECT_EQ(wrong.error().code, Errc::unauthenticated);
    EXPECT_NE(wrong.error().what.find("fingerprint"), std::string::npos) << wrong.error().what;
    // The right CA, but another machine's certificate.
    auto order = for_server();
    order.names = {"10.1.2.3"};
    const auto elsewhere = start(files(ours_, order, today()), false);
    EXPECT_NE(ask(*elsewhere, {}, ours_.sha256()).error().what.find("another name"),
              std::string::npos);
    // A server may send what it likes along: the leaf must lead to the pinned CA.
    auto forged = files(other_, for_server(), today());
    ASSERT_TRUE(write_private_file(forged.certificate,
                                   *read_small_file(forged.certificate) + ours_.certificate_pem()));
    const auto liar = start(forged, false);
    EXPECT_EQ(ask(*liar, {}, ours_.sha256()).error().code, Errc::unauthenticated);
}

TEST_F(Tls, ARenewedCertificateIsUsedByTheNextConnectionAndTheOpenOneGoesOn) {
    // Renewed by the same CA for the client's trust, told apart by what the server sees of clients
    // and by the name that it is for.
    const auto server = start(server_files_, true);
    const auto client_files = files(ours_, for_client("host1"), today());
    ClientSettings settings;
    settings.url = "https://127.0.0.1:" + std::to_string(server->port());
    settings.tls = client_files;
    const auto open = make_client(settings).value();
    ASSERT_TRUE(open->request("GET", "/"));

    const auto replace = [](const TlsFiles& old, const TlsFiles& fresh) {
        ASSERT_TRUE(write_private_file(old.key, read_small_file(fresh.key).value()));
        ASSERT_TRUE(
            write_private_file(old.certificate, read_small_file(fresh.certificate).value()));
    };
    auto elsewhere = for_server();
    elsewhere.names = {"10.255.0.1"};
    replace(server_files_, files(ours_, elsewhere, today()));
    EXPECT_TRUE(open->request("GET", "/")) << "its connection was not dropped";
    const auto next = ask(*server, client_files);
    ASSERT_FALSE(next) << "the certificate is for another name now";
    EXPECT_EQ(next.error().code, Errc::unauthenticated);

    // Half-way, key and certificate do not fit: what was read before is used.
    const auto good = files(ours_, for_server(), today());
    ASSERT_TRUE(write_private_file(server_files_.key, read_small_file(good.key).value()));
    EXPECT_FALSE(ask(*server, client_files)) << "still for the other name";
    replace(server_files_, good);
    EXPECT_TRUE(ask(*server, client_files));

    // And a client's own, on its next connection.
    replace(client_files, files(ours_, for_client("host2"), today()));
    EXPECT_EQ(open->request("GET", "/")->body.substr(0, 6), "host1 ") << "the same connection";
    EXPECT_EQ(ask(*server, client_files)->body.substr(0, 6), "host2 ");
}

TEST_F(Tls, AClientThatConnectsAgainShowsItsRenewedCertificate) {
    const auto client_files = files(ours_, for_client("host1"), today());
    auto server = start(server_files_, true);
    ClientSettings settings;
    settings.url = "https://127.0.0.1:" + std::to_string(server->port());
    settings.tls = client_files;
    const auto client = make_client(settings).value();
    EXPECT_EQ(client->request("GET", "/")->body.substr(0, 6), "host1 ");
    const auto renewed = files(ours_, for_client("host2"), today());
    ASSERT_TRUE(write_private_file(client_files.key, read_small_file(renewed.key).value()));
    ASSERT_TRUE(
        write_private_file(client_files.certificate, read_small_file(renewed.certificate).value()));
    const auto port = server->port();
    server.reset();
    ServerSettings again;
    again.port = port;
    again.tls = server_files_;
    again.require_client_certificate = true;
    const auto second = serve(again, [](const Request& request, const Respond& respond) {
        Response response;
        response.body = request.peer.certificate_name;
        respond(response);
    });
    ASSERT_TRUE(second) << second.error().message();
    EXPECT_EQ(client->request("GET", "/")->body, "host2");
}

TEST_F(Tls, FilesThatCannotBeUsedAreSaidOnceAndTriedAgain) {
    std::ostringstream log;
    const auto before = spdlog::default_logger();
    spdlog::set_default_logger(std::make_shared<spdlog::logger>(
        "test", std::make_shared<spdlog::sinks::ostream_sink_mt>(log)));
    bool usable = true; // not for a fault of the files: out of descriptors, say
    auto tls =
        FreshTls::start(server_files_, [&]() -> Result<std::unique_ptr<boost::asio::ssl::context>> {
            if (!usable)
                return fail(Errc::unavailable, "no descriptor is left");
            return server_tls(server_files_, false);
        }).value();
    auto* const first = tls.now();
    EXPECT_EQ(tls.now(), first) << "nothing has changed";
    ASSERT_TRUE(write_private_file(server_files_.certificate,
                                   read_small_file(server_files_.certificate).value()));
    usable = false;
    EXPECT_EQ(tls.now(), first);
    EXPECT_EQ(tls.now(), first);
    usable = true;
    EXPECT_NE(tls.now(), first) << "though the files are the same as when they failed";
    spdlog::set_default_logger(before);
    const auto text = log.str();
    const auto warning = text.find("no descriptor is left");
    ASSERT_NE(warning, std::string::npos) << text;
    EXPECT_EQ(text.find("no descriptor is left", warning + 1), std::string::npos) << text;
}

TEST_F(Tls, SaysWhenTheOtherSideSpeaksNoTls) {
    const auto server = serve({}, [](const Request&, const Respond& respond) { respond({}); });
    ASSERT_TRUE(server);
    const auto answer = ask(**server, only_authority(server_files_));
    ASSERT_FALSE(answer);
    EXPECT_NE(answer.error().what.find("does not speak TLS"), std::string::npos)
        << answer.error().what;
}

TEST_F(Tls, SaysWhichFileIsMissingOrWrong) {
    ServerSettings settings;
    settings.tls = {folder_.file("none"), folder_.file("none"), ""};
    EXPECT_EQ(serve(settings, {}).error().code, Errc::not_found);
    settings.tls = server_files_;
    settings.tls.key = files(ours_, for_server(), today()).key; // another's
    EXPECT_EQ(serve(settings, {}).error().code, Errc::corrupt);
    settings.tls.certificate = settings.tls.key;
    EXPECT_EQ(serve(settings, {}).error().code, Errc::corrupt);
}

// ---- WebSockets ---------------------------------------------------------------------------------

/// What a WebSocket said, for one thread to wait for. It may be gone before the socket's last word.
class Ear {
  public:
    void listen(WebSocket& socket) const {
        socket.listen(
            [heard = heard_](std::string text) { heard->add(heard->messages, std::move(text)); },
            [heard = heard_](std::string reason) {
                heard->add(heard->reasons, std::move(reason));
            });
    }

    [[nodiscard]] std::vector<std::string> messages(std::size_t count) const {
        std::unique_lock lock(heard_->mutex);
        heard_->changed.wait_for(lock, 10s, [&] { return heard_->messages.size() >= count; });
        return heard_->messages;
    }

    [[nodiscard]] std::string reason() const {
        std::unique_lock lock(heard_->mutex);
        heard_->changed.wait_for(lock, 10s, [&] { return !heard_->reasons.empty(); });
        return heard_->reasons.size() == 1 ? heard_->reasons.front() : "not closed once";
    }

  private:
    struct Heard {
        std::mutex mutex;
        std::condition_variable changed;
        std::vector<std::string> messages;
        std::vector<std::string> reasons;

        void add(std::vector<std::string>& to, std::string text) {
            const std::lock_guard lock(mutex);
            to.push_back(std::move(text));
            changed.notify_all();
        }
    };

    std::shared_ptr<Heard> heard_ = std::make_shared<Heard>();
};

class Sockets : public Tls {
  protected:
    void serve_with(ServerSettings settings) {
        auto server = serve(
            settings,
            [](const Request&, const Respond& respond) {
                respond(error_response(Error{Errc::not_found, "no", "", 0}));
            },
            [this](const Request& request, std::shared_ptr<WebSocket> socket) {
                if (request.path != "/v1/link")
                    return false;
                authorization_ = request.headers.contains("authorization")
                                     ? request.headers.at("authorization")
                                     : "";
                accepted_.set_value(std::move(socket));
                return true;
            });
        if (!server)
            throw std::runtime_error(server.error().message());
        server_ = std::move(*server);
        where_.url =
            (settings.tls.certificate.empty() ? "http://127.0.0.1:" : "https://127.0.0.1:") +
            std::to_string(server_->port());
    }

    std::shared_ptr<WebSocket> connect() {
        auto socket = connect_websocket(where_, "/v1/link");
        if (!socket)
            throw std::runtime_error(socket.error().message());
        return std::move(*socket);
    }

    std::shared_ptr<WebSocket> accepted() { return accepted_.get_future().get(); }

    std::unique_ptr<Server> server_;
    ClientSettings where_;
    std::string authorization_;
    std::promise<std::shared_ptr<WebSocket>> accepted_;
};

TEST_F(Sockets, CarryTextBothWaysInOrder) {
    serve_with({});
    where_.bearer_token = "secret";
    const auto client = connect();
    const auto server = accepted();
    EXPECT_EQ(authorization_, "Bearer secret");
    Ear at_client;
    Ear at_server;
    client->send("before anybody listens");
    at_server.listen(*server);
    at_client.listen(*client);
    for (int i = 0; i < 100; ++i) {
        client->send("c" + std::to_string(i));
        server->send("s" + std::to_string(i));
    }
    EXPECT_EQ(at_server.messages(101)[100], "c99");
    EXPECT_EQ(at_server.messages(101)[0], "before anybody listens");
    EXPECT_EQ(at_client.messages(100)[99], "s99");
    const std::string large(5'000'000, 'x');
    server->send(large);
    EXPECT_EQ(at_client.messages(101)[100], large);
    client->close();
    EXPECT_EQ(at_server.reason(), "closed by the peer");
    EXPECT_EQ(at_client.reason(), "closed");
}

TEST_F(Sockets, WhatWasSentBeforeACloseArrives) {
    serve_with({});
    const auto client = connect();
    const auto server = accepted();
    Ear at_server;
    at_server.listen(*server);
    for (int i = 0; i < 50; ++i)
        client->send(std::string(100'000, 'x'));
    client->close();
    EXPECT_EQ(at_server.reason(), "closed by the peer");
    EXPECT_EQ(at_server.messages(50).size(), 50U);
}

TEST_F(Sockets, NameTheirPeer) {
    ServerSettings settings;
    settings.tls = server_files_;
    settings.require_client_certificate = true;
    serve_with(settings);
    where_.tls = files(ours_, for_client("host1"), today());
    const auto client = connect();
    const auto server = accepted();
    EXPECT_EQ(server->peer().certificate_name, "host1");
    EXPECT_EQ(server->peer().address, "127.0.0.1");
    EXPECT_EQ(client->peer().certificate_name, "boot1");
    Ear at_client;
    Ear at_server;
    at_client.listen(*client);
    at_server.listen(*server);
    client->send("over TLS");
    EXPECT_EQ(at_server.messages(1)[0], "over TLS");
    server->send(std::string(3'000'000, 'y'));
    EXPECT_EQ(at_client.messages(1)[0].size(), 3'000'000U);
}

TEST_F(Sockets, AreRefusedWhereNoneIsServed) {
    serve_with({});
    const auto refused = connect_websocket(where_, "/v1/other");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::not_found) << refused.error().message();
    const auto plain = make_client(where_).value()->request("GET", "/v1/link");
    EXPECT_EQ(plain->status, 404);
}

TEST_F(Sockets, CloseWithTheServer) {
    serve_with({});
    const auto client = connect();
    const auto server = accepted();
    Ear at_client;
    Ear at_server;
    at_client.listen(*client);
    at_server.listen(*server);
    server_.reset();
    EXPECT_EQ(at_server.reason(), "closed");
    EXPECT_EQ(at_client.reason(), "closed by the peer");
    server->send("into the void");
    client->send("into the void");
}

TEST_F(Sockets, DroppedAreClosedAndSayNothingMore) {
    serve_with({});
    auto client = connect();
    const auto server = accepted();
    Ear at_server;
    at_server.listen(*server);
    {
        Ear gone_soon;
        gone_soon.listen(*client);
        client.reset(); // its callbacks refer to what dies now
    }
    EXPECT_EQ(at_server.reason(), "closed by the peer");
}

TEST_F(Sockets, MayBeDroppedByTheirOwnCallback) {
    serve_with({});
    auto client = std::make_shared<std::shared_ptr<WebSocket>>(connect());
    auto server = accepted();
    std::promise<void> dropped;
    (*client)->listen(
        [&, client](const std::string&) {
            client->reset();
            dropped.set_value();
        },
        {});
    Ear at_server;
    at_server.listen(*server);
    server->send("go");
    dropped.get_future().get();
    EXPECT_EQ(at_server.reason(), "closed by the peer");
}

TEST_F(Sockets, PingKeepsAQuietConnectionAndASilentPeerIsClosed) {
    ServerSettings settings;
    settings.websocket_idle_timeout = 200ms;
    serve_with(settings);
    const auto client = connect();
    const auto server = accepted();
    Ear at_server;
    at_server.listen(*server);
    // Nobody listens at the client, so it reads nothing and answers no ping.
    EXPECT_EQ(at_server.reason(), "the peer is silent");
}

TEST_F(Sockets, APeerThatTakesNothingIsClosed) {
    serve_with({});
    const auto client = connect(); // never reads
    const auto server = accepted();
    Ear at_server;
    at_server.listen(*server);
    const std::string large(8'000'000, 'x');
    for (int i = 0; i < 10; ++i)
        server->send(large);
    EXPECT_EQ(at_server.reason(), "the peer does not take what is sent to it");
}

} // namespace
} // namespace baton::net
