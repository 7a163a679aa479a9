#pragma once

#include "hypervisor/libvirt_core.h"

#include <functional>
#include <string>

namespace baton::hypervisor {

/// libvirt calls these in its event loop's thread; everything is handed to the core's own worker.
struct LibvirtCallbacks {
    using Gate = std::shared_ptr<LibvirtCore::Gate>;

    /// `opaque` points to a Gate.
    static void post(void* opaque, std::function<void(LibvirtCore&)> task);
    static int lifecycle(virConnectPtr, virDomainPtr domain, int event, int detail, void* opaque);
    static void removed(virConnectPtr, virDomainPtr domain, const char* alias, void* opaque);
    static void removal_failed(virConnectPtr, virDomainPtr domain, const char* alias, void* opaque);
    static void threshold(virConnectPtr, virDomainPtr domain, const char* device, const char* path,
                          unsigned long long threshold, unsigned long long excess, void* opaque);
    static void io_error(virConnectPtr, virDomainPtr domain, const char* path, const char* alias,
                         int action, const char* reason, void* opaque);

    static void release(void* opaque) { delete static_cast<Gate*>(opaque); }

    /// Does it in the worker's thread once `milliseconds` have passed.
    static void after(const Gate& gate, int milliseconds, std::function<void(LibvirtCore&)> task);
    /// Lets the desktop go on after a pause. When there is still no room it stops at the same write
    /// again, and is waited for again.
    static void wait_for_space(const Gate& gate, const std::string& uuid);
};

} // namespace baton::hypervisor
