#pragma once

#include "programs/batond/world.h"

#include <memory>
#include <string>
#include <vector>

namespace baton::controller {

/// batond without its process: the wiring of store, engine, API and servers. Made on the main
/// thread; destroyed there, too: servers first, the store last.
class Controller {
  public:
    /// Everything that first start makes is made here: state folder (0700), database, certificate
    /// authority, certificates, the admin's token file (0600).
    static Result<std::unique_ptr<Controller>> start(const Config& config);

    virtual ~Controller() = default;

    /// "https://127.0.0.1:8443", "unix:/run/baton/batond.sock": where it listens.
    [[nodiscard]] virtual std::vector<std::string> urls() const = 0;
    [[nodiscard]] virtual std::string admin_token_file() const = 0;
};

} // namespace baton::controller
