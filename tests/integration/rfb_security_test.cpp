/// Every kind of login against the real other side: TigerVNC's viewer logs in here, and this logs
/// in to QEMU; with TLS where the handshake says so.
#include "net/pki.h"
#include "net/vnc_password.h"
#include "rfb/client_reader.h"
#include "rfb/handshake_server.h"
#include "rfb_servers_test/live_screens.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <arpa/inet.h>
#include <array>
#include <chrono>
#include <memory>
#include <netinet/in.h>
#include <poll.h>
#include <stdexcept>
#include <string>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

namespace baton::rfb {
namespace {

using process::Child;
using process::Descriptor;

constexpr const char* password = "s3cret-7";

/// Of the built-in CA, for 127.0.0.1.
struct Certificate {
    testing::TemporaryDirectory folder;

    Certificate() {
        const auto now =
            std::chrono::time_point_cast<WallTime::duration>(std::chrono::system_clock::now());
        const auto authority = net::Authority::create("a test's CA", now);
        const auto kept = net::keep_certificate(authority.value(), folder.path().string(), "server",
                                                {"gateway", {"127.0.0.1"}, true}, now);
        if (!kept)
            throw std::runtime_error(kept.error().message());
    }
};

/// A connection that may turn to TLS; every wait ends after 20 seconds.
class Line {
  public:
    explicit Line(Descriptor socket) : socket_(std::move(socket)) {
        const timeval deadline{20, 0};
        ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof deadline);
    }

    void send(std::string_view bytes) {
        if (!tls_)
            return send_all(socket_, bytes);
        if (!bytes.empty() &&
            SSL_write(tls_.get(), bytes.data(), static_cast<int>(bytes.size())) <= 0)
            throw std::runtime_error("cannot send inside TLS");
    }

    void receive(std::string& buffer) {
        if (!tls_)
            return receive_some(socket_, buffer, 1); // not a byte of what is TLS's
        std::array<char, 4096> some{};
        const int got = SSL_read(tls_.get(), some.data(), some.size());
        if (got <= 0)
            throw std::runtime_error("nothing came inside TLS");
        buffer.append(some.data(), static_cast<std::size_t>(got));
    }

    /// `certificate`: of the server that we are; nullptr: we are the client.
    void start_tls(Tls kind, const Certificate* certificate) {
        context_.reset(SSL_CTX_new(TLS_method()));
        if (kind == Tls::anonymous) {
            SSL_CTX_set_max_proto_version(context_.get(), TLS1_2_VERSION);
            SSL_CTX_set_cipher_list(context_.get(), "aNULL:@SECLEVEL=0");
            SSL_CTX_set_dh_auto(context_.get(), 1);
        } else if (certificate != nullptr) {
            if (SSL_CTX_use_certificate_file(context_.get(),
                                             certificate->folder.file("server-cert.pem").c_str(),
                                             SSL_FILETYPE_PEM) != 1 ||
                SSL_CTX_use_PrivateKey_file(context_.get(),
                                            certificate->folder.file("server-key.pem").c_str(),
                                            SSL_FILETYPE_PEM) != 1)
                throw std::runtime_error("the certificate cannot be used");
        }
        // TigerVNC's viewer 1.12 waits for ever when what it waits for comes in one read with the
        // tickets of TLS 1.3
        SSL_CTX_set_num_tickets(context_.get(), 0);
        tls_.reset(SSL_new(context_.get()));
        SSL_set_fd(tls_.get(), socket_.get());
        const bool server = certificate != nullptr;
        if ((server ? SSL_accept(tls_.get()) : SSL_connect(tls_.get())) != 1)
            throw std::runtime_error("the TLS handshake failed");
    }

    [[nodiscard]] bool inside_tls() const { return tls_ != nullptr; }

  private:
    template <auto Free>
    struct Freeing {
        template <class T>
        void operator()(T* value) const {
            Free(value);
        }
    };

