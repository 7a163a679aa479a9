#include "rfb/handshake_client.h"

#include "rfb/limits.h"
#include "rfb/wire.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace baton::rfb {

HandshakeClient::HandshakeClient(std::vector<Login> accepted, bool shared)
    : accepted_(std::move(accepted)), shared_(shared) {}

std::string HandshakeClient::take_output() {
    return std::exchange(out_, {});
}

Result<HandshakeClient::Progress> HandshakeClient::next(std::string_view input) {
    auto progress = advance(input);
    if (!progress)
        state_ = State::failed;
    return progress;
}

Result<HandshakeClient::Progress> HandshakeClient::advance(std::string_view input) {
    switch (state_) {
    case State::version:
        return take_version(input);
    case State::security_33:
        return take_security_33(input);
    case State::security:
        return take_security(input);
    case State::reason:
        return take_reason(input);
    case State::vencrypt_version:
    case State::vencrypt_ack:
        return take_vencrypt_version(input);
    case State::vencrypt_types:
        return take_vencrypt_types(input);
    case State::vencrypt_go:
        return take_vencrypt_go(input);
    case State::tls:
        return begin_proof(0);
    case State::challenge:
        return take_challenge(input);
    case State::result:
        return take_result(input);
    case State::server_init:
        return take_server_init(input);
    case State::answer:
        return fail(Errc::internal, "the handshake waits for the client's own answer");
    case State::done:
        return Progress{Step::done, 0};
    default:
        return fail(Errc::conflict, "this handshake has failed before");
    }
}

Result<HandshakeClient::Progress> HandshakeClient::take_version(std::string_view input) {
    const auto minor = read_version(input, "the other side");
    if (!minor)
        return tl::unexpected(minor.error());
    if (!*minor)
        return Progress{};
    minor_ = **minor;
    out_ += version_line(minor_);
    state_ = minor_ == 3 ? State::security_33 : State::security;
    return Progress{Step::again, version_bytes};
}

tl::unexpected<Error> HandshakeClient::nothing_in_common(bool wants_password) const {
    if (wants_password)
        return fail(Errc::unauthenticated, "the screen asks for a password",
                    "give one with --password");
    std::string names;
    for (const Login login : accepted_)
        names += fmt::format("{}{}", names.empty() ? "" : ", ", name_of(login));
    return fail(Errc::unsupported, "the screen offers no kind of login that is known here",
                fmt::format("it must offer one of: {}", names));
}

Result<HandshakeClient::Progress> HandshakeClient::take_security_33(std::string_view input) {
    if (input.size() < 4)
        return Progress{};
    const std::uint32_t type = get32(input, 0);
    if (type == 0) {
        state_ = State::reason;
        return Progress{Step::again, 4};
    }
    const auto login = static_cast<Login>(type);
    if (is_vencrypt(login) ||
        std::find(accepted_.begin(), accepted_.end(), login) == accepted_.end())
        return nothing_in_common(login == Login::vnc);
    login_ = login;
    return begin_proof(4);
}

Result<HandshakeClient::Progress> HandshakeClient::take_security(std::string_view input) {
    if (input.empty())
        return Progress{};
    const std::size_t count = get8(input, 0);
    if (count == 0) {
        state_ = State::reason;
        return Progress{Step::again, 1};
    }
    if (input.size() < 1 + count)
        return Progress{};
    const std::string_view types = input.substr(1, count);
    const auto offered = [&](std::uint8_t type) {
        return types.find(static_cast<char>(type)) != std::string_view::npos;
    };
    for (const Login login : accepted_) {
        if (is_vencrypt(login) && offered(security_type::vencrypt)) {
            put8(out_, security_type::vencrypt);
            state_ = State::vencrypt_version;
            return Progress{Step::again, 1 + count};
        }
        if (!is_vencrypt(login) && offered(static_cast<std::uint8_t>(login))) {
            login_ = login;
            put8(out_, static_cast<std::uint8_t>(login));
            return begin_proof(1 + count);
        }
    }
    return nothing_in_common(offered(security_type::vnc));
}

Result<HandshakeClient::Progress> HandshakeClient::take_vencrypt_version(std::string_view input) {
    if (state_ == State::vencrypt_ack) {
        if (input.empty())
            return Progress{};
        if (get8(input, 0) != 0)
            return fail(Errc::unsupported, "the screen does not speak VeNCrypt 0.2 after all");
        state_ = State::vencrypt_types;
        return Progress{Step::again, 1};
    }
    if (input.size() < 2)
        return Progress{};
    if (get16(input, 0) < 2)
        return fail(Errc::unsupported, fmt::format("the screen speaks VeNCrypt {}.{}, not 0.2",
                                                   get8(input, 0), get8(input, 1)));
    put16(out_, 2);
    state_ = State::vencrypt_ack;
    return Progress{Step::again, 2};
}

