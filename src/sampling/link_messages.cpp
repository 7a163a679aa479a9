#include "sampling/link_messages.h"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string>

namespace baton::sampling {

namespace {

using monitor::NetCounters;
using Bytes = std::span<const std::byte>;

/// A header copied out of bytes that may not be aligned for it.
template <class T>
bool take(Bytes bytes, T& value) {
    if (bytes.size() < sizeof value)
        return false;
    std::memcpy(&value, bytes.data(), sizeof value);
    return true;
}

std::size_t aligned(std::size_t size) {
    return (size + 3) & ~std::size_t{3};
}

Bytes after(Bytes bytes, std::size_t size) {
    return bytes.subspan(std::min(bytes.size(), aligned(size)));
}

/// Calls `use(type, payload)` for each attribute; false: they are ill-formed.
template <class Use>
bool each_attribute(Bytes bytes, Use use) {
    while (!bytes.empty()) {
        rtattr attribute{};
        if (!take(bytes, attribute) || attribute.rta_len < sizeof attribute ||
            attribute.rta_len > bytes.size())
            return false;
        use(attribute.rta_type & NLA_TYPE_MASK,
            bytes.subspan(sizeof attribute, attribute.rta_len - sizeof attribute));
        bytes = after(bytes, attribute.rta_len);
    }
    return true;
}

Result<DumpState> corrupt() {
    return fail(Errc::corrupt, "the kernel's answer about network interfaces is ill-formed");
}

/// Calls `use(payload)` for each message of `type`; false from it: ill-formed.
template <class Use>
Result<DumpState> each_message(Bytes datagram, std::uint16_t type, Use use) {
    DumpState state;
    while (!datagram.empty()) {
        nlmsghdr header{};
        if (!take(datagram, header) || header.nlmsg_len < sizeof header ||
            header.nlmsg_len > datagram.size())
            return corrupt();
        const Bytes payload = datagram.subspan(sizeof header, header.nlmsg_len - sizeof header);
        state.interrupted = state.interrupted || (header.nlmsg_flags & NLM_F_DUMP_INTR) != 0;
        if (header.nlmsg_type == NLMSG_DONE) {
            state.done = true;
            return state;
        }
        if (header.nlmsg_type == NLMSG_ERROR) {
            nlmsgerr error{};
            if (!take(payload, error))
                return corrupt();
            return fail_errno(-error.error, "the kernel tells nothing of network interfaces");
        }
        if (header.nlmsg_type == type && !use(payload))
            return corrupt();
        datagram = after(datagram, header.nlmsg_len);
    }
    return state;
}

/// As dev_seq_printf_stats() of the kernel writes /proc/net/dev.
NetCounters counters_of(unsigned index, const rtnl_link_stats64& stats) {
    NetCounters counters;
    counters.index = index;
    counters.r_byte = stats.rx_bytes;
    counters.r_pack = stats.rx_packets;
    counters.r_err = stats.rx_errors;
    counters.r_drop = stats.rx_dropped + stats.rx_missed_errors;
    counters.r_fifo = stats.rx_fifo_errors;
    counters.r_frm =
        stats.rx_length_errors + stats.rx_over_errors + stats.rx_crc_errors + stats.rx_frame_errors;
    counters.r_cmp = stats.rx_compressed;
    counters.r_mult = stats.multicast;
    counters.t_byte = stats.tx_bytes;
    counters.t_pack = stats.tx_packets;
    counters.t_err = stats.tx_errors;
    counters.t_drop = stats.tx_dropped;
    counters.t_fifo = stats.tx_fifo_errors;
    counters.t_col = stats.collisions;
    counters.t_car = stats.tx_carrier_errors + stats.tx_aborted_errors + stats.tx_window_errors +
                     stats.tx_heartbeat_errors;
    counters.t_cmp = stats.tx_compressed;
    return counters;
}

std::string_view text_of(Bytes payload) {
    const std::string_view text(reinterpret_cast<const char*>(payload.data()), payload.size());
    return text.substr(0, text.find('\0'));
}

/// Six bytes as "52:54:00:..."; other lengths (tunnels) have no hardware address of that kind.
monitor::ShortName address_of(Bytes payload) {
    if (payload.size() != 6)
        return {};
    std::array<char, 18> text{};
    char* end = text.data();
    for (const std::byte byte : payload)
        end = fmt::format_to(end, "{}{:02x}", end == text.data() ? "" : ":",
                             std::to_integer<unsigned>(byte));
    return std::string_view(text.data(), static_cast<std::size_t>(end - text.data()));
}

} // namespace

Result<DumpState> parse_link_stats(Bytes datagram, std::vector<NetCounters>& counters) {
    return each_message(datagram, RTM_NEWSTATS, [&](Bytes payload) {
        if_stats_msg header{};
        if (!take(payload, header))
            return false;
        return each_attribute(after(payload, sizeof header), [&](unsigned type, Bytes value) {
            if (type != IFLA_STATS_LINK_64)
                return;
            rtnl_link_stats64 stats{}; // a kernel may know fewer, or more
            std::memcpy(&stats, value.data(), std::min(value.size(), sizeof stats));
            counters.push_back(counters_of(header.ifindex, stats));
        });
    });
}

Result<DumpState> parse_links(Bytes datagram, std::vector<NetCounters>& links) {
    return each_message(datagram, RTM_NEWLINK, [&](Bytes payload) {
        ifinfomsg header{};
        if (!take(payload, header) || header.ifi_index <= 0)
            return false;
        NetCounters link;
        link.index = static_cast<unsigned>(header.ifi_index);
        const bool fine =
            each_attribute(after(payload, sizeof header), [&](unsigned type, Bytes value) {
                if (type == IFLA_IFNAME)
                    link.net_name = text_of(value);
                else if (type == IFLA_ADDRESS)
                    link.net_hwaddress = address_of(value);
                else if (type == IFLA_PARENT_DEV_NAME)
                    link.physical = true;
            });
        if (fine)
            links.push_back(link);
        return fine;
    });
}

} // namespace baton::sampling
