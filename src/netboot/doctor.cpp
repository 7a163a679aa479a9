#include "netboot/doctor.h"

#include "netboot/dnsmasq.h"
#include "netboot/script.h"
#include "osimage/files.h"

#include <algorithm>
#include <arpa/inet.h>

namespace baton::netboot {

namespace {

class Examination {
  public:
    Examination(const Folder& folder, const DoctorDoors& doors) : folder_(folder), doors_(doors) {}

    std::vector<Finding> run();

  private:
    void good(std::string about, std::string text) {
        findings_.push_back({Health::good, std::move(about), std::move(text), ""});
    }

    void warn(std::string about, std::string text, std::string hint) {
        findings_.push_back({Health::warning, std::move(about), std::move(text), std::move(hint)});
    }

    void fault(std::string about, std::string text, std::string hint) {
        findings_.push_back({Health::fault, std::move(about), std::move(text), std::move(hint)});
    }

    void fault(std::string about, const Error& error) {
        fault(std::move(about), error.what, error.hint);
    }

    void image();
    void loaders();
    void interface(const std::string& name);
    void servers_on(const std::string& name);
    void http();
    void tftp();
    void nfs();

    const Folder& folder_;
    const DoctorDoors& doors_;
    Settings settings_;
    std::string script_; ///< what a PC is to be told; empty: nothing can be
    std::vector<Finding> findings_;
};

void Examination::image() {
    const auto current = folder_.current();
    if (!current)
        return fault("client image", current.error());
    if (!*current)
        return fault("client image", "none has been built", "build one: baton netboot build");
    if (const auto whole = folder_.verify(**current); !whole)
        return fault("client image", whole.error().what,
                     "build it again (baton netboot build), or go back: baton netboot rollback");
    good("client image", (*current)->id + " is whole");
    const auto wanted = to_text(script_for(**current, settings_));
    const auto written =
        osimage::read_file(folder_.path() + "/" + std::string(script_name), 65'536);
    if (!written)
        return fault("boot script", written.error().what, "write it: baton netboot enable");
    if (*written != wanted)
        return fault("boot script", "it is not the one of the current image and settings",
                     "write it anew: baton netboot enable");
    script_ = wanted;
    good("boot script", "names " + (*current)->id);
}

void Examination::loaders() {
    for (const auto name : {bios_loader, uefi_loader}) {
        const auto path = folder_.path() + "/" + std::string(name);
        if (const auto file = osimage::open_file(path, 0); !file)
            return fault("iPXE", path + " is missing",
                         "install the package ipxe, then: baton netboot enable");
    }
    good("iPXE", "is there for BIOS and UEFI");
}

void Examination::interface(const std::string& name) {
    const auto about = "interface " + name;
    const auto now = doors_.interface(name);
    if (!now)
        return fault(about, "there is none of that name", "see: ip link");
    if (!now->up)
        return fault(about, "is down, or has no cable", "ip link set " + name + " up");
    if (std::ranges::find(now->addresses, settings_.address) == now->addresses.end())
        return fault(about, "does not have the address " + settings_.address,
                     "ip address add " + settings_.address + "/24 dev " + name +
                         ", and in the machine's network configuration");
    good(about, "is up with " + settings_.address);
    if (settings_.ipv6_prefix.empty())
        return warn("router advertisements",
                    "none are sent: iPXE waits some 15 s for one at every start",
                    "give the interface an address such as fd98::1/64, and --ipv6-prefix fd98::");
    in6_addr prefix{};
    ::inet_pton(AF_INET6, settings_.ipv6_prefix.c_str(), &prefix);
    const bool inside = std::ranges::any_of(now->addresses, [&](const std::string& text) {
        in6_addr address{};
        return ::inet_pton(AF_INET6, text.c_str(), &address) == 1 &&
               std::equal(address.s6_addr, address.s6_addr + 8, prefix.s6_addr);
    });
    if (!inside)
        return warn("router advertisements",
                    name + " has no address in " + settings_.ipv6_prefix +
                        "/64: none are sent, and iPXE waits some 15 s",
                    "ip address add " + settings_.ipv6_prefix + "1/64 dev " + name);
    good("router advertisements", "of " + settings_.ipv6_prefix + "/64");
}

void Examination::servers_on(const std::string& name) {
    const auto about = "DHCP on " + name;
    const auto offers = doors_.offers(name);
    if (!offers)
        return fault(about, offers.error());
    std::vector<DhcpOffer> others;
    for (const auto& offer : *offers)
        if (offer.server != settings_.address)
            others.push_back(offer);
    if (settings_.dhcp == Dhcp::own) {
        if (others.empty())
            return good(about, "no other server answers");
        return fault(about,
                     "a second DHCP server, " + others.front().server + ", offers " +
                         others.front().address,
                     "switch it off, or let it give the addresses: baton netboot enable --proxy");
    }
    const auto gives = std::ranges::find_if(
        others, [](const DhcpOffer& offer) { return offer.address != "0.0.0.0"; });
    if (gives == others.end())
        return fault(about, "nobody gives addresses, and this boot server is only a proxy",
                     "switch the network's DHCP server on, or use --range instead of --proxy");
    const auto boots = std::ranges::find_if(
        others, [](const DhcpOffer& offer) { return offer.pxe || !offer.boot_file.empty(); });
    if (boots != others.end())
        return warn(about, boots->server + " tells PCs to boot '" + boots->boot_file + "' as well",
                    "take its boot options away (66, 67, 'next server', 'boot file')");
    good(about, gives->server + " gives the addresses");
}

void Examination::http() {
    const auto url = http_place(settings_) + "/" + std::string(script_name);
    const auto about = "HTTP, TCP port " + std::to_string(settings_.http_port);
    const auto text = doors_.http(url);
    if (!text)
        return fault(about, "no answer at " + url + ": " + text.error().what,
                     "does batond run, and does no firewall close the port?");
    if (*text != script_)
        return fault(about, "somebody else answers at " + url,
                     "give another port: baton netboot enable --http-port");
    good(about, "gives the boot script");
}

void Examination::tftp() {
    const std::string about = "TFTP, UDP port 69";
    const auto text = doors_.tftp(settings_.address, std::string(script_name));
    if (!text)
        return fault(about, text.error().what,
                     "does baton-netboot run (baton netboot serve)? Is another TFTP server there, "
                     "or a firewall? See: ss -ulpn");
    if (text->empty() || !script_.starts_with(*text))
        return fault(about, "somebody else's TFTP server answers", "see: ss -ulpn 'sport = 69'");
    good(about, "gives the boot script");
}

void Examination::nfs() {
    const auto open = doors_.tcp(settings_.address, 2049);
    if (!open)
        return fault("NFS, TCP port 2049", open.error().what,
                     "start nfs-ganesha with the export of docs/netboot.md");
    good("NFS, TCP port 2049", "somebody listens");
}

std::vector<Finding> Examination::run() {
    auto settings = folder_.settings();
    if (!settings) {
        fault("settings", settings.error());
        return std::move(findings_);
    }
    settings_ = std::move(*settings);
    if (!settings_.enabled) {
        fault("settings", "network boot is not enabled", "baton netboot enable --help");
        return std::move(findings_);
    }
    good("settings", settings_.dhcp == Dhcp::own
                         ? "addresses " + settings_.range_first + " to " + settings_.range_last
                         : "beside the network's own DHCP server");
    image();
    loaders();
    for (const auto& name : settings_.interfaces) {
        interface(name);
        servers_on(name);
    }
    tftp();
    http();
    if (settings_.root_by == RootBy::nfs)
        nfs();
    return std::move(findings_);
}

} // namespace

std::vector<Finding> examine(const Folder& folder, const DoctorDoors& doors) {
    return Examination(folder, doors).run();
}

Health worst(const std::vector<Finding>& findings) {
    Health found = Health::good;
    for (const auto& finding : findings)
        found = std::max(found, finding.health);
    return found;
}

std::string_view to_string(Health health) {
    switch (health) {
    case Health::good:
        return "good";
    case Health::warning:
        return "warning";
    case Health::fault:
        return "fault";
    }
    return "fault";
}

} // namespace baton::netboot
