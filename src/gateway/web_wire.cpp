#include "gateway/web_wire.h"

#include <boost/beast/http/field.hpp>
#include <boost/beast/http/rfc7230.hpp>

namespace baton::gateway {

namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;

WebWire::WebWire(net::Stream&& stream) : Wire(stream.get_executor()), socket_(std::move(stream)) {
    socket_.next_layer().expires_never();
    websocket::stream_base::timeout times{};
    times.handshake_timeout = std::chrono::seconds(5); // of the upgrade, and of the close
    times.idle_timeout = websocket::stream_base::none();
    times.keep_alive_pings = false; // the kernel looks after silent peers
    socket_.set_option(times);
    socket_.binary(true);
    socket_.auto_fragment(false);
    socket_.read_message_max(0); // it is a stream, read in pieces
}

void WebWire::accept(Request request, std::function<void(Result<void>)> done) {
    http::token_list offered(request[http::field::sec_websocket_protocol]);
    hears_text_ = offered.exists("baton.screen");
    if (hears_text_ || offered.exists("binary"))
        socket_.set_option(websocket::stream_base::decorator(
            [chosen = hears_text_ ? "baton.screen" : "binary"](websocket::response_type& response) {
                response.set(http::field::sec_websocket_protocol, chosen);
            }));
    auto held = std::make_shared<Request>(std::move(request));
    socket_.async_accept(*held, [self = self<WebWire>(), held,
                                 done = std::move(done)](error_code error) {
        if (self->closed())
            return;
        if (error)
            done(fail(Errc::unavailable, "the upgrade to a WebSocket failed: " + error.message()));
        else
            done({});
    });
}

void WebWire::begin_read() {
    socket_.async_read_some(
        asio::buffer(some_), [self = self<WebWire>()](error_code error, std::size_t got) {
            if (error == websocket::error::closed)
                self->failed({Errc::unavailable, "it was closed by the other side", "", 0});
            else if (error)
                self->failed(ended(error));
            else if (!self->socket_.got_binary())
                self->failed({Errc::corrupt, "it sent text, which RFB never is", "", 0});
            else if (got == 0)
                self->nothing_arrived();
            else
                self->arrived({self->some_.data(), got});
        });
}

void WebWire::tell(std::string text) {
    if (hears_text_)
        text_ = std::move(text);
}

void WebWire::write_text() {
    socket_.text(true);
    socket_.async_write(asio::buffer(text_),
                        [self = self<WebWire>()](error_code error, std::size_t) {
                            self->socket_.binary(true);
                            std::string().swap(self->text_);
                            if (error)
                                self->failed(ended(error));
                            else
                                self->written(0);
                        });
}

void WebWire::begin_write(std::string_view bytes) {
    if (!text_.empty()) {
        write_text();
        return;
    }
    socket_.async_write(asio::buffer(bytes), [self = self<WebWire>(),
                                              size = bytes.size()](error_code error, std::size_t) {
        if (error)
            self->failed(ended(error));
        else
            self->written(size);
    });
}

void WebWire::end_writing(const std::string& why) {
    constexpr std::size_t most_reason_bytes = 120; // RFC 6455, 5.5: 125 with the code
    websocket::close_reason reason(websocket::close_code::normal);
    reason.reason.assign(why.data(), std::min(why.size(), most_reason_bytes));
    socket_.async_close(reason, [self = self<WebWire>()](error_code) { self->close(); });
}

void WebWire::shut() {
    socket_.next_layer().close();
}

} // namespace baton::gateway
