#include "net/http.h"
#include "net/listen.h"
#include "support/temporary_directory.h"

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <atomic>
#include <condition_variable>
#include <fstream>
#include <future>
#include <mutex>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>

namespace baton::net {
namespace {

using baton::testing::TemporaryDirectory;

Response text(std::string body, int status = 200) {
    Response response;
    response.status = status;
    response.content_type = "text/plain";
    response.body = std::move(body);
    return response;
}

void echo(Request request, const Respond& respond) {
    respond(text(request.method + " " + request.path + " " + request.body));
}

std::unique_ptr<Server> start(Handler handler, ServerSettings settings = {}) {
    auto server = serve(settings, std::move(handler));
    if (!server)
        throw std::runtime_error(server.error().message());
    return std::move(*server);
}

ClientSettings to(const Server& server) {
    ClientSettings settings;
    settings.url = "http://127.0.0.1:" + std::to_string(server.port());
    return settings;
}

/// A peer that says exactly what a test wants.
class RawPeer {
  public:
    explicit RawPeer(std::uint16_t port) : descriptor_(::socket(AF_INET, SOCK_STREAM, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (::connect(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
            throw std::runtime_error("cannot connect");
    }

    ~RawPeer() { ::close(descriptor_); }

    RawPeer(const RawPeer&) = delete;
    RawPeer& operator=(const RawPeer&) = delete;

    void say(const std::string& bytes) const {
        std::size_t sent = 0;
        while (sent < bytes.size()) {
            const auto now =
                ::send(descriptor_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
            if (now <= 0)
                return; // it has closed already: hear() tells what it said
            sent += static_cast<std::size_t>(now);
        }
    }

    /// Everything until the server closes.
    [[nodiscard]] std::string hear() const {
        std::string heard;
        std::array<char, 4096> bytes{};
        for (;;) {
            const auto got = ::recv(descriptor_, bytes.data(), bytes.size(), 0);
            if (got <= 0)
                return heard;
            heard.append(bytes.data(), static_cast<std::size_t>(got));
        }
    }

  private:
    int descriptor_;
};

TEST(Http, CarriesARequestAndItsAnswer) {
    const auto server = start(echo);
    auto client = make_client(to(*server)).value();
    const auto first = client->request("POST", "/v1/a%20b", "body");
    ASSERT_TRUE(first) << first.error().message();
    EXPECT_EQ(first->status, 200);
    EXPECT_EQ(first->content_type, "text/plain");
    EXPECT_EQ(first->body, "POST /v1/a b body");
    EXPECT_EQ(client->request("GET", "/x")->body, "GET /x ");
    EXPECT_EQ(client->request("HEAD", "/x")->body, "");
    EXPECT_EQ(client->request("GET", "/y")->body, "GET /y ");
}

TEST(Http, KeepsItsConnection) {
    ServerSettings settings;
    settings.connection_limit = 1; // a second connection would be turned away
    const auto server = start(echo, settings);
    auto client = make_client(to(*server)).value();
    for (int i = 0; i < 100; ++i)
        ASSERT_EQ(client->request("GET", "/")->body, "GET / ");
}

TEST(Http, AnswersLaterFromAnotherThread) {
    std::thread worker;
    const auto server = start([&](const Request&, const Respond& respond) {
        worker = std::thread([respond] {
            respond(text("later"));
            respond(text("twice")); // passed over
        });
    });
    auto client = make_client(to(*server)).value();
    EXPECT_EQ(client->request("GET", "/")->body, "later");
    worker.join();
}

TEST(Http, AnswersEvenIfTheHandlerForgetsOrThrows) {
    const auto server = start([](const Request& request, const Respond&) {
        if (request.path == "/throws")
            throw std::runtime_error("a fault");
    });
    auto client = make_client(to(*server)).value();
    EXPECT_EQ(client->request("GET", "/forgets")->status, 500);
    const auto threw = client->request("GET", "/throws");
    EXPECT_EQ(threw->status, 500);
    EXPECT_EQ(error_from_response(*threw).what, "a fault");
}

TEST(Http, AnAnswerAfterTheServersEndHarmsNobody) {
    std::promise<Respond> asked;
    auto server = start([&](const Request&, const Respond& respond) { asked.set_value(respond); });
    auto client = make_client(to(*server)).value();
    auto request = std::async(std::launch::async, [&] { return client->request("POST", "/"); });
    auto respond = asked.get_future().get();
    server.reset();
    const auto answer = request.get();
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, Errc::unavailable);
    respond(text("too late"));
}

TEST(Http, RefusesALargeBody) {
    ServerSettings settings;
    settings.body_limit = 1000;
    const auto server = start(echo, settings);
    auto client = make_client(to(*server)).value();
    EXPECT_EQ(client->request("POST", "/", std::string(1000, 'x'))->status, 200);
    EXPECT_EQ(client->request("POST", "/", std::string(1001, 'x'))->status, 413);
    // Far more than any socket buffer holds: the answer comes through although nobody reads it all.
    const auto large = client->request("POST", "/", std::string(50'000'000, 'x'));
    ASSERT_TRUE(large) << large.error().message();
    EXPECT_EQ(large->status, 413);
    EXPECT_EQ(client->request("GET", "/")->status, 200);
}

TEST(Http, RefusesWhatIsNoRequest) {
    const auto server = start(echo);
    for (const auto* bytes :
         {"\x16\x03\x01 tls hello\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n",
          "GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
          "GET /../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n"}) {
        const RawPeer peer(server->port());
        peer.say(bytes);
        EXPECT_EQ(peer.hear().substr(0, 12), "HTTP/1.1 400") << bytes;
    }
    const RawPeer peer(server->port());
    peer.say("GET / HTTP/1.1\r\nX: " + std::string(100'000, 'x'));
    EXPECT_EQ(peer.hear().substr(0, 12), "HTTP/1.1 431");
}

TEST(Http, ClosesSlowAndSilentPeers) {
    ServerSettings settings;
    settings.header_timeout = std::chrono::milliseconds(50);
    settings.body_timeout = std::chrono::milliseconds(50);
    settings.idle_timeout = std::chrono::milliseconds(50);
    const auto server = start(echo, settings);
    const RawPeer silent(server->port());
    const RawPeer half(server->port());
    half.say("GET / HTT");
    const RawPeer bodyless(server->port());
    bodyless.say("POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc");
    EXPECT_EQ(silent.hear(), "");
    EXPECT_EQ(half.hear(), "");
    EXPECT_EQ(bodyless.hear(), "");
}

TEST(Http, TurnsAwayTooManyConnections) {
    ServerSettings settings;
    settings.connection_limit = 2;
    const auto server = start(echo, settings);
    auto first = make_client(to(*server)).value();
    auto second = make_client(to(*server)).value();
    auto third = make_client(to(*server)).value();
    EXPECT_TRUE(first->request("GET", "/"));
    EXPECT_TRUE(second->request("GET", "/"));
    EXPECT_FALSE(third->request("GET", "/"));
    EXPECT_TRUE(first->request("GET", "/"));
}

TEST(Http, ReconnectsWhenTheServerHasClosedAKeptConnection) {
    ServerSettings settings;
    settings.idle_timeout = std::chrono::milliseconds(20);
    const auto server = start(echo, settings);
    auto client = make_client(to(*server)).value();
    // Whichever side is faster: the closed connection is noticed before or while it is used.
    for (int i = 0; i < 5; ++i) {
        const auto answer = client->request("GET", "/");
        ASSERT_TRUE(answer) << answer.error().message();
        const RawPeer peer(server->port());
        EXPECT_EQ(peer.hear(), ""); // one idle timeout later
    }
}

TEST(Http, ServesAUnixSocket) {
    const TemporaryDirectory folder;
    ServerSettings settings;
    settings.address = "unix:" + folder.file("api.sock");
    auto server = start(echo, settings);
    ClientSettings there;
    there.url = settings.address;
    EXPECT_EQ(make_client(there).value()->request("GET", "/u")->body, "GET /u ");
    const auto second = serve(settings, echo);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, Errc::busy);
    server.reset();
    const auto gone = make_client(there).value()->request("GET", "/u");
    ASSERT_FALSE(gone);
    EXPECT_EQ(gone.error().code, Errc::unavailable);
    EXPECT_NE(gone.error().message().find("is batond running"), std::string::npos);
}

TEST(Http, ServesAgainWhereAKilledServerLeftItsSocket) {
    const TemporaryDirectory folder;
    const std::string path = folder.file("api.sock");
    {
        const int left = ::socket(AF_UNIX, SOCK_STREAM, 0);
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.copy(address.sun_path, path.size());
        ASSERT_EQ(::bind(left, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
        ::close(left);
    }
    ServerSettings settings;
    settings.address = "unix:" + path;
    EXPECT_TRUE(serve(settings, echo));
    std::ofstream(folder.file("file")) << "mine";
    settings.address = "unix:" + folder.file("file");
    const auto over_a_file = serve(settings, echo);
    ASSERT_FALSE(over_a_file);
    EXPECT_EQ(over_a_file.error().code, Errc::already_exists);
}

TEST(Http, SaysWhyItCannotListen) {
    const auto server = start(echo);
    ServerSettings settings;
    settings.port = server->port();
    const auto taken = serve(settings, echo);
    ASSERT_FALSE(taken);
    EXPECT_EQ(taken.error().code, Errc::busy);
    EXPECT_NE(taken.error().what.find("process " + std::to_string(::getpid())), std::string::npos)
        << taken.error().what;
    settings = {};
    settings.address = "192.0.2.7";
    EXPECT_EQ(serve(settings, echo).error().code, Errc::invalid_argument);
    settings.address = "no-number";
    EXPECT_EQ(serve(settings, echo).error().code, Errc::invalid_argument);
}

TEST(Listen, ConnectionsSendAtOnce) {
    const auto listening = net::listen_at("127.0.0.1", 0);
    ASSERT_TRUE(listening) << listening.error().message();
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(listening->port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int peer = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT_EQ(::connect(peer, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    const int accepted = ::accept(listening->descriptor, nullptr, nullptr);
    ASSERT_GE(accepted, 0);
    int at_once = 0;
    socklen_t size = sizeof at_once;
    ::getsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &at_once, &size);
    EXPECT_EQ(at_once, 1) << "a program that takes its connections over need not ask for it itself";
    for (const int fd : {accepted, peer, listening->descriptor})
        ::close(fd);
}

TEST(Http, SaysThatNothingListens) {
    ClientSettings settings;
    {
        const auto server = start(echo);
        settings = to(*server);
    }
    settings.service = "baton-deskd";
    const auto answer = make_client(settings).value()->request("GET", "/");
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, Errc::unavailable);
    EXPECT_NE(answer.error().what.find("nothing listens at http://127.0.0.1:"), std::string::npos);
    EXPECT_NE(answer.error().hint.find("baton-deskd"), std::string::npos);
}

TEST(Http, GivesUpAtItsDeadline) {
    std::promise<Respond> held;
    const auto server =
        start([&](const Request&, const Respond& respond) { held.set_value(respond); });
    auto settings = to(*server);
    settings.timeout = std::chrono::milliseconds(50);
    const auto answer = make_client(settings).value()->request("POST", "/");
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, Errc::timeout);
}

TEST(Http, RefusesToSendLineBreaks) {
    const auto server = start(echo);
    auto client = make_client(to(*server)).value();
    for (const auto* target : {"/a\r\nX: y", "/a b"})
        EXPECT_EQ(client->request("GET", target).error().code, Errc::invalid_argument);
}

TEST(Http, AnswersManyAtOnce) {
    ServerSettings settings;
    settings.threads = 2;
    const auto server = start(echo, settings);
    std::atomic<int> right{0};
    std::vector<std::thread> people;
    for (int person = 0; person < 8; ++person)
        people.emplace_back([&, person] {
            auto client = make_client(to(*server)).value();
            for (int i = 0; i < 50; ++i) {
                const auto body = std::to_string(person * 1000 + i);
                const auto answer = client->request("POST", "/", body);
                if (answer && answer->body == "POST / " + body)
                    ++right;
            }
        });
    for (auto& person : people)
        person.join();
    EXPECT_EQ(right, 400);
}

// ---- files ------------------------------------------------------------------------------------

class Download : public ::testing::Test {
  protected:
    Download() {
        for (int i = 0; i < 200'000; ++i)
            content_ += static_cast<char>('a' + i % 23);
        std::ofstream(source_) << content_;
        server_ = start([this](const Request& request, const Respond& respond) {
            asked_.push_back(request.headers.contains("range") ? request.headers.at("range") : "");
            Response response;
            response.content_type = "application/octet-stream";
            response.file = request.path == "/file" ? source_ : folder_.file("none");
            respond(response);
        });
        client_ = make_client(to(*server_)).value();
    }

    [[nodiscard]] std::string landed() const {
        std::ifstream file(target_);
        return {std::istreambuf_iterator<char>(file), {}};
    }

    TemporaryDirectory folder_;
    std::string source_ = folder_.file("source");
    std::string target_ = folder_.file("target");
    std::string content_;
    std::vector<std::string> asked_;
    std::unique_ptr<Server> server_;
    std::unique_ptr<Client> client_;
};

TEST_F(Download, BringsAFile) {
    std::int64_t last = 0;
    std::int64_t total = 0;
    const auto result =
        client_->download("/file", target_, [&](std::int64_t done, std::int64_t all) {
            EXPECT_GE(done, last);
            last = done;
            total = all;
        });
    ASSERT_TRUE(result) << result.error().message();
    EXPECT_EQ(landed(), content_);
    EXPECT_EQ(last, 200'000);
    EXPECT_EQ(total, 200'000);
}

TEST_F(Download, GoesOnWhereItStopped) {
    std::ofstream(target_) << content_.substr(0, 150'000);
    ASSERT_TRUE(client_->download("/file", target_));
    EXPECT_EQ(landed(), content_);
    EXPECT_EQ(asked_, std::vector<std::string>{"bytes=150000-"});
    ASSERT_TRUE(client_->download("/file", target_)); // complete already
    EXPECT_EQ(landed(), content_);
}

TEST_F(Download, BeginsAgainWhenThereIsMoreThanThereShouldBe) {
    std::ofstream(target_) << content_ << "and more";
    ASSERT_TRUE(client_->download("/file", target_));
    EXPECT_EQ(landed(), content_);
}

TEST_F(Download, OfNothingIsAnErrorAndTheConnectionGoesOn) {
    const auto result = client_->download("/none", target_);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::not_found);
    EXPECT_TRUE(client_->download("/file", target_));
    EXPECT_EQ(landed(), content_);
}

TEST_F(Download, HeadTellsTheSize) {
    const auto answer = client_->request("HEAD", "/file");
    EXPECT_EQ(answer->headers.at("content-length"), "200000");
    EXPECT_EQ(client_->request("GET", "/file")->body, content_);
}

} // namespace
} // namespace baton::net
