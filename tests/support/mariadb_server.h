#pragma once

#include "process/child.h"
#include "support/temporary_directory.h"

#include <memory>
#include <string>

namespace baton::testing {

/// A real MariaDB server of this test alone: an ordinary process, its data in a temporary folder,
/// reached through a socket there and over no network. Ended with the object. Throws when it
/// cannot be had (package mariadb-server-core).
class MariadbServer {
  public:
    MariadbServer();
    ~MariadbServer();
    MariadbServer(const MariadbServer&) = delete;
    MariadbServer& operator=(const MariadbServer&) = delete;

    /// Begins a database of that name; its URL as --store takes it.
    std::string database(const std::string& name);
    /// kill -9, as at a power cut.
    void kill();
    /// Again, over the same data.
    void start();

  private:
    void await_readiness();

    TemporaryDirectory directory_;
    std::unique_ptr<process::Child> child_;
};

} // namespace baton::testing
