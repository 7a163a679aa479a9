#include "routing/ipv4.h"

#include <charconv>

namespace baton::routing {

namespace {

std::uint32_t mask(unsigned prefix) {
    return prefix == 0 ? 0 : ~std::uint32_t{0} << (32U - prefix);
}

} // namespace

bool Ipv4Network::contains(Ipv4 other) const {
    return (other.value & mask(prefix)) == address.value;
}

bool Ipv4Network::overlaps(const Ipv4Network& other) const {
    return contains(other.address) || other.contains(address);
}

Result<Ipv4> parse_ipv4(std::string_view text) {
    const auto wrong = [&] {
        return fail(Errc::invalid_argument,
                    "'" + std::string(text.substr(0, 100)) + "' is not an IPv4 address",
                    "write it like 10.98.0.50");
    };
    std::uint32_t value = 0;
    const char* at = text.data();
    const char* const end = at + text.size();
    for (int part = 0; part < 4; ++part) {
        if (part > 0) {
            if (at == end || *at != '.')
                return wrong();
            ++at;
        }
        unsigned number = 0;
        const auto [next, error] = std::from_chars(at, end, number);
        if (error != std::errc() || number > 255 || (next - at > 1 && *at == '0'))
            return wrong();
        value = value << 8U | number;
        at = next;
    }
    if (at != end)
        return wrong();
    return Ipv4{value};
}

Result<Ipv4Network> parse_network(std::string_view text) {
    const auto wrong = [&](const std::string& why) {
        return fail(Errc::invalid_argument,
                    "'" + std::string(text.substr(0, 100)) + "' is not an IPv4 network" + why,
                    "write it like 10.98.0.0/24");
    };
    const auto slash = text.find('/');
    if (slash == std::string_view::npos)
        return wrong("");
    const auto address = parse_ipv4(text.substr(0, slash));
    const auto rest = text.substr(slash + 1);
    unsigned prefix = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), prefix);
    if (!address || error != std::errc() || end != rest.data() + rest.size() || prefix < 1 ||
        prefix > 32)
        return wrong("");
    if ((address->value & ~mask(prefix)) != 0)
        return wrong(": it has bits beyond its prefix, perhaps " +
                     to_string(Ipv4Network{Ipv4{address->value & mask(prefix)}, prefix}) +
                     " is meant");
    return Ipv4Network{*address, prefix};
}

std::string to_string(Ipv4 address) {
    std::string text;
    for (const unsigned shift : {24U, 16U, 8U, 0U})
        text += (text.empty() ? "" : ".") + std::to_string(address.value >> shift & 255U);
    return text;
}

std::string to_string(const Ipv4Network& network) {
    return to_string(network.address) + "/" + std::to_string(network.prefix);
}

} // namespace baton::routing
