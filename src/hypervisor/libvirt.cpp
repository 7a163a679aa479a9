#include "hypervisor/libvirt.h"

#include "hypervisor/check_spec.h"
#include "hypervisor/cpu_weight.h"
#include "hypervisor/kvm_probe.h"
#include "hypervisor/libvirt_core.h"
#include "hypervisor/picture.h"
#include "hypervisor/program.h"
#include "hypervisor/screen_folder.h"
#include "process/child.h"

#include <fmt/format.h>
#include <libvirt/virterror.h>

#include <array>
#include <charconv>
#include <fcntl.h>
#include <fstream>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>

namespace baton::hypervisor {

using namespace std::chrono_literals;

namespace {

constexpr std::size_t largest_screenshot = 64UL * 1024 * 1024;
constexpr std::chrono::milliseconds reach_deadline = 3s;
constexpr std::int64_t least_overlay_limit = std::int64_t{32} << 20;
constexpr std::chrono::milliseconds probe_deadline = 5s;

std::string new_uuid() {
    std::array<unsigned char, 16> bytes{};
    if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
        throw std::runtime_error("the kernel gives no random numbers");
    bytes[6] = static_cast<unsigned char>((bytes[6] & 0x0f) | 0x40); // RFC 4122, version 4
    bytes[8] = static_cast<unsigned char>((bytes[8] & 0x3f) | 0x80);
    std::string text;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            text += '-';
        text += fmt::format("{:02x}", bytes[i]);
    }
    return text;
}

/// What the kernel could give without swapping; 0: it does not say.
Mebibytes available_memory() {
    std::ifstream file("/proc/meminfo");
    std::string line;
    constexpr std::string_view key = "MemAvailable:";
    while (std::getline(file, line)) {
        if (!line.starts_with(key))
            continue;
        const std::size_t digits = line.find_first_of("0123456789");
        std::int64_t kibibytes = 0;
        if (digits != std::string::npos)
            std::from_chars(line.data() + digits, line.data() + line.size(), kibibytes);
        return Mebibytes(kibibytes / 1024);
    }
    return Mebibytes(0);
}

/// qemu-img tells a full disk in words alone.
Error disk_error(Error error) {
    if (error.what.find("No space left") != std::string::npos) {
        error.code = Errc::full;
        error.hint = "make room on the host's disk";
    }
    return error;
}

/// Whether its files are there and its memory can be had.
Result<void> check_resources(const DesktopSpec& spec) {
    for (const std::string* file : {&spec.image.disk, &spec.image.kernel, &spec.image.initrd}) {
        struct stat status{};
        if (!file->empty() && ::stat(file->c_str(), &status) != 0)
            return fail_errno(errno,
                              fmt::format("the OS image {} has no {}", spec.image.id.value, *file),
                              "check it with: baton os verify " + spec.image.id.value);
    }
    if (const Mebibytes available = available_memory();
        available.count > 0 && spec.memory > available)
        return fail(Errc::full,
                    fmt::format("a desktop of {} does not fit: the host has {} of free memory",
                                to_string(spec.memory), to_string(available)),
                    "stop other desktops, or start it on another host");
    return {};
}

struct FreeAddresses {
    void operator()(addrinfo* addresses) const { ::freeaddrinfo(addresses); }
};

/// Whether somebody listens there. QEMU itself would stand still for minutes if nobody answers.
Result<void> reach(const Endpoint& server) {
    const std::string what =
        fmt::format("cannot reach the desk server at {}:{}", server.address, server.port);
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV;
    addrinfo* raw = nullptr;
    const int code =
        ::getaddrinfo(server.address.c_str(), std::to_string(server.port).c_str(), &hints, &raw);
    const std::unique_ptr<addrinfo, FreeAddresses> found(raw);
    if (code != 0)
        return fail(Errc::unavailable, what + ": " + ::gai_strerror(code));
    const process::Descriptor socket(
        ::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket.open())
        return fail_errno(errno, what);
    if (::connect(socket.get(), found->ai_addr, found->ai_addrlen) == 0)
        return {};
    pollfd connected{socket.get(), POLLOUT, 0};
    if (errno == EINPROGRESS && ::poll(&connected, 1, static_cast<int>(reach_deadline.count())) < 1)
        return fail(Errc::timeout, what, "is it running, and does the network between allow it?");
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) {
        Error refused = fail_errno(error, what, "is it running?").value();
        refused.code = Errc::unavailable;
        return tl::unexpected(std::move(refused));
    }
    return {};
}

