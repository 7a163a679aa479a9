#include "net/connector.h"

#include "net/tls.h"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/ssl/error.hpp>

#include <netinet/tcp.h>

namespace baton::net {

Result<std::unique_ptr<Connector>> Connector::make(const ClientSettings& settings) {
    auto where = parse_where(settings.url);
    if (!where)
        return tl::unexpected(where.error());
    std::unique_ptr<Connector> connector(new Connector(settings, *where));
    if (where->kind == Where::Kind::https) {
        auto tls = FreshTls::start(
            settings.tls, [settings] { return client_tls(settings.tls, settings.pinned_sha256); });
        if (!tls)
            return tl::unexpected(tls.error());
        connector->tls_ = std::move(*tls);
    }
    return connector;
}

std::string Connector::host() const {
    if (where_.kind == Where::Kind::unix_socket)
        return "localhost";
    const bool brackets = where_.host.find(':') != std::string::npos;
    return (brackets ? "[" + where_.host + "]" : where_.host) + ":" + std::to_string(where_.port);
}

Result<std::vector<Connector::Endpoint>> Connector::resolve() {
    if (where_.kind == Where::Kind::unix_socket)
        return std::vector<Endpoint>{asio::local::stream_protocol::endpoint(where_.path)};
    error_code error;
    const auto address = asio::ip::make_address(where_.host, error);
    if (!error)
        return std::vector<Endpoint>{asio::ip::tcp::endpoint(address, where_.port)};
    // getaddrinfo has no deadline but the resolver's own (resolv.conf: 5 s a try, by default).
    asio::ip::tcp::resolver resolver(*context_);
    std::vector<Endpoint> endpoints;
    for (const auto& entry : resolver.resolve(where_.host, std::to_string(where_.port), error))
        endpoints.emplace_back(entry.endpoint());
    if (error || endpoints.empty())
        return fail(Errc::unavailable,
                    "no machine is called '" + where_.host + "': " + error.message(),
                    "check the name, or give an address");
    return endpoints;
}

Error Connector::no_connection(error_code error) const {
    const std::string place = where_.shown();
    const std::string running = "is " + settings_.service + " running there?";
    if (error == asio::error::connection_refused ||
        error == boost::system::errc::no_such_file_or_directory)
        return Error{Errc::unavailable, "nothing listens at " + place, running, error.value()};
    if (error == beast::error::timeout || error == asio::error::timed_out)
        return Error{Errc::unavailable, place + " does not answer", running + " Is the network?",
                     0};
    if (error == asio::error::host_unreachable || error == asio::error::network_unreachable)
        return Error{Errc::unavailable, "there is no way to " + place + ": " + error.message(),
                     "check the network and the address", error.value()};
    if (error == boost::system::errc::permission_denied)
        return Error{Errc::forbidden, "no right to connect to " + place,
                     "run it as root or as the user that " + settings_.service + " runs as",
                     error.value()};
    return Error{Errc::unavailable, "cannot connect to " + place + ": " + error.message(), running,
                 error.value()};
}

Error Connector::lost(Stream* stream, error_code error) const {
    if (error == beast::error::timeout)
        return Error{Errc::timeout, where_.shown() + " did not answer in time", "", 0};
    // A TLS 1.3 server judges our certificate after the handshake; its alert comes in here.
    if (stream != nullptr && error.category() == asio::error::get_ssl_category())
        return handshake_error(stream->ssl(), error, where_.shown());
    return Error{Errc::unavailable,
                 "the connection to " + where_.shown() + " was lost: " + error.message(), "", 0};
}

Result<Stream> Connector::connect_to(const Endpoint& endpoint) {
    Stream::Socket socket(context_->get_executor());
    socket.expires_after(settings_.connect_timeout);
    error_code result;
    run([&](bool& finished) {
        socket.async_connect(endpoint, [&](error_code error) {
            result = error;
            finished = true;
        });
    });
    if (result)
        return tl::unexpected(no_connection(result));
    if (where_.kind != Where::Kind::unix_socket) {
        const int on = 1;
        ::setsockopt(socket.socket().native_handle(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    Stream stream(std::move(socket), tls_ ? tls_->now() : nullptr);
    if (!tls_)
        return stream;
    expect_name(stream.ssl(), where_.host);
    stream.expires_after(settings_.connect_timeout);
    run([&](bool& finished) {
        stream.async_handshake(asio::ssl::stream_base::client, [&](error_code error) {
            result = error;
            finished = true;
        });
    });
    if (result)
        return tl::unexpected(handshake_error(stream.ssl(), result, where_.shown()));
    return stream;
}

Result<Stream> Connector::connect() {
    const auto endpoints = resolve();
    if (!endpoints)
        return tl::unexpected(endpoints.error());
    Result<Stream> last = fail(Errc::internal, "no address");
    for (const auto& endpoint : *endpoints) {
        last = connect_to(endpoint);
        if (last)
            return last;
    }
    return last;
}

} // namespace baton::net
