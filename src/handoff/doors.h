#pragma once

#include "handoff/core.h"

#include <map>
#include <vector>

namespace baton::handoff {

/// What people ask for, and who waits for the answer.
class Doors {
  public:
    explicit Doors(Core& core) : core_(core) {}

    void open(const OpenRequest& request, Done<SessionView> done);
    void close(const SessionId& session, Done<void> done);
    void grow(const SessionId& session, Done<SessionView> done);

    [[nodiscard]] SessionView view(const store::SessionRow& row) const;

    // ---- the engine's other parts say how it went -----------------------------------------
    void opened(const SessionId& session);
    void grown(const SessionId& session, const Result<void>& result);
    /// The session is going to end, because of `error` or as asked.
    void ending(const SessionId& session, const Error& error);
    void closed(const SessionId& session);
    /// When this session was asked for, in this life of the controller.
    [[nodiscard]] std::optional<std::chrono::nanoseconds> asked_at(const SessionId& session) const;

  private:
    void open_new(const OpenRequest& request, Done<SessionView> done);
    void open_again(const store::SessionRow& row, const OpenRequest& request,
                    Done<SessionView> done);
    void refresh(const store::SessionRow& before, const store::SessionRow& after,
                 Done<SessionView> done);
    Result<store::SessionRow> new_session(const OpenRequest& request);
    Result<std::optional<store::DeskRow>> desk_for(const OpenRequest& request);
    Result<std::uint16_t> listen_port_for(const std::string& client) const;
    void answer(Done<SessionView> done, Result<SessionView> result);

    struct Reopen {
        OpenRequest request;
        Done<SessionView> done;
    };

    Core& core_;
    std::map<SessionId, std::vector<Done<SessionView>>> openers_;
    std::map<SessionId, std::vector<Done<SessionView>>> growers_;
    std::map<SessionId, std::vector<Done<void>>> closers_;
    std::map<SessionId, std::vector<Reopen>> reopeners_;
    std::map<SessionId, std::chrono::nanoseconds> asked_;
};

} // namespace baton::handoff
