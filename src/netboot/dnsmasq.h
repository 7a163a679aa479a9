#pragma once

#include "model/error.h"
#include "netboot/settings.h"
#include "process/run.h"

#include <string>
#include <string_view>
#include <vector>

namespace baton::netboot {

/// Where dnsmasq finds and puts things. Absolute paths without control characters.
struct DnsmasqPlaces {
    std::string tftp_root;        ///< the folder of netboot
    std::string lease_file;       ///< made by dnsmasq
    std::string config_file;      ///< what configuration() says
    std::string user = "dnsmasq"; ///< what it becomes after it has bound its ports
};

/// One line of dnsmasq's configuration file: a long option's name and its value, which may be
/// empty.
struct DnsmasqOption {
    std::string name;
    std::string value;
    bool operator==(const DnsmasqOption&) const = default;
};

/// The files of the first stage, below the folder of netboot.
inline constexpr std::string_view bios_loader = "loaders/undionly.kpxe";
inline constexpr std::string_view uefi_loader = "loaders/snponly.efi";

/// dnsmasq as DHCP (RFC 2131; PXE by RFC 4578), TFTP and router advertiser, on the given
/// interfaces and nowhere else (bind-interfaces). A PC whose ROM is not iPXE gets iPXE first; iPXE
/// is known by its user class or its option 175. No DNS. Errc::invalid_argument: see check().
Result<std::vector<DnsmasqOption>> configuration(const Settings& settings,
                                                 const DnsmasqPlaces& places);
/// As dnsmasq reads it. Errc::invalid_argument: an option with a control character.
Result<std::string> to_text(const std::vector<DnsmasqOption>& options);

/// In the foreground, with that file and no other.
std::vector<std::string> dnsmasq_words(const DnsmasqPlaces& places);
/// Whether dnsmasq understands the file.
process::Command dnsmasq_test(const DnsmasqPlaces& places);

} // namespace baton::netboot
