#pragma once

#include "handoff/ports.h"
#include "net/pki.h"
#include "programs/batond/housekeeping.h"
#include "store/store.h"

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace baton::controller {

/// One of the site's own certificates: <pki>/<part>/<role>-cert.pem.
struct SiteCertificate {
    std::string part; ///< "api", "deskd", "controller"
    std::string role; ///< "server", "client"
    net::CertificateOrder order;
};

/// Renews the site's own certificates, and warns of the hosts' that are about to end. Who uses the
/// files (net's servers and clients) reads them again for its next connection; none is dropped.
///
/// Thread rules: everything on the clock's executor, or before it runs.
class CertificateKeeper {
  public:
    using Doors = HousekeepingDoors;

    /// A host's certificate is warned of when it has less life left than this.
    static constexpr std::chrono::hours warned_before = net::certificate_renewal;

    /// `folder`: the site's pki folder.
    CertificateKeeper(net::Authority authority, std::string folder,
                      std::vector<SiteCertificate> wanted, Doors doors);

    /// Issues what is missing or about to end; the paths of what is new. Up to the first error.
    Result<std::vector<std::string>> keep();

    /// From now on every hour, as the wall clock may jump: the same with an event
    /// `certificate.renewed` each, where one that fails stops no other, stays as it is, is tried
    /// again and is told to the log once a day; and an event `host.certificate_expires` for each
    /// host whose certificate ends soon, once a day.
    void begin();

    /// Certifies the key of a host's request, and writes down when that ends.
    Result<std::string> sign_host(const HostId& host, const std::string& csr_pem);

    /// The same for a gateway that viewers reach at `address` (an IPv4 address or a name).
    Result<std::string> sign_gateway(const GatewayId& gateway, const std::string& address,
                                     const std::string& csr_pem);

    [[nodiscard]] const net::Authority& authority() const;

  private:
    Result<std::string> sign(const net::CertificateOrder& order, const std::string& csr_pem);

    struct Self;
    std::shared_ptr<Self> self_;
};

} // namespace baton::controller
