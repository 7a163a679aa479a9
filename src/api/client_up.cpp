#include "api/client_up.h"

#include "api/fields.h"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace json = boost::json;

namespace baton::api {

namespace {

constexpr std::int64_t most_memory_mib = std::int64_t{1} << 24; // 16 TiB
constexpr std::int64_t longest_start_ms = 24 * 3600 * 1000;
constexpr std::size_t mac_length = 17;
constexpr std::size_t uuid_length = 36;

char lower_case(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool is_lower_hex(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

/// As SMBIOS is read by Linux; a mainboard without one says nothing.
Result<std::string> uuid_of(std::string text) {
    std::ranges::transform(text, text.begin(), lower_case);
    bool fine = text.empty() || text.size() == uuid_length;
    for (std::size_t i = 0; fine && i < text.size(); ++i) {
        const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        fine = dash ? text[i] == '-' : is_lower_hex(text[i]);
    }
    if (!fine)
        return fail(Errc::invalid_argument, "'uuid' is not a UUID");
    return text;
}

} // namespace

Result<std::string> mac_address(std::string_view text) {
    std::string mac(text.substr(0, mac_length + 1));
    std::ranges::transform(mac, mac.begin(), lower_case);
    bool fine = mac.size() == mac_length;
    for (std::size_t i = 0; fine && i < mac.size(); ++i)
        fine = i % 3 == 2 ? mac[i] == ':' : is_lower_hex(mac[i]);
    // the lowest bit of the first byte: a group, not a card (IEEE 802)
    constexpr std::string_view odd = "13579bdf";
    if (!fine || odd.find(mac[1]) != std::string_view::npos || mac == "00:00:00:00:00:00")
        return fail(Errc::invalid_argument, "that is not the MAC address of a network card",
                    "it looks like 52:54:00:99:00:01");
    return mac;
}

Result<store::ClientRow> client_from_json(std::string_view body, bool* again) {
    auto fields = Fields::parse(body);
    if (!fields)
        return tl::unexpected(fields.error());
    const auto mac = fields->text("mac", mac_length);
    const auto uuid = fields->optional_text("uuid", uuid_length);
    store::ClientRow row;
    row.memory = Mebibytes(fields->number("memory_mib", 1, most_memory_mib));
    row.image = fields->text("image", 64);
    row.firmware = fields->text("firmware", 8);
    const bool said_before = fields->optional_flag("again").value_or(false);
    if (again != nullptr)
        *again = said_before;
    json::object timings;
    for (const auto phase : client_phases) {
        const auto name = fmt::format("{}_ms", phase);
        if (const auto ms = fields->optional_number(name, 0, longest_start_ms))
            timings[name] = *ms;
    }
    BATON_TRY(fields->error());
    BATON_TRY(check_name("image", row.image));
    if (row.firmware != "bios" && row.firmware != "uefi")
        return fail(Errc::invalid_argument, "'firmware' is neither bios nor uefi");
    auto good_mac = mac_address(mac);
    if (!good_mac)
        return tl::unexpected(good_mac.error());
    auto good_uuid = uuid_of(uuid.value_or(""));
    if (!good_uuid)
        return tl::unexpected(good_uuid.error());
    row.mac = std::move(*good_mac);
    row.uuid = std::move(*good_uuid);
    row.timings_json = json::serialize(timings);
    return row;
}

} // namespace baton::api
