#pragma once

#include "model/error.h"
#include "rfb/security.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace baton::rfb {

/// The server's side of a handshake, towards a viewer: versions 3.3, 3.7 and 3.8. Give next() what
/// has come, drop `used` bytes of it, send take_output(), do what the step says. Not thread-safe.
class HandshakeServer {
  public:
    enum class Step : std::uint8_t {
        need_more,
        again,     ///< a step is through: send take_output() and call next() again
        start_tls, ///< send take_output(), shake hands as a TLS server, go on with what is inside.
                   ///< Bytes behind `used` are already TLS.
        check_credentials, ///< look at credentials(), then accept() or refuse()
        check_response,    ///< look at response() to the challenge, then accept() or refuse()
        client_init,       ///< the viewer is in: send_server_init(), and the handshake is through
        done,
    };

    struct Progress {
        Step step = Step::need_more;
        std::size_t used = 0;
    };

    /// `offered`: best first, at least one. `challenge`: 16 random bytes, for the VNC kinds.
    HandshakeServer(std::vector<Login> offered, const Challenge& challenge);

    /// Whoever comes is told `reason` instead of being offered a login. Before the version is read.
    void close_to_all(std::string_view reason) { closed_because_ = reason; }

    /// Errc::corrupt: not RFB; Errc::unsupported: no common way to log in. Send take_output() also
    /// then: it tells the viewer why.
    Result<Progress> next(std::string_view input);

    /// The answer to check_credentials and check_response.
    void accept();
    /// The viewer is told `reason` where its version can be; close after take_output() is sent.
    void refuse(std::string_view reason);

    /// Ends the handshake after Step::client_init.
    void send_server_init(const ServerInit& init);

    [[nodiscard]] std::string take_output();

    [[nodiscard]] const Credentials& credentials() const { return credentials_; }

    [[nodiscard]] const Challenge& response() const { return response_; }

    /// The viewer lets others look on.
    [[nodiscard]] bool shared() const { return shared_; }

    [[nodiscard]] Login login() const { return login_; }

    [[nodiscard]] int minor_version() const { return minor_; }

  private:
    enum class State : std::uint8_t {
        version,
        security,
        vencrypt_version,
        vencrypt_type,
        tls,
        credentials,
        response,
        verdict,
        client_init,
        server_init,
        done,
        failed,
    };

    Result<Progress> advance(std::string_view input);
    Result<Progress> take_version(std::string_view input);
    Result<Progress> take_security(std::string_view input);
    Result<Progress> take_vencrypt_version(std::string_view input);
    Result<Progress> take_vencrypt_type(std::string_view input);
    Result<Progress> take_credentials(std::string_view input);
    Result<Progress> take_response(std::string_view input);
    Progress begin_proof(std::size_t used);
    void offer();
    void offer_33();
    [[nodiscard]] bool offers(Login login) const;
    [[nodiscard]] bool offers_vencrypt() const;
    /// Tells the viewer before there is a security type, or instead of one.
    tl::unexpected<Error> turn_away(std::string_view reason);
    void put_reason(std::string_view reason);

    std::vector<Login> offered_;
    std::string closed_because_; ///< not empty: nobody is let in
    Challenge challenge_;
    State state_ = State::version;
    int minor_ = 8;
    Login login_ = Login::none;
    Credentials credentials_;
    Challenge response_{};
    bool shared_ = false;
    std::string out_;
};

} // namespace baton::rfb