Result<HandshakeClient::Progress> HandshakeClient::take_vencrypt_types(std::string_view input) {
    if (input.empty())
        return Progress{};
    const std::size_t count = get8(input, 0);
    if (input.size() < 1 + count * 4)
        return Progress{};
    for (const Login login : accepted_)
        for (std::size_t at = 1; is_vencrypt(login) && at < 1 + count * 4; at += 4)
            if (get32(input, at) == static_cast<std::uint32_t>(login)) {
                login_ = login;
                put32(out_, static_cast<std::uint32_t>(login));
                if (tls_of(login) == Tls::no)
                    return begin_proof(1 + count * 4);
                state_ = State::vencrypt_go;
                return Progress{Step::again, 1 + count * 4};
            }
    return nothing_in_common(false);
}

Result<HandshakeClient::Progress> HandshakeClient::take_vencrypt_go(std::string_view input) {
    if (input.empty())
        return Progress{};
    if (get8(input, 0) != 1)
        return fail(Errc::unsupported,
                    fmt::format("the screen offered {} and then refused it", name_of(login_)));
    state_ = State::tls;
    return Progress{Step::start_tls, 1};
}

HandshakeClient::Progress HandshakeClient::begin_proof(std::size_t used) {
    switch (proof_of(login_)) {
    case Proof::vnc_password:
        state_ = State::challenge;
        return {Step::again, used};
    case Proof::name_and_password:
        state_ = State::answer;
        return {Step::give_credentials, used};
    default:
        if (minor_ == 8 || is_vencrypt(login_))
            state_ = State::result;
        else
            begin_init();
        return {Step::again, used};
    }
}

Result<HandshakeClient::Progress> HandshakeClient::take_challenge(std::string_view input) {
    if (input.size() < challenge_.size())
        return Progress{};
    for (std::size_t at = 0; at < challenge_.size(); ++at)
        challenge_[at] = get8(input, at);
    state_ = State::answer;
    return Progress{Step::answer_challenge, challenge_.size()};
}

void HandshakeClient::give(const Credentials& credentials) {
    put32(out_, static_cast<std::uint32_t>(credentials.user.size()));
    put32(out_, static_cast<std::uint32_t>(credentials.password.size()));
    out_ += credentials.user + credentials.password;
    state_ = State::result;
}

void HandshakeClient::answer(const Challenge& response) {
    out_.append(reinterpret_cast<const char*>(response.data()), response.size());
    state_ = State::result;
}

Result<HandshakeClient::Progress> HandshakeClient::take_result(std::string_view input) {
    if (input.size() < 4)
        return Progress{};
    if (get32(input, 0) == 0) {
        begin_init();
        return Progress{Step::again, 4};
    }
    if (minor_ != 8)
        return fail(Errc::unauthenticated, "the screen refused the login", "check its password");
    state_ = State::reason;
    return Progress{Step::again, 4};
}

Result<HandshakeClient::Progress> HandshakeClient::take_reason(std::string_view input) {
    if (input.size() < 4)
        return Progress{};
    const std::uint32_t length = get32(input, 0);
    if (length > most_word_bytes)
        return not_rfb("the screen's reason for refusing is absurdly long");
    if (input.size() < 4 + std::size_t{length})
        return Progress{};
    reason_ = input.substr(4, length);
    return fail(Errc::unauthenticated, "the screen refused: " + reason_,
                "check its password and whether it has expired");
}

void HandshakeClient::begin_init() {
    put8(out_, shared_ ? 1 : 0);
    state_ = State::server_init;
}

Result<HandshakeClient::Progress> HandshakeClient::take_server_init(std::string_view input) {
    constexpr std::size_t head = 24;
    if (input.size() < head)
        return Progress{};
    auto format = read_pixel_format(input, 4);
    if (!format)
        return tl::unexpected(std::move(format).error());
    const std::uint64_t pixels = std::uint64_t{get16(input, 0)} * get16(input, 2);
    if (pixels == 0 || pixels > most_pixels)
        return not_rfb(fmt::format("the screen says that its size is {}x{}", get16(input, 0),
                                   get16(input, 2)));
    const std::uint32_t length = get32(input, 20);
    if (length > most_word_bytes)
        return not_rfb("the screen's name is absurdly long");
    if (input.size() < head + length)
        return Progress{};
    init_ = {get16(input, 0), get16(input, 2), *format, std::string(input.substr(head, length))};
    state_ = State::done;
    return Progress{Step::done, head + length};
}

} // namespace baton::rfb