class LibvirtHypervisor final : public Hypervisor {
  public:
    explicit LibvirtHypervisor(std::shared_ptr<LibvirtCore> core) : core_(std::move(core)) {}

    ~LibvirtHypervisor() override { core_->stop(); }

    LibvirtHypervisor(const LibvirtHypervisor&) = delete;
    LibvirtHypervisor& operator=(const LibvirtHypervisor&) = delete;

    void subscribe(Sink sink) override { core_->start(std::move(sink)); }

    Result<DesktopInfo> start(const DesktopSpec& spec) override;
    Result<void> stop(const DesktopId& desktop) override;
    Result<void> attach_disk(const DesktopId& desktop, const DeskDisk& disk) override;
    Result<void> detach_disk(const DesktopId& desktop) override;
    Result<void> set_screen_password(const DesktopId& desktop, const std::string& password,
                                     WallTime until) override;
    Result<void> set_cpu_weight(const DesktopId& desktop, unsigned weight) override;
    Result<void> send(const DesktopId& desktop, const guest::ToGuest& message) override;
    Result<std::vector<DesktopInfo>> list() override;
    Result<std::string> console_tail(const DesktopId& desktop, std::size_t bytes) override;
    Result<std::string> screenshot(const DesktopId& desktop) override;
    Result<Acceleration> acceleration() override;

  private:
    /// nullopt: it has gone meanwhile, or is not ours.
    std::optional<DesktopInfo> info(virDomain* domain);
    Result<DesktopInfo> create(const ConnectionHandle& connection, const DesktopSpec& spec);
    /// The domain of a desktop that must be there.
    Result<DomainHandle> need(const DesktopId& desktop);

    std::shared_ptr<LibvirtCore> core_;
    std::mutex acceleration_mutex_;
    std::optional<Acceleration> acceleration_;
};

std::optional<DesktopInfo> LibvirtHypervisor::info(virDomain* domain) {
    const auto facts = LibvirtCore::facts(domain);
    virDomainInfo state{};
    if (!facts || virDomainGetInfo(domain, &state) != 0)
        return std::nullopt;
    DesktopInfo info;
    info.id = facts->desktop;
    info.session = facts->session;
    info.image = facts->image;
    info.memory = Mebibytes(static_cast<std::int64_t>(state.memory) / 1024);
    info.running = state.state == VIR_DOMAIN_RUNNING || state.state == VIR_DOMAIN_BLOCKED;
    info.desk_attached = facts->desk.has_value();
    info.desk_fence = facts->desk.value_or(FencingNumber{});
    info.screen = facts->screen;
    if (const auto known = core_->known(facts->desktop))
        info.guest_ready = known->guest_ready;
    return info;
}

Result<DomainHandle> LibvirtHypervisor::need(const DesktopId& desktop) {
    const auto connection = core_->connection();
    if (!connection)
        return tl::unexpected(connection.error());
    auto domain = LibvirtCore::find(*connection, desktop);
    if (domain && !*domain)
        return fail(Errc::not_found, fmt::format("no desktop {} runs on this host", desktop.value));
    return domain;
}

