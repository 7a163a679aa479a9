// Both directions of the link, and the join token: whatever is read writes and reads the same.
#include "hostlink/protocol.h"
#include "net/join_token.h"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace baton;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (const auto message = hostlink::decode_from_host(text)) {
        const auto again = hostlink::decode_from_host(hostlink::encode(*message));
        if (!again || !(*again == *message))
            std::abort();
        if (const auto* reply = std::get_if<hostlink::Reply>(&*message); reply && reply->result) {
            (void)hostlink::desktops_from_json(*reply->result);
            (void)hostlink::started_from_json(*reply->result);
            (void)hostlink::mount_report_from_json(*reply->result);
        }
    }
    if (const auto message = hostlink::decode_from_controller(text))
        if (!hostlink::decode_from_controller(hostlink::encode(*message)))
            std::abort();
    if (const auto token = net::decode_join_token(text))
        if (net::decode_join_token(net::encode(*token)) != *token)
            std::abort();
    return 0;
}
