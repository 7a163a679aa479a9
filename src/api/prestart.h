#pragma once

#include "api/context.h"
#include "api/session_keeper.h"

#include <deque>
#include <string>

namespace baton::api {

/// The first paper's Figure 3: a PC that says that it is up gets its desktop started. The PC has to
/// be tied to a person, whose session is opened as if they had asked for it, on the same way and
/// never twice; when they log in it is there. Nobody is let in by it. It ends again when nobody
/// comes (SessionKeeper).
///
/// Thread rules: the executor.
class Prestarter {
  public:
    Prestarter(Context& context, SessionKeeper& keeper) : context_(context), keeper_(keeper) {}

    /// Returns at once.
    void signal(const store::ClientRow& pc);

    /// Desktops that are being started at once: a room of PCs is switched on at one switch.
    static constexpr unsigned most_under_way = 16;

  private:
    void go_on();
    void begin(const std::string& mac);
    Result<handoff::OpenRequest> request_for(const store::ClientRow& pc);
    void failed(const std::string& mac, const Error& error);

    Context& context_;
    SessionKeeper& keeper_;
    std::deque<std::string> waiting_; ///< MAC addresses, each once
    unsigned under_way_ = 0;
};

} // namespace baton::api