Result<DesktopInfo> LibvirtHypervisor::start(const DesktopSpec& spec) {
    BATON_TRY(check_desktop_spec(spec));
    const auto connection = core_->connection();
    if (!connection)
        return tl::unexpected(connection.error());
    const auto turn = core_->turn(spec.id);
    const std::scoped_lock one(*turn);
    const auto no_sweeping = core_->no_sweeping();
    auto there = LibvirtCore::find(*connection, spec.id);
    if (!there)
        return tl::unexpected(there.error());
    if (const auto facts = *there ? LibvirtCore::facts(there->get()) : std::nullopt) {
        BATON_TRY(check_same(spec, facts->session, facts->memory, facts->local_screen));
        if (const auto running = info(there->get()))
            return *running;
    }
    BATON_TRY(check_resources(spec));
    if (spec.local_screen)
        BATON_TRY(give_screen_folder(core_->files().screens(), qemu_user(connection->get())));
    return create(*connection, spec);
}

Result<DesktopInfo> LibvirtHypervisor::create(const ConnectionHandle& connection,
                                              const DesktopSpec& spec) {
    const std::string doing = fmt::format("cannot start desktop {}", spec.id.value);
    const auto accelerated = acceleration();
    const StateFiles& files = core_->files();
    DomainPlan plan;
    plan.desktop = spec;
    plan.uuid = new_uuid();
    plan.overlay = files.overlay(spec.id);
    plan.console = files.console(spec.id);
    plan.channel = files.channel(spec.id);
    plan.nvram = files.nvram(spec.id);
    plan.screen_address = core_->settings().screen_address;
    plan.screen_socket = files.screen(spec.id);
    plan.network = core_->settings().network;
    plan.kvm = accelerated && accelerated->kvm;

    files.remove(spec.id);
    Known known;
    known.session = spec.session;
    known.image = spec.image.id;
    known.memory = spec.memory;
    known.uuid = plan.uuid;
    core_->remember(spec.id, std::move(known));
    if (auto made = process::run_checked(make_overlay_command(spec.image.disk, plan.overlay),
                                         doing + ": making its overlay");
        !made) {
        core_->forget(spec.id);
        return tl::unexpected(disk_error(std::move(made).error()));
    }
    const DomainHandle domain(virDomainCreateXML(connection.get(), to_xml(plan).c_str(), 0));
    if (!domain) {
        const Error error = libvirt_error(doing);
        core_->forget(spec.id);
        return tl::unexpected(error);
    }
    core_->bound_overlay(domain.get());
    core_->channels().open(spec.id, plan.channel);
    auto started = info(domain.get());
    if (!started) {
        const auto console = console_tail(spec.id, 200);
        return fail(Errc::io,
                    fmt::format("desktop {} ended as soon as it was started", spec.id.value),
                    console && !console->empty() ? "its console ended with: " + *console : "");
    }
    return *started;
}

Result<void> LibvirtHypervisor::stop(const DesktopId& desktop) {
    BATON_TRY(check_desktop_id(desktop));
    const auto connection = core_->connection();
    if (!connection)
        return tl::unexpected(connection.error());
    const auto turn = core_->turn(desktop);
    const std::scoped_lock one(*turn);
    const auto domain = LibvirtCore::find(*connection, desktop);
    if (!domain)
        return tl::unexpected(domain.error());
    if (*domain && virDomainDestroy(domain->get()) != 0) {
        Error error = libvirt_error("cannot stop desktop " + desktop.value);
        // it ended by itself meanwhile
        if (error.code != Errc::not_found && error.code != Errc::conflict)
            return tl::unexpected(std::move(error));
    }
    if (const auto known = core_->known(desktop))
        core_->gone(known->uuid, "destroyed");
    return {};
}