    Descriptor socket_;
    std::unique_ptr<SSL_CTX, Freeing<SSL_CTX_free>> context_;
    std::unique_ptr<SSL, Freeing<SSL_free>> tls_;
};

Challenge answer_of(const std::string& word, const Challenge& challenge) {
    return net::answer_vnc_challenge(word, challenge).value();
}

/// Logs a viewer in and hears its first message.
class Doorkeeper {
  public:
    Doorkeeper(Line& line, Login login, const Certificate& certificate)
        : line_(line), certificate_(certificate), handshake_({login}, challenge()) {}

    void run() {
        using Step = HandshakeServer::Step;
        for (Step step = Step::again; step != Step::client_init;) {
            line_.send(handshake_.take_output());
            if (step == Step::need_more)
                line_.receive(buffer_);
            const auto progress = handshake_.next(buffer_);
            if (!progress)
                throw std::runtime_error(progress.error().message());
            buffer_.erase(0, progress->used);
            step = progress->step;
            if (step == Step::start_tls) {
                line_.send(handshake_.take_output());
                line_.start_tls(tls_of(handshake_.login()), &certificate_);
            }
            if (step == Step::check_credentials)
                judge(handshake_.credentials().user == "kim" &&
                      handshake_.credentials().password == password);
            if (step == Step::check_response)
                judge(handshake_.response() == answer_of(password, challenge()));
        }
        handshake_.send_server_init({64, 64, PixelFormat{}, "desk"});
        line_.send(handshake_.take_output());
        hear_first_message();
    }

  private:
    static Challenge challenge() {
        Challenge value{};
        value.fill(0x5A);
        return value;
    }

    void judge(bool good) {
        EXPECT_TRUE(good) << name_of(handshake_.login());
        handshake_.accept();
    }

    void hear_first_message() {
        ClientReader reader;
        for (;;) {
            const auto event = reader.next(buffer_);
            ASSERT_TRUE(event);
            if (event->part == ClientEvent::Part::message)
                return;
            line_.receive(buffer_);
        }
    }

    Line& line_;
    const Certificate& certificate_;
    HandshakeServer handshake_;
    std::string buffer_;
};

TEST(RfbSecurity, TigerVncsViewerLogsInByEveryWay) {
    const Certificate certificate;
    const testing::TemporaryDirectory home;
    auto xvfb = Child::start(
        "/usr/bin/Xvfb", {"/usr/bin/Xvfb", "-displayfd", "1", "-nolisten", "tcp", "-noreset"}, {});
    ASSERT_TRUE(xvfb);
    const std::string number = read_until(xvfb->output, '\n');
    for (const auto& [login, words] :
         std::vector<std::pair<Login, std::string>>{{Login::none, "None"},
                                                    {Login::vnc, "VncAuth"},
                                                    {Login::plain, "Plain"},
                                                    {Login::tls_none, "TLSNone"},
                                                    {Login::tls_vnc, "TLSVnc"},
                                                    {Login::tls_plain, "TLSPlain"},
                                                    {Login::x509_none, "X509None"},
                                                    {Login::x509_vnc, "X509Vnc"},
                                                    {Login::x509_plain, "X509Plain"}}) {
        SCOPED_TRACE(words);
        Descriptor listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t length = sizeof address;
        ASSERT_EQ(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), length), 0);
        ASSERT_EQ(::listen(listener.get(), 1), 0);
        ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &length);
        const auto viewer = Child::start(
            "/usr/bin/xtigervncviewer",
            {"/usr/bin/xtigervncviewer", "-display", ":" + number.substr(0, number.find('\n')),
             "-SecurityTypes=" + words, "-X509CA=" + certificate.folder.file("ca-cert.pem"),
             "-ReconnectOnError=0", "-AlertOnFatalError=0",
             fmt::format("127.0.0.1::{}", ntohs(address.sin_port))},
            {"HOME=" + home.path().string(), "VNC_USERNAME=kim",
             std::string("VNC_PASSWORD=") + password});
        ASSERT_TRUE(viewer);
        pollfd wait{listener.get(), POLLIN, 0};
        ASSERT_EQ(::poll(&wait, 1, 20'000), 1) << "the viewer does not come";
        Line line(Descriptor(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC)));
        Doorkeeper doorkeeper(line, login, certificate);
        ASSERT_NO_THROW(doorkeeper.run());
        EXPECT_EQ(line.inside_tls(), tls_of(login) != Tls::no);
    }
}

