#pragma once

#include "gateway/core.h"

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

namespace baton::gateway {

/// A browser until its WebSocket is open: TLS, then GET /v1/screen?ticket=... with an upgrade. Its
/// ticket is the Door's business. Handlers hold it.
class WebDoor : public Stranger, public std::enable_shared_from_this<WebDoor> {
  public:
    WebDoor(Core& core, ViewerId id, net::Stream stream, std::string client)
        : core_(core), id_(id), stream_(std::move(stream)), client_(std::move(client)) {}

    void start();
    void turn_out(std::string_view why) override;

  private:
    void read_request();
    void answer();
    void refuse(int status, std::string_view why);
    void upgrade(std::string ticket);
    void leave();

    Core& core_;
    ViewerId id_;
    net::Stream stream_;
    std::string client_;
    bool gone_ = false;
    boost::beast::flat_buffer buffer_;
    std::optional<boost::beast::http::request_parser<boost::beast::http::string_body>> parser_;
    std::string out_;
};

} // namespace baton::gateway
