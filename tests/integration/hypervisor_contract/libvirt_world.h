#pragma once

#include "hypervisor/libvirt.h"
#include "osimage/library.h"
#include "support/temporary_directory.h"
#include "world.h"

#include <map>
#include <string>

namespace baton::hypervisor::contract {

/// The real adapter beside lab/with-libvirtd's libvirtd, with the OS image "tiny".
class LibvirtWorld : public World {
  public:
    LibvirtWorld();
    ~LibvirtWorld() override;
    LibvirtWorld(const LibvirtWorld&) = delete;
    LibvirtWorld& operator=(const LibvirtWorld&) = delete;

    DesktopSpec spec(const std::string& id) override;
    DeskDisk desk(std::uint64_t fence) override;
    void crash(const DesktopId& desktop) override;
    void restart_agent() override;
    void interrupt_hypervisor() override;
    std::vector<std::string> left_behind() override;
    DesktopSpec too_large(const std::string& id) override;

    // ---- beyond the contract
    [[nodiscard]] LibvirtSettings& settings() { return settings_; }

    [[nodiscard]] const osimage::LocalImage& image() const { return image_; }

    /// The adapter as `settings()` say, in place of the one there was.
    void connect();

    /// As if the agent had been killed: nothing is stopped, nothing is cleaned up.
    void disconnect() { hypervisor_.reset(); }

    /// QEMU's process, 0 if there is none.
    static pid_t qemu_of(const DesktopId& desktop);
    /// Whether the process ends in time (told by the kernel).
    static bool wait_end(pid_t pid, std::chrono::milliseconds deadline);
    /// For what nobody can tell us of: looks again and again.
    static bool wait_for(const std::function<bool()>& holds, std::chrono::milliseconds deadline);
    static bool wait_console(Hypervisor& hypervisor, const DesktopId& desktop,
                             const std::string& text);
    static void kill_libvirtd();
    static void start_libvirtd();
    /// The desk image under `fence`, as a file.
    [[nodiscard]] std::string desk_file(std::uint64_t fence) const;

  private:
    testing::TemporaryDirectory folder_;
    osimage::LocalImage image_;
    LibvirtSettings settings_;
    std::map<std::uint64_t, pid_t> servers_;
};

} // namespace baton::hypervisor::contract
