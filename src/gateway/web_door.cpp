#include "gateway/web_door.h"

#include "gateway/door.h"
#include "gateway/web_wire.h"
#include "net/http_text.h"

#include <boost/asio/write.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <fmt/format.h>

namespace baton::gateway {

namespace beast = boost::beast;
namespace http = beast::http;

void WebDoor::start() {
    stream_.expires_after(core_.limits().handshake_time); // until the upgrade is through
    if (core_.tls_in_front()) {
        read_request();
        return;
    }
    stream_.start_tls(*core_.viewer_tls());
    stream_.async_handshake(asio::ssl::stream_base::server,
                            [self = shared_from_this()](error_code error) {
                                if (error)
                                    self->leave();
                                else
                                    self->read_request();
                            });
}

void WebDoor::read_request() {
    parser_.emplace();
    parser_->header_limit(8192);
    parser_->body_limit(0);
    http::async_read(stream_, buffer_, *parser_,
                     [self = shared_from_this()](error_code error, std::size_t) {
                         if (error)
                             self->leave();
                         else
                             self->answer();
                     });
}

void WebDoor::answer() {
    if (gone_)
        return;
    const auto& request = parser_->get();
    net::Request target;
    const auto text = request.target();
    if (!net::parse_target({text.data(), text.size()}, target) || target.path != "/v1/screen") {
        refuse(404, "there is nothing here but /v1/screen?ticket=...");
        return;
    }
    if (!beast::websocket::is_upgrade(request)) {
        refuse(426, "a screen is a WebSocket");
        return;
    }
    const auto ticket = target.query.find("ticket");
    if (ticket == target.query.end() || ticket->second.empty()) {
        refuse(401, "a screen is opened with a ticket: /v1/screen?ticket=...");
        return;
    }
    if (buffer_.size() > 0) { // nothing honest comes before the answer
        refuse(400, "there are bytes behind the request");
        return;
    }
    upgrade(ticket->second);
}

void WebDoor::refuse(int status, std::string_view why) {
    out_ = fmt::format("HTTP/1.1 {} {}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n"
                       "Connection: close\r\n\r\n{}\n",
                       status, net::reason_phrase(status), why.size() + 1, why);
    asio::async_write(stream_, asio::buffer(out_),
                      [self = shared_from_this()](error_code, std::size_t) { self->leave(); });
}

void WebDoor::upgrade(std::string ticket) {
    auto wire = std::make_shared<WebWire>(std::move(stream_));
    gone_ = true;
    auto door = std::make_shared<Door>(core_, id_, wire, client_, std::move(ticket));
    core_.leave_door(id_);
    core_.enter(id_, door);
    wire->accept(parser_->release(), [door](const Result<void>& outcome) {
        if (outcome)
            door->start();
        else
            door->turn_out({});
    });
}

void WebDoor::turn_out(std::string_view /*why*/) {
    leave();
}

void WebDoor::leave() {
    if (gone_)
        return;
    gone_ = true;
    stream_.close();
    core_.leave_door(id_);
}

} // namespace baton::gateway
