#pragma once

#include "model/error.h"
#include "rfb/security.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace baton::rfb {

/// The viewer's side of a handshake, towards a screen: versions 3.3, 3.7 and 3.8. Give next() what
/// has come, drop `used` bytes of it, send take_output(), do what the step says. Not thread-safe.
class HandshakeClient {
  public:
    enum class Step : std::uint8_t {
        need_more,
        again,            ///< a step is through: send take_output() and call next() again
        start_tls,        ///< send take_output(), shake hands as a TLS client (tls_of(login())), go
                          ///< on with what is inside. Bytes behind `used` are already TLS.
        give_credentials, ///< answer with give(Credentials)
        answer_challenge, ///< answer challenge() with answer()
        done,             ///< server_init() is there; bytes behind `used` are messages
    };

    struct Progress {
        Step step = Step::need_more;
        std::size_t used = 0;
    };

    /// `accepted`: ways to log in that the caller can walk, best first.
    explicit HandshakeClient(std::vector<Login> accepted, bool shared = true);

    /// Errc::unauthenticated: refused, or it wants a proof that `accepted` does not have;
    /// Errc::unsupported: nothing in common; Errc::corrupt: not RFB, or a length that cannot be.
    Result<Progress> next(std::string_view input);

    void give(const Credentials& credentials);
    void answer(const Challenge& response);

    [[nodiscard]] std::string take_output();

    [[nodiscard]] const Challenge& challenge() const { return challenge_; }

    [[nodiscard]] const ServerInit& server_init() const { return init_; }

    [[nodiscard]] Login login() const { return login_; }

    [[nodiscard]] int minor_version() const { return minor_; }

    /// What the screen said when it refused, in its own words; "": it said nothing.
    [[nodiscard]] const std::string& reason() const { return reason_; }

  private:
    enum class State : std::uint8_t {
        version,
        security_33,
        security,
        reason,
        vencrypt_version,
        vencrypt_ack,
        vencrypt_types,
        vencrypt_go,
        tls,
        challenge,
        answer,
        result,
        server_init,
        done,
        failed,
    };

    Result<Progress> advance(std::string_view input);
    Result<Progress> take_version(std::string_view input);
    Result<Progress> take_security_33(std::string_view input);
    Result<Progress> take_security(std::string_view input);
    Result<Progress> take_vencrypt_version(std::string_view input);
    Result<Progress> take_vencrypt_types(std::string_view input);
    Result<Progress> take_vencrypt_go(std::string_view input);
    Result<Progress> take_challenge(std::string_view input);
    Result<Progress> take_result(std::string_view input);
    Result<Progress> take_reason(std::string_view input);
    Result<Progress> take_server_init(std::string_view input);
    Progress begin_proof(std::size_t used);
    void begin_init();
    [[nodiscard]] tl::unexpected<Error> nothing_in_common(bool wants_password) const;

    std::vector<Login> accepted_;
    bool shared_;
    State state_ = State::version;
    int minor_ = 8;
    Login login_ = Login::none;
    Challenge challenge_{};
    ServerInit init_;
    std::string reason_;
    std::string out_;
};

} // namespace baton::rfb
