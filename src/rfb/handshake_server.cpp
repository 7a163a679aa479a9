#include "rfb/handshake_server.h"

#include "rfb/limits.h"
#include "rfb/wire.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace baton::rfb {

HandshakeServer::HandshakeServer(std::vector<Login> offered, const Challenge& challenge)
    : offered_(std::move(offered)), challenge_(challenge), out_(version_line(8)) {}

std::string HandshakeServer::take_output() {
    return std::exchange(out_, {});
}

bool HandshakeServer::offers(Login login) const {
    return std::find(offered_.begin(), offered_.end(), login) != offered_.end();
}

bool HandshakeServer::offers_vencrypt() const {
    return std::any_of(offered_.begin(), offered_.end(), is_vencrypt);
}

Result<HandshakeServer::Progress> HandshakeServer::next(std::string_view input) {
    auto progress = advance(input);
    if (!progress)
        state_ = State::failed;
    return progress;
}

Result<HandshakeServer::Progress> HandshakeServer::advance(std::string_view input) {
    switch (state_) {
    case State::version:
        return take_version(input);
    case State::security:
        return take_security(input);
    case State::vencrypt_version:
        return take_vencrypt_version(input);
    case State::vencrypt_type:
        return take_vencrypt_type(input);
    case State::tls:
        return begin_proof(0);
    case State::credentials:
        return take_credentials(input);
    case State::response:
        return take_response(input);
    case State::client_init:
        if (input.empty())
            return Progress{};
        shared_ = get8(input, 0) != 0;
        state_ = State::server_init;
        return Progress{Step::client_init, 1};
    case State::verdict:
    case State::server_init:
        return fail(Errc::internal, "the handshake waits for the server's own answer");
    case State::done:
        return Progress{Step::done, 0};
    default:
        return fail(Errc::conflict, "this handshake has failed before");
    }
}

Result<HandshakeServer::Progress> HandshakeServer::take_version(std::string_view input) {
    const auto minor = read_version(input, "the viewer");
    if (!minor)
        return tl::unexpected(minor.error());
    if (!*minor)
        return Progress{};
    minor_ = **minor;
    if (!closed_because_.empty())
        return turn_away(closed_because_);
    if (minor_ == 3) {
        if (!offers(Login::vnc) && !offers(Login::none))
            return turn_away("this viewer speaks RFB 3.3, which cannot log in safely");
        offer_33();
        return Progress{Step::again, version_bytes};
    }
    offer();
    state_ = State::security;
    return Progress{Step::again, version_bytes};
}

void HandshakeServer::offer() {
    std::string types;
    for (const Login login : offered_) {
        const auto type = static_cast<char>(is_vencrypt(login) ? security_type::vencrypt
                                                               : static_cast<std::uint8_t>(login));
        if (types.find(type) == std::string::npos)
            types.push_back(type);
    }
    put8(out_, static_cast<std::uint32_t>(types.size()));
    out_ += types;
}

/// In 3.3 the server decides, and there is only None and VNC (RFC 6143, 7.1.2).
void HandshakeServer::offer_33() {
    const auto first = std::find_if(offered_.begin(), offered_.end(),
                                    [](Login login) { return !is_vencrypt(login); });
    login_ = *first;
    put32(out_, static_cast<std::uint32_t>(login_));
    begin_proof(0);
}

Result<HandshakeServer::Progress> HandshakeServer::take_security(std::string_view input) {
    if (input.empty())
        return Progress{};
    const std::uint8_t type = get8(input, 0);
    if (type == security_type::vencrypt && offers_vencrypt()) {
        put8(out_, 0); // VeNCrypt 0.2
        put8(out_, 2);
        state_ = State::vencrypt_version;
        return Progress{Step::again, 1};
    }
    const auto login = static_cast<Login>(type);
    if (is_vencrypt(login) || !offers(login)) {
        refuse("that security type was not offered");
        return fail(Errc::unsupported,
                    fmt::format("the viewer chose security type {}, which was not offered", type));
    }
    login_ = login;
    return begin_proof(1);
}

