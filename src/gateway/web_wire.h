#pragma once

#include "gateway/wire.h"

#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/websocket/stream.hpp>

namespace baton::gateway {

/// A WebSocket (RFC 6455) of binary messages, whose boundaries mean nothing: a server's side. To
/// whom has asked for the subprotocol `baton.screen` it may also say something in a text message.
class WebWire : public Wire {
  public:
    using Request = boost::beast::http::request<boost::beast::http::string_body>;

    explicit WebWire(net::Stream&& stream);

    /// Answers the upgrade, with the subprotocol `baton.screen` or `binary` when that is offered.
    /// Once; not called when the wire is closed meanwhile.
    void accept(Request request, std::function<void(Result<void>)> done);

    void tell(std::string text) override;

  private:
    void write_text();
    void begin_read() override;
    void begin_write(std::string_view bytes) override;
    void end_writing(const std::string& why) override;
    void shut() override;

    boost::beast::websocket::stream<net::Stream, false> socket_;
    std::array<char, 2048> some_{}; ///< viewers send little at once
    bool hears_text_ = false;
    std::string text_; ///< to be told before the bytes that come
};

} // namespace baton::gateway
