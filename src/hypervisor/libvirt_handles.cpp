#include "hypervisor/libvirt_handles.h"

#include <fmt/format.h>
#include <libvirt/virterror.h>

#include <array>
#include <atomic>
#include <mutex>
#include <thread>

namespace baton::hypervisor {

namespace {

struct KnownText {
    std::string_view text;
    Errc code;
    std::string_view hint;
};

// What only the text tells: QEMU's own words, passed on by libvirt as an internal error.
constexpr std::array known_texts{
    KnownText{"No space left on device", Errc::full, "make room on the host's disk"},
    KnownText{"Cannot allocate memory", Errc::full,
              "the host has not enough free memory for this desktop"},
    KnownText{
        "unused port in range", Errc::busy,
        "all of libvirt's screen ports are taken; widen remote_display_port_max in qemu.conf"},
    KnownText{"already exists with uuid", Errc::already_exists,
              "a domain that is not ours has this name; rename it"},
    KnownText{
        "export not available", Errc::not_found,
        "the desk server has no such export: the desk may have been leased to another desktop"},
    KnownText{"Address already in use", Errc::busy, "another program listens there; end it"},
    KnownText{"Cannot assign requested address", Errc::invalid_argument,
              "this host has no such address: correct the screen address in its configuration"},
    KnownText{"Connection refused", Errc::unavailable, "nothing listens there"},
    KnownText{"No route to host", Errc::unavailable, "check the network between the two"},
    KnownText{"No such file or directory", Errc::not_found,
              "a file that the desktop needs is missing"},
    KnownText{"Permission denied", Errc::forbidden,
              "the user that libvirt runs QEMU as must be able to read it"},
    KnownText{"already in the process of unplug", Errc::busy, ""},
};

Errc code_of(int code) {
    switch (code) {
    case VIR_ERR_NO_DOMAIN:
    case VIR_ERR_NO_NETWORK:
    case VIR_ERR_DEVICE_MISSING:
        return Errc::not_found;
    case VIR_ERR_DOM_EXIST:
        return Errc::already_exists;
    case VIR_ERR_NO_MEMORY:
        return Errc::full;
    case VIR_ERR_NO_CONNECT:
    case VIR_ERR_INVALID_CONN:
    case VIR_ERR_NO_SUPPORT:
        return Errc::unavailable;
    case VIR_ERR_OPERATION_TIMEOUT:
        return Errc::timeout;
    case VIR_ERR_AUTH_FAILED:
    case VIR_ERR_AUTH_UNAVAILABLE:
    case VIR_ERR_ACCESS_DENIED:
    case VIR_ERR_OPERATION_DENIED:
        return Errc::forbidden;
    case VIR_ERR_OPERATION_INVALID:
        return Errc::conflict;
    case VIR_ERR_CONFIG_UNSUPPORTED:
    case VIR_ERR_OPERATION_UNSUPPORTED:
        return Errc::unsupported;
    case VIR_ERR_XML_ERROR:
    case VIR_ERR_XML_INVALID_SCHEMA:
    case VIR_ERR_INVALID_ARG:
        return Errc::invalid_argument;
    default:
        return Errc::io;
    }
}

/// libvirt's loop can be registered once in a process; the thread runs while it is wanted.
class EventThread {
  public:
    EventThread() {
        static std::once_flag once;
        std::call_once(once, [] {
            virSetErrorFunc(nullptr, [](void*, virErrorPtr) {});
            virInitialize();
            virEventRegisterDefaultImpl();
        });
        // a timer that does nothing by itself: enabling it wakes the loop, to see that it is over
        timer_ = virEventAddTimeout(-1, [](int, void*) {}, nullptr, nullptr);
        thread_ = std::thread([this] {
            while (!over_)
                virEventRunDefaultImpl();
        });
    }

    ~EventThread() {
        over_ = true;
        virEventUpdateTimeout(timer_, 0);
        thread_.join();
        virEventRemoveTimeout(timer_);
    }

    EventThread(const EventThread&) = delete;
    EventThread& operator=(const EventThread&) = delete;

  private:
    std::atomic<bool> over_ = false;
    int timer_ = -1;
    std::thread thread_;
};

} // namespace

std::string uuid_of(virDomain* domain) {
    std::array<char, VIR_UUID_STRING_BUFLEN> text{};
    virDomainGetUUIDString(domain, text.data());
    return text.data();
}

Error libvirt_error(std::string_view doing, int code, int domain, std::string_view message) {
    Error error{code_of(code), fmt::format("{}: {}", doing, message), {}, code};
    if (domain == VIR_FROM_RPC || code == VIR_ERR_NO_CONNECT || code == VIR_ERR_INVALID_CONN) {
        error.code = Errc::unavailable;
        error.hint = "is libvirtd running? see: virsh version";
        return error;
    }
    for (const KnownText& known : known_texts) {
        if (message.find(known.text) == std::string_view::npos)
            continue;
        error.code = known.code;
        error.hint = known.hint;
        break;
    }
    return error;
}

Error libvirt_error(std::string_view doing) {
    const virError* last = virGetLastError();
    if (last == nullptr)
        return Error{Errc::io, fmt::format("{}: libvirt gave no reason", doing), {}, 0};
    return libvirt_error(doing, last->code, last->domain,
                         last->message != nullptr ? last->message : "no reason given");
}

std::shared_ptr<void> run_libvirt_events() {
    static std::mutex mutex;
    static std::weak_ptr<EventThread> running;
    const std::scoped_lock lock(mutex);
    auto thread = running.lock();
    if (!thread)
        running = thread = std::make_shared<EventThread>();
    return thread;
}

} // namespace baton::hypervisor