Result<void> LibvirtHypervisor::attach_disk(const DesktopId& desktop, const DeskDisk& disk) {
    const auto turn = core_->turn(desktop);
    const std::scoped_lock one(*turn);
    auto domain = need(desktop);
    if (!domain)
        return tl::unexpected(domain.error());
    const auto facts = LibvirtCore::facts(domain->get());
    const auto known = core_->known(desktop);
    if (!facts || !known)
        return fail(Errc::not_found, fmt::format("desktop {} has just ended", desktop.value));
    if (facts->desk && *facts->desk != disk.source.fence)
        return fail(Errc::conflict,
                    fmt::format("desktop {} holds the desk under the fencing number {}, not {}",
                                desktop.value, facts->desk->value, disk.source.fence.value));
    if (facts->desk && known->detaching)
        return fail(Errc::busy,
                    fmt::format("the desk is just being taken out of desktop {}", desktop.value));
    if (facts->desk)
        return {};
    BATON_TRY(reach(disk.source.server));
    // known before it is in: an event must not find an unknown disk
    core_->update(facts->uuid, [&](Known& entry) { entry.desk = disk.source.fence; });
    if (virDomainAttachDeviceFlags(domain->get(), to_xml(disk).c_str(), VIR_DOMAIN_AFFECT_LIVE) !=
        0) {
        const Error error = libvirt_error(fmt::format("cannot plug the desk '{}' into desktop {}",
                                                      disk.source.export_name, desktop.value));
        core_->update(facts->uuid, [](Known& entry) { entry.desk.reset(); });
        return tl::unexpected(error);
    }
    return {};
}

Result<void> LibvirtHypervisor::detach_disk(const DesktopId& desktop) {
    const auto turn = core_->turn(desktop);
    const std::scoped_lock one(*turn);
    auto domain = need(desktop);
    if (!domain)
        return tl::unexpected(domain.error());
    const auto facts = LibvirtCore::facts(domain->get());
    if (!facts || !facts->desk)
        return {};
    core_->update(facts->uuid, [](Known& entry) { entry.detaching = true; });
    // by its alias: that call asks and returns, the other would wait for the guest
    if (virDomainDetachDeviceAlias(domain->get(), std::string(desk_alias).c_str(),
                                   VIR_DOMAIN_AFFECT_LIVE) == 0)
        return {};
    Error error =
        libvirt_error(fmt::format("cannot take the desk out of desktop {}", desktop.value));
    // asked before, and the guest has not answered yet; or it has gone meanwhile
    if (error.code == Errc::busy || error.code == Errc::not_found)
        return {};
    core_->update(facts->uuid, [](Known& entry) { entry.detaching = false; });
    return tl::unexpected(std::move(error));
}

Result<void> LibvirtHypervisor::set_screen_password(const DesktopId& desktop,
                                                    const std::string& password, WallTime until) {
    const auto turn = core_->turn(desktop);
    const std::scoped_lock one(*turn);
    auto domain = need(desktop);
    if (!domain)
        return tl::unexpected(domain.error());
    char* text = virDomainGetXMLDesc(domain->get(), VIR_DOMAIN_XML_SECURE);
    if (text == nullptr)
        return fail_libvirt("cannot read desktop " + desktop.value);
    const std::string live(text);
    free(text);
    if (const auto facts = facts_from_xml(live); facts && facts->local_screen)
        return {};
    if (password.empty())
        return fail(Errc::invalid_argument, "a desktop's screen needs a password");
    const auto screen = screen_with_password(live, password, until);
    if (!screen)
        return tl::unexpected(screen.error());
    if (virDomainUpdateDeviceFlags(domain->get(), screen->c_str(), VIR_DOMAIN_AFFECT_LIVE) != 0)
        return fail_libvirt(
            fmt::format("cannot change the screen password of desktop {}", desktop.value));
    return {};
}

Result<void> LibvirtHypervisor::set_cpu_weight(const DesktopId& desktop, unsigned weight) {
    BATON_TRY(check_cpu_weight(weight));
    const auto domain = need(desktop);
    if (!domain)
        return tl::unexpected(domain.error());
    return hypervisor::set_cpu_weight(domain->get(), weight);
}

