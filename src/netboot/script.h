#pragma once

#include "netboot/manifest.h"
#include "netboot/settings.h"

#include <string>

namespace baton::netboot {

/// What iPXE does, as a value; a client image and the site's settings make it.
struct Script {
    std::string image;     ///< its id, shown to whoever stands in front of the PC
    std::string server;    ///< for the message when it cannot be reached
    std::string kernel;    ///< URL
    std::string initrd;    ///< URL
    std::string arguments; ///< of the kernel
    bool operator==(const Script&) const = default;
};

/// The root's place and its SHA-256 go to the first stage by the kernel's command line, and with
/// them where to say "up", and the card that was booted from.
Script script_for(const Manifest& image, const Settings& settings);
/// As iPXE reads it (ipxe.org/scripting). What cannot be fetched is tried again for ever: a PC
/// that was switched on before its boot server is not to be switched on again.
std::string to_text(const Script& script);

/// The script as DHCP names it: a path on the TFTP server, or a URL.
std::string script_place(const Settings& settings);
/// "http://10.98.0.1:8480/netboot": the folder of netboot over HTTP, without a '/' at its end.
std::string http_place(const Settings& settings);

} // namespace baton::netboot
