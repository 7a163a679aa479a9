#pragma once

#include "monitor/sample.h"

#include <string_view>
#include <vector>

struct _virTypedParameter; // NOLINT(bugprone-reserved-identifier): libvirt's name for it

/// What libvirt says of a domain, as values.
namespace baton::sampling {

/// A network interface of the host that is the host's end of a desktop's.
struct Tap {
    monitor::ShortName device; ///< "vnet3"
    bool mirrored = true;      ///< what the host receives, the guest has sent; not so for macvtap
};

struct DomainFacts {
    monitor::DesktopIdentity who; ///< without its state, which is not in the XML
    std::vector<Tap> taps;
};

/// From a live domain's XML. Errc::corrupt: not a domain.
Result<DomainFacts> domain_facts(std::string_view xml);

monitor::DomainState domain_state(int libvirt_state);

/// What virDomainListGetStats and virConnectGetAllDomainStats tell of one domain. Parts that are
/// not told have no moment; those that are have `at`. Sizes in KiB become bytes.
monitor::DesktopSample domain_stats(const _virTypedParameter* parameters, int count,
                                    monitor::Moment at);

} // namespace baton::sampling
