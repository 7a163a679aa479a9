#pragma once

#include "hypervisor/state_files.h"
#include "process/child.h"

#include <string>
#include <thread>

namespace baton::hypervisor {

/// Keeps the files that guests' consoles are written to short: one that outgrows `longest` is cut,
/// and its end kept beside it. Told by the kernel (inotify) when they grow; looks four times a
/// second at most, however much is written.
class ConsoleFiles {
  public:
    static constexpr std::int64_t longest = std::int64_t{1} << 20;
    static constexpr std::size_t kept = 64UL * 1024;

    explicit ConsoleFiles(const StateFiles& files);
    ~ConsoleFiles();
    ConsoleFiles(const ConsoleFiles&) = delete;
    ConsoleFiles& operator=(const ConsoleFiles&) = delete;

  private:
    void run();
    /// Cuts every file in the folder that is too long.
    void cut() const;

    std::string folder_;
    process::Descriptor changes_;
    process::Descriptor over_;
    std::thread thread_;
};

} // namespace baton::hypervisor
