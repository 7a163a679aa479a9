#pragma once

#include "monitor/sample.h"
#include "sampling/clock.h"
#include "sampling/kept_file.h"

#include <string>
#include <sys/types.h>
#include <vector>

namespace baton::sampling {

/// Reads the process of one VM over descriptors that stay open. One thread at a time.
class ProcessReader {
  public:
    /// Errc::not_found: no such process, or it is not QEMU's of the domain of that UUID.
    static Result<ProcessReader> open(const std::string& root, pid_t pid, const std::string& uuid);

    /// Errc::not_found: it has ended. What else cannot be read (no right to /proc/PID/io, no
    /// control group of its own) is missing in what is read.
    Result<void> read(ReadBuffer& buffer, const Clock& clock, monitor::ProcessCounters& counters,
                      monitor::Pressures& pressure) const;

    /// Looks for vCPU threads that have come or gone since the last time.
    void look_for_threads();

    [[nodiscard]] std::size_t vcpu_threads() const { return threads_.size(); }

  private:
    struct Thread {
        std::string id;
        KeptFile schedstat;
    };

    void open_group();
    void read_threads(ReadBuffer& buffer, monitor::ProcessCounters& counters) const;

    std::string root_; ///< "" for this machine
    std::string folder_;
    KeptFile stat_, io_;
    std::vector<Thread> threads_;
    KeptFile group_cpu_, cpu_pressure_, memory_pressure_, io_pressure_;
};

/// The process of a running domain: from libvirt's pid file in one of `folders`, or else by a look
/// through all processes. Errc::not_found.
Result<pid_t> find_qemu(const std::string& root, const std::vector<std::string>& folders,
                        const std::string& name, const std::string& uuid);

/// Where a libvirtd of that URI keeps its pid files.
std::vector<std::string> pid_folders(const std::string& uri);

/// The part of a control group's path that is a domain's own, as libvirt makes it
/// ("machine-qemu...", "NAME.libvirt-qemu"); "" when it shares its group with others.
std::string own_group(const std::string& path);

} // namespace baton::sampling
