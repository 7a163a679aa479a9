#pragma once

#include "model/error.h"

#include <libvirt/libvirt.h>

#include <memory>
#include <string>
#include <string_view>

/// libvirt's objects, owned, and its errors as ours.
namespace baton::hypervisor {

struct Release {
    void operator()(virDomain* domain) const { virDomainFree(domain); }

    void operator()(virStream* stream) const { virStreamFree(stream); }
};

using DomainHandle = std::unique_ptr<virDomain, Release>;
using StreamHandle = std::unique_ptr<virStream, Release>;
/// Shared by the calls that are under way; closed with the last of them.
using ConnectionHandle = std::shared_ptr<virConnect>;

std::string uuid_of(virDomain* domain);

/// What libvirt last said in this thread, with what was being done. Never Errc::internal.
Error libvirt_error(std::string_view doing);

/// The same from its parts, for unit tests. `code` and `domain` are libvirt's.
Error libvirt_error(std::string_view doing, int code, int domain, std::string_view message);

inline tl::unexpected<Error> fail_libvirt(std::string_view doing) {
    return tl::unexpected(libvirt_error(doing));
}

/// Registers libvirt's own event loop and runs it in one thread for the whole process; the loop
/// goes on as long as somebody holds it. Also keeps libvirt from writing to standard error.
std::shared_ptr<void> run_libvirt_events();

} // namespace baton::hypervisor