Result<void> LibvirtHypervisor::send(const DesktopId& desktop, const guest::ToGuest& message) {
    auto domain = need(desktop);
    if (!domain)
        return tl::unexpected(domain.error());
    const auto facts = LibvirtCore::facts(domain->get());
    // libvirt may be behind: an answer to the guest's first words must not be refused for that
    if (!facts || (!facts->channel_open && !core_->channels().spoke(desktop)))
        return fail(Errc::unavailable,
                    fmt::format("the guest of desktop {} has not opened its port", desktop.value),
                    "it is still booting, or baton-guest does not run in it");
    return core_->channels().send(desktop, message);
}

Result<std::vector<DesktopInfo>> LibvirtHypervisor::list() {
    const auto connection = core_->connection();
    if (!connection)
        return tl::unexpected(connection.error());
    virDomainPtr* raw = nullptr;
    const int count =
        virConnectListAllDomains(connection->get(), &raw, VIR_CONNECT_LIST_DOMAINS_ACTIVE);
    if (count < 0)
        return fail_libvirt("cannot list the desktops");
    std::vector<DesktopInfo> desktops;
    for (int i = 0; i < count; ++i) {
        const DomainHandle domain(raw[i]);
        if (auto found = info(domain.get()))
            desktops.push_back(std::move(*found));
    }
    free(static_cast<void*>(raw));
    return desktops;
}

Result<std::string> LibvirtHypervisor::console_tail(const DesktopId& desktop, std::size_t bytes) {
    BATON_TRY(check_desktop_id(desktop));
    std::string text = core_->files().console_tail(desktop, bytes);
    if (text.empty())
        text = core_->last_console(desktop);
    text = printable(text);
    return text.size() > bytes ? text.substr(text.size() - bytes) : text;
}

Result<std::string> LibvirtHypervisor::screenshot(const DesktopId& desktop) {
    const auto connection = core_->connection();
    if (!connection)
        return tl::unexpected(connection.error());
    auto domain = need(desktop);
    if (!domain)
        return tl::unexpected(domain.error());
    const std::string doing = fmt::format("cannot take a picture of desktop {}", desktop.value);
    const StreamHandle stream(virStreamNew(connection->get(), 0));
    if (!stream)
        return fail_libvirt(doing);
    char* type = virDomainScreenshot(domain->get(), stream.get(), 0, 0);
    if (type == nullptr)
        return fail_libvirt(doing);
    free(type);
    std::string picture;
    std::array<char, 65536> buffer{};
    while (true) {
        const int n = virStreamRecv(stream.get(), buffer.data(), buffer.size());
        if (n == 0)
            break;
        if (n < 0 || picture.size() > largest_screenshot) {
            const Error error = libvirt_error(doing);
            virStreamAbort(stream.get());
            return tl::unexpected(error);
        }
        picture.append(buffer.data(), static_cast<std::size_t>(n));
    }
    virStreamFinish(stream.get());
    return to_pixmap(std::move(picture));
}

Result<Acceleration> LibvirtHypervisor::acceleration() {
    if (!core_->settings().allow_kvm)
        return Acceleration{false, "emulation: KVM is switched off in this host's configuration"};
    const std::scoped_lock lock(acceleration_mutex_);
    if (!acceleration_)
        acceleration_ = probe_kvm_once(core_->files().probe(), core_->settings().state_directory,
                                       probe_deadline);
    return *acceleration_;
}

} // namespace

Result<std::unique_ptr<Hypervisor>> make_libvirt(LibvirtSettings settings) {
    if (settings.overlay_limit_bytes < least_overlay_limit)
        return fail(Errc::invalid_argument,
                    fmt::format("{} bytes are too few for what a desktop may write to its system",
                                settings.overlay_limit_bytes),
                    fmt::format("allow at least {} MiB", least_overlay_limit >> 20));
    auto files = StateFiles::open(settings.state_directory);
    if (!files)
        return tl::unexpected(files.error());
    return std::make_unique<LibvirtHypervisor>(
        std::make_shared<LibvirtCore>(std::move(settings), std::move(*files)));
}

} // namespace baton::hypervisor
