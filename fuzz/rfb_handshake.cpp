/// Both ends' handshakes against anybody: any bytes lead to the end, to more bytes or to a
/// sentence.
#include "rfb/handshake_client.h"
#include "rfb/handshake_server.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace baton::rfb;

const std::vector<Login> logins{Login::x509_plain, Login::tls_vnc, Login::plain,
                                Login::vnc,        Login::none,    Login::x509_none};

/// A handshake that goes on for ever is one that hangs.
constexpr int most_steps = 40;

void serve(std::string_view input, bool accepts) {
    HandshakeServer server(logins, Challenge{});
    for (int step = 0;; ++step) {
        const auto progress = server.next(input);
        static_cast<void>(server.take_output());
        if (!progress || progress->step == HandshakeServer::Step::need_more ||
            progress->step == HandshakeServer::Step::done)
            return;
        if (step > most_steps || progress->used > input.size())
            std::abort();
        input.remove_prefix(progress->used);
        if (progress->step == HandshakeServer::Step::check_credentials ||
            progress->step == HandshakeServer::Step::check_response) {
            if (accepts)
                server.accept();
            else
                server.refuse("no");
        }
        if (progress->step == HandshakeServer::Step::client_init)
            server.send_server_init({});
    }
}

void look(std::string_view input) {
    HandshakeClient client(logins);
    for (int step = 0;; ++step) {
        const auto progress = client.next(input);
        static_cast<void>(client.take_output());
        if (!progress || progress->step == HandshakeClient::Step::need_more ||
            progress->step == HandshakeClient::Step::done)
            return;
        if (step > most_steps || progress->used > input.size())
            std::abort();
        input.remove_prefix(progress->used);
        if (progress->step == HandshakeClient::Step::give_credentials)
            client.give({"kim", "secret"});
        if (progress->step == HandshakeClient::Step::answer_challenge)
            client.answer(client.challenge());
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t length) {
    if (length == 0)
        return 0;
    const std::string_view input(reinterpret_cast<const char*>(data + 1), length - 1);
    serve(input, data[0] % 2 == 0);
    look(input);
    return 0;
}