/// Logs in to a screen; its name as ServerInit tells it.
std::string log_in(Line& line, Login login, const std::string& word) {
    HandshakeClient handshake({login});
    std::string buffer;
    using Step = HandshakeClient::Step;
    for (Step step = Step::again; step != Step::done;) {
        line.send(handshake.take_output());
        if (step == Step::need_more)
            line.receive(buffer);
        const auto progress = handshake.next(buffer);
        if (!progress)
            return progress.error().what;
        buffer.erase(0, progress->used);
        step = progress->step;
        if (step == Step::start_tls) {
            line.send(handshake.take_output());
            line.start_tls(tls_of(handshake.login()), nullptr);
        }
        if (step == Step::answer_challenge)
            handshake.answer(answer_of(word, handshake.challenge()));
    }
    return handshake.server_init().name;
}

TEST(RfbSecurity, QemuLetsUsInByEveryWay) {
    const Certificate certificate;
    for (const auto& [login, creds, vnc] : std::vector<std::tuple<Login, std::string, std::string>>{
             {Login::none, "", ""},
             {Login::vnc, "", ",password-secret=word"},
             {Login::tls_none, "tls-creds-anon", ",tls-creds=tls"},
             {Login::tls_vnc, "tls-creds-anon", ",tls-creds=tls,password-secret=word"},
             {Login::x509_none, "tls-creds-x509", ",tls-creds=tls"},
             {Login::x509_vnc, "tls-creds-x509", ",tls-creds=tls,password-secret=word"}}) {
        SCOPED_TRACE(name_of(login));
        const testing::TemporaryDirectory folder;
        std::vector<std::string> words{"/usr/bin/qemu-system-x86_64",
                                       "-accel",
                                       "tcg",
                                       "-m",
                                       "16",
                                       "-nodefaults",
                                       "-name",
                                       "a desk",
                                       "-vga",
                                       "std",
                                       "-display",
                                       "none",
                                       "-S",
                                       "-object",
                                       std::string("secret,id=word,data=") + password,
                                       "-vnc",
                                       "unix:" + folder.file("vnc") + vnc,
                                       "-qmp",
                                       "stdio"};
        if (!creds.empty()) {
            words.emplace_back("-object");
            words.push_back(creds + ",id=tls,endpoint=server,verify-peer=no" +
                            (creds == "tls-creds-x509"
                                 ? ",dir=" + certificate.folder.path().string()
                                 : std::string()));
        }
        const auto qemu = Child::start(words.front(), words, {});
        ASSERT_TRUE(qemu);
        // a command is answered when all is set up, and the screen listens
        read_until(qemu->output, '\n');
        const std::string command = "{\"execute\": \"qmp_capabilities\"}\n";
        ASSERT_EQ(::write(qemu->input.get(), command.data(), command.size()),
                  static_cast<ssize_t>(command.size()));
        read_until(qemu->output, '\n');
        Line line(connect_to(folder.file("vnc")));
        EXPECT_EQ(log_in(line, login, password), "QEMU (a desk)");
        EXPECT_EQ(line.inside_tls(), tls_of(login) != Tls::no);
        if (proof_of(login) == Proof::none)
            continue;
        Line wrong(connect_to(folder.file("vnc")));
        EXPECT_NE(log_in(wrong, login, "guess").find("refused"), std::string::npos);
    }
}

} // namespace
} // namespace baton::rfb
