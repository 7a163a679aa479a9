#pragma once

#include "model/error.h"
#include "player/program.h"
#include "process/child.h"

#include <map>
#include <string>

namespace baton::player {

/// Where a desk's programs find their X server, seen from inside: a socket in the desk's own /tmp
/// and the owner's file of cookies. In the first process inside, which makes both; who listens at
/// the socket is the player's nested server (NestedServer), to which it is handed out.
class InsideDisplay {
  public:
    /// `cookies`: the bytes of an Xauthority file. Errc::unsupported: the policy leaves no /tmp or
    /// no /run to the desk.
    static Result<InsideDisplay> open(const Account& owner, const std::string& cookies);

    [[nodiscard]] int server() const { return server_.get(); } ///< listening

    [[nodiscard]] int client() const { return client_.get(); } ///< connected to it

    /// Once they are handed out.
    void let_go() {
        server_.reset();
        client_.reset();
    }

    /// DISPLAY and XAUTHORITY, unless somebody has said them already.
    void say_in(std::map<std::string, std::string>& environment) const;

  private:
    InsideDisplay() = default;
    process::Descriptor server_;
    process::Descriptor client_;
    std::string cookies_;
};

} // namespace baton::player
