#pragma once

#include "deskserver/server.h"
#include "model/error.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace baton::deskserver {

struct Content {
    std::string id; ///< 32 hex digits
    std::int64_t bytes = 0;
    std::string sha256; ///< of the desk's content (desk::content_hash); empty while it is coming in
};

/// Packed desks on their way out or in, each a file beside the desks. What nobody has fetched or
/// used within a day is removed. Thread-safe.
class ContentStore {
  public:
    /// `folder` is made; what is in it is of an earlier life and removed.
    static Result<ContentStore> open(const std::string& folder);

    /// A desk that nobody uses, packed.
    Result<Content> pack(DeskServer& server, const DeskName& name);
    /// An empty one, to be filled by append().
    Result<Content> begin();
    /// `offset` must be its present length, or one that a repeated piece begins at: then nothing
    /// happens. Errc::conflict: a piece is missing before it.
    Result<Content> append(const std::string& id, std::int64_t offset, std::string_view bytes);
    /// Unpacked, verified, checked and taken in; the content is removed.
    Result<DeskView> take_in(DeskServer& server, const DeskName& name, const std::string& id);
    /// A copy that was away, back in the place of the desk (DeskServer::check_in); the content is
    /// removed. What cannot come back is refused before it is unpacked.
    Result<DeskView> bring_back(DeskServer& server, const DeskName& name, const std::string& id);
    /// Where it lies.
    Result<std::string> path(const std::string& id) const;
    Result<void> remove(const std::string& id);

  private:
    explicit ContentStore(std::string folder) : folder_(std::move(folder)) {}

    void remove_old() const;

    std::string folder_;
};

} // namespace baton::deskserver
