#pragma once

#include "process/child.h"
#include "rfb/client_messages.h"
#include "rfb/security.h"
#include "rfb/server_reader.h"
#include "support/rfb_decoder.h"

#include <openssl/ssl.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

/// A viewer or a browser of the tests' own, blocking. What fails is thrown as std::runtime_error;
/// every wait ends after 20 seconds.
namespace baton::testing {

process::Descriptor connect_to_port(std::uint16_t port);

/// A TCP connection to the loopback that may turn to TLS.
class Line {
  public:
    explicit Line(std::uint16_t port) : socket_(connect_to_port(port)) {}

    explicit Line(process::Descriptor socket) : socket_(std::move(socket)) {}

    /// The other side's certificate has to come from that CA, for 127.0.0.1.
    void start_tls(const std::string& authority);

    void send(std::string_view bytes);
    /// Appends what comes; false: the other side has ended.
    bool receive(std::string& buffer);
    /// Until the end.
    std::string receive_rest();

    [[nodiscard]] int descriptor() const { return socket_.get(); }

  private:
    struct Free {
        void operator()(SSL* ssl) const { SSL_free(ssl); }

        void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
    };

    process::Descriptor socket_;
    std::unique_ptr<SSL_CTX, Free> context_;
    std::unique_ptr<SSL, Free> tls_;
};

/// Carries RFB's bytes.
class Carrier {
  public:
    virtual ~Carrier() = default;
    virtual void send(std::string_view bytes) = 0;
    virtual bool receive(std::string& buffer) = 0;
};

/// As a VNC viewer does: bytes on the line, TLS in mid-stream.
class PlainCarrier : public Carrier {
  public:
    explicit PlainCarrier(process::Descriptor socket) : line(std::move(socket)) {}

    void send(std::string_view bytes) override { line.send(bytes); }

    bool receive(std::string& buffer) override { return line.receive(buffer); }

    Line line;
};

/// As a browser does: TLS, an upgrade, binary frames.
class WebCarrier : public Carrier {
  public:
    /// `authority` as for start_tls(); `protocol`: the subprotocol that is asked for, or none.
    WebCarrier(const std::string& authority, std::uint16_t port, const std::string& target,
               const std::string& protocol = "binary");

    /// The answer's head, in lower case but for values.
    [[nodiscard]] const std::string& answer() const { return answer_; }

    [[nodiscard]] bool open() const { return answer_.rfind("HTTP/1.1 101", 0) == 0; }

    /// What came with the closing frame.
    [[nodiscard]] const std::string& close_reason() const { return close_reason_; }

    /// Of text messages, one behind the other.
    [[nodiscard]] const std::string& texts() const { return texts_; }

    void send(std::string_view bytes) override;
    bool receive(std::string& buffer) override;
    void send_frame(int opcode, std::string_view payload);

  private:
    Line line_;
    std::string answer_;
    std::string frames_;
    std::string close_reason_;
    std::string texts_;
};

/// RFB on top: logs in, and draws what comes.
class Onlooker {
  public:
    /// A VNC viewer. Throws the server's word when it is refused. `authority`: of the CA that the
    /// gateway's certificate has to come from.
    Onlooker(const std::string& authority, std::uint16_t port, const std::string& user,
             const std::string& password);
    /// On a connection that is there, by that kind of login.
    Onlooker(process::Descriptor socket, const std::string& authority, rfb::Login login,
             const rfb::Credentials& proof);
    /// In a WebSocket.
    explicit Onlooker(std::unique_ptr<Carrier> carrier);

    [[nodiscard]] const rfb::ServerInit& init() const { return init_; }

    /// That have brought pixels and have ended.
    [[nodiscard]] std::uint64_t updates() const { return updates_; }

    [[nodiscard]] const rfb::Picture& picture() const { return decoder_->picture(); }

    /// Nothing of the picture is missing.
    [[nodiscard]] bool complete() const { return decoder_->missing() == 0; }

    void send(std::string_view bytes) { carrier_->send(bytes); }

    /// Reads and asks for more until `enough`; false: the other side has ended.
    bool look_until(const std::function<bool()>& enough);
    /// Its picture is this one (P6).
    bool look_until_it_shows(const std::string& ppm);

  private:
    void log_in(const std::string& authority, rfb::Login login, const rfb::Credentials& proof);
    void begin();
    void walk();
    void request(bool incremental);

    PlainCarrier* plain_ = nullptr;
    std::unique_ptr<Carrier> carrier_;
    rfb::ServerInit init_;
    std::string buffer_;
    std::optional<rfb::ServerReader> reader_;
    std::optional<rfb::Decoder> decoder_;
    bool update_has_picture_ = false;
    std::uint64_t updates_ = 0;
};

} // namespace baton::testing
