#pragma once

#include "net/listen.h"
#include "process/child.h"
#include "rfb_servers_test/live_screens.h"
#include "site.h"

#include <openssl/ssl.h>

#include <array>
#include <atomic>
#include <list>
#include <memory>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <thread>

namespace baton::gateway {

/// A host's relay with one desktop, d-1, as docs/formats/screen-relay.md has it.
class FakeRelay {
  public:
    FakeRelay(const net::TlsFiles& files, std::string screen) : screen_(std::move(screen)) {
        context_.reset(SSL_CTX_new(TLS_server_method()));
        SSL_CTX_use_certificate_chain_file(context_.get(), files.certificate.c_str());
        SSL_CTX_use_PrivateKey_file(context_.get(), files.key.c_str(), SSL_FILETYPE_PEM);
        SSL_CTX_load_verify_locations(context_.get(), files.authority.c_str(), nullptr);
        SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                           nullptr);
        const auto listening = net::listen_at("127.0.0.1", 0);
        listener_ = process::Descriptor(listening.value().descriptor);
        port_ = listening->port;
        thread_ = std::thread([this] { take_connections(); });
    }

    ~FakeRelay() {
        ending_ = true;
        thread_.join();
    }

    FakeRelay(const FakeRelay&) = delete;
    FakeRelay& operator=(const FakeRelay&) = delete;

    [[nodiscard]] Screen place(const std::string& ticket) const {
        return {DesktopId("d-1"), {"127.0.0.1", port_}, ticket};
    }

    static std::string ticket() { return std::string(32, 'e'); }

  private:
    struct Free {
        void operator()(SSL* ssl) const { SSL_free(ssl); }

        void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
    };

    void take_connections() {
        std::list<std::thread> threads;
        while (!ending_) {
            pollfd wait{listener_.get(), POLLIN, 0};
            if (::poll(&wait, 1, 20) != 1)
                continue;
            const int socket = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
            threads.emplace_back([this, socket] { serve(process::Descriptor(socket)); });
        }
        for (auto& thread : threads)
            thread.join();
    }

    void serve(const process::Descriptor& socket) {
        const std::unique_ptr<SSL, Free> tls(SSL_new(context_.get()));
        SSL_set_fd(tls.get(), socket.get());
        if (SSL_accept(tls.get()) != 1)
            return;
        std::string line;
        for (char one = 0; one != '\n' && SSL_read(tls.get(), &one, 1) == 1;)
            line += one;
        if (line != "baton-screen/1 d-1 " + ticket() + "\n") {
            SSL_write(tls.get(), "no unknown desktop or ticket\n", 29);
            return;
        }
        const auto screen = rfb::connect_to(screen_);
        SSL_write(tls.get(), "ok\n", 3);
        while (!ending_ && carry(tls.get(), socket.get(), screen)) {
        }
    }

    static bool carry(SSL* tls, int gateway, const process::Descriptor& screen) {
        std::array<pollfd, 2> wait{pollfd{gateway, POLLIN, 0}, pollfd{screen.get(), POLLIN, 0}};
        if (SSL_pending(tls) == 0 && ::poll(wait.data(), wait.size(), 20) == 0)
            return true;
        std::array<char, 16384> some{};
        if (SSL_pending(tls) > 0 || wait[0].revents != 0) {
            const int got = SSL_read(tls, some.data(), some.size());
            if (got <= 0)
                return false;
            rfb::send_all(screen, {some.data(), static_cast<std::size_t>(got)});
        }
        if (wait[1].revents != 0) {
            const ssize_t got = ::recv(screen.get(), some.data(), some.size(), 0);
            if (got <= 0 || SSL_write(tls, some.data(), static_cast<int>(got)) <= 0)
                return false;
        }
        return true;
    }

    std::string screen_;
    std::unique_ptr<SSL_CTX, Free> context_;
    process::Descriptor listener_;
    std::uint16_t port_ = 0;
    std::atomic<bool> ending_ = false;
    std::thread thread_;
};

} // namespace baton::gateway
