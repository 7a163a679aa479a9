#pragma once

#include "net/connector.h"
#include "net/pki.h"
#include "support/temporary_directory.h"

#include <boost/asio/buffer.hpp>

#include <array>
#include <chrono>
#include <string>

/// The gateway's end of a connection to a host's screens, and a site's certificates for both ends.
namespace baton::testing {

/// A certificate good for both ends, as a host's own is, into these files.
inline void write_identity(const net::Authority& authority, const std::string& common_name,
                           const net::TlsFiles& files) {
    const auto must = [](const Result<void>& done) {
        if (!done)
            throw std::runtime_error(done.error().message());
    };
    net::CertificateOrder order;
    order.common_name = common_name;
    order.names = {"127.0.0.1"};
    order.server = true;
    order.client = true;
    const auto made =
        authority
            .issue(order,
                   std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now()))
            .value();
    must(net::write_private_file(files.key, made.key_pem));
    must(net::write_private_file(files.certificate, made.certificate_pem));
    must(net::write_private_file(files.authority, authority.certificate_pem()));
}

/// A site's CA and what it issues, in files.
class TestSite {
  public:
    net::TlsFiles issue(const std::string& common_name) {
        const std::string stem = folder_.file(std::to_string(++count_));
        net::TlsFiles files{stem + "-cert.pem", stem + "-key.pem", stem + "-ca.pem"};
        issue(common_name, files);
        return files;
    }

    /// Into these files, in place of what is there.
    void issue(const std::string& common_name, const net::TlsFiles& files) const {
        write_identity(authority_, common_name, files);
    }

    [[nodiscard]] const net::Authority& authority() const { return authority_; }

  private:
    TemporaryDirectory folder_;
    net::Authority authority_ =
        net::Authority::create("Baton CA of a test", std::chrono::floor<std::chrono::milliseconds>(
                                                         std::chrono::system_clock::now()))
            .value();
    int count_ = 0;
};

/// One connection, blocking; whatever takes longer than `patience` has failed.
class GatewayEnd {
  public:
    static constexpr std::chrono::seconds patience{30};

    static Result<GatewayEnd> connect(const Endpoint& relay, const net::TlsFiles& files) {
        net::ClientSettings settings;
        settings.url = "https://" + relay.address + ":" + std::to_string(relay.port);
        settings.tls = files;
        auto connector = net::Connector::make(settings);
        if (!connector)
            return tl::unexpected(connector.error());
        auto stream = (*connector)->connect();
        if (!stream)
            return tl::unexpected(stream.error());
        return GatewayEnd(std::move(*connector), std::move(*stream));
    }

    /// False: the connection has ended.
    bool send(std::string_view bytes) {
        while (!bytes.empty()) {
            const std::size_t sent = transfer([&](auto done) {
                stream_.async_write_some(boost::asio::buffer(bytes.data(), bytes.size()), done);
            });
            if (error_)
                return false;
            bytes.remove_prefix(sent);
        }
        return true;
    }

    /// What comes next; "": the end, or error().
    std::string receive_some() {
        std::array<char, 65536> buffer{};
        const std::size_t got = transfer(
            [&](auto done) { stream_.async_read_some(boost::asio::buffer(buffer), done); });
        return {buffer.data(), got};
    }

    /// So many bytes, or what came before the end.
    std::string receive(std::size_t bytes) {
        while (rest_.size() < bytes) {
            std::string more = receive_some();
            if (more.empty())
                break;
            rest_ += more;
        }
        std::string taken = rest_.substr(0, bytes);
        rest_.erase(0, taken.size());
        return taken;
    }

    /// With its end.
    std::string receive_line() {
        std::string line;
        while (line.empty() || line.back() != '\n') {
            const std::string byte = receive(1);
            if (byte.empty())
                break;
            line += byte;
        }
        return line;
    }

    std::string receive_to_end() { return receive(static_cast<std::size_t>(-1)); }

    void finish_writing() { stream_.finish_writing(); }

    void close() { stream_.close(); }

    /// The relay's certificate.
    net::Peer peer() { return stream_.peer({}); }

    /// How the last send or receive failed, if it did.
    [[nodiscard]] net::error_code error() const { return error_; }

  private:
    GatewayEnd(std::unique_ptr<net::Connector> connector, net::Stream stream)
        : connector_(std::move(connector)), stream_(std::move(stream)) {}

    template <class Begin>
    std::size_t transfer(Begin begin) {
        stream_.expires_after(patience);
        std::size_t moved = 0;
        connector_->run([&](bool& finished) {
            begin([&](net::error_code error, std::size_t bytes) {
                error_ = error;
                moved = bytes;
                finished = true;
            });
        });
        return moved;
    }

    std::unique_ptr<net::Connector> connector_;
    net::Stream stream_;
    net::error_code error_;
    std::string rest_;
};

} // namespace baton::testing