Result<HandshakeServer::Progress> HandshakeServer::take_vencrypt_version(std::string_view input) {
    if (input.size() < 2)
        return Progress{};
    if (get16(input, 0) != 2) {
        put8(out_, 1);
        return fail(Errc::unsupported, fmt::format("the viewer speaks VeNCrypt {}.{}, not 0.2",
                                                   get8(input, 0), get8(input, 1)));
    }
    put8(out_, 0);
    const auto count = std::count_if(offered_.begin(), offered_.end(), is_vencrypt);
    put8(out_, static_cast<std::uint32_t>(count));
    for (const Login login : offered_)
        if (is_vencrypt(login))
            put32(out_, static_cast<std::uint32_t>(login));
    state_ = State::vencrypt_type;
    return Progress{Step::again, 2};
}

Result<HandshakeServer::Progress> HandshakeServer::take_vencrypt_type(std::string_view input) {
    if (input.size() < 4)
        return Progress{};
    const auto login = vencrypt_login(get32(input, 0));
    if (!login || !offers(*login)) {
        put8(out_, 0);
        return fail(Errc::unsupported,
                    fmt::format("the viewer chose VeNCrypt's sub-type {}, which was not offered",
                                get32(input, 0)));
    }
    login_ = *login;
    if (tls_of(login_) == Tls::no)
        return begin_proof(4);
    put8(out_, 1);
    state_ = State::tls;
    return Progress{Step::start_tls, 4};
}

HandshakeServer::Progress HandshakeServer::begin_proof(std::size_t used) {
    switch (proof_of(login_)) {
    case Proof::vnc_password:
        out_.append(reinterpret_cast<const char*>(challenge_.data()), challenge_.size());
        state_ = State::response;
        break;
    case Proof::name_and_password:
        state_ = State::credentials;
        break;
    default:
        accept();
        break;
    }
    return {Step::again, used};
}

Result<HandshakeServer::Progress> HandshakeServer::take_credentials(std::string_view input) {
    constexpr std::size_t head = 8;
    if (input.size() < head)
        return Progress{};
    const std::size_t user = get32(input, 0);
    const std::size_t password = get32(input, 4);
    if (user > most_word_bytes || password > most_word_bytes) {
        refuse("that name or password is too long");
        return bad_viewer(
            fmt::format("the viewer sent a name of {} and a password of {} bytes", user, password));
    }
    if (input.size() < head + user + password)
        return Progress{};
    credentials_ = {std::string(input.substr(head, user)),
                    std::string(input.substr(head + user, password))};
    state_ = State::verdict;
    return Progress{Step::check_credentials, head + user + password};
}

Result<HandshakeServer::Progress> HandshakeServer::take_response(std::string_view input) {
    if (input.size() < response_.size())
        return Progress{};
    for (std::size_t at = 0; at < response_.size(); ++at)
        response_[at] = get8(input, at);
    state_ = State::verdict;
    return Progress{Step::check_response, response_.size()};
}

void HandshakeServer::accept() {
    credentials_.password.assign(credentials_.password.size(), '\0');
    // before 3.8 nobody who needs no proof is told (RFC 6143, 7.1.3 and 7.2.1)
    if (minor_ == 8 || login_ != Login::none)
        put32(out_, 0);
    state_ = State::client_init;
}

void HandshakeServer::refuse(std::string_view reason) {
    put32(out_, 1);
    if (minor_ == 8)
        put_reason(reason);
    state_ = State::failed;
}

tl::unexpected<Error> HandshakeServer::turn_away(std::string_view reason) {
    if (minor_ == 3)
        put32(out_, 0);
    else
        put8(out_, 0);
    put_reason(reason);
    return fail(Errc::unsupported, std::string(reason), "use a newer viewer");
}

void HandshakeServer::put_reason(std::string_view reason) {
    put32(out_, static_cast<std::uint32_t>(reason.size()));
    out_ += reason;
}

void HandshakeServer::send_server_init(const ServerInit& init) {
    write(out_, init);
    state_ = State::done;
}

} // namespace baton::rfb
