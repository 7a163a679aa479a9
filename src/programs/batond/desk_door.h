#pragma once

#include "api/api.h"
#include "deskserver/client.h"
#include "handoff/ports.h"
#include "programs/batond/config.h"
#include "programs/batond/loop.h"

#include <mutex>
#include <string>
#include <vector>

namespace baton::controller {

/// baton-deskd for the engine (asynchronous, in order for each desk) and for the API (blocking, on
/// the pool's threads).
class DeskDoor : public handoff::DeskServer, public api::DeskAdmin {
  public:
    DeskDoor(const Config& config, Loop& loop, Pool& pool);

    void lease(const DeskName& desk, FencingNumber fence, const HostId& holder,
               handoff::Done<DeskExport> done) override;
    void close(const DeskName& desk, FencingNumber fence, handoff::Done<void> done) override;

    Result<api::DeskFacts> create(const DeskName& name, const UserName& owner,
                                  std::int64_t size_bytes) override;
    Result<api::DeskCheck> check(const DeskName& name, bool repair) override;
    Result<void> remove(const DeskName& name) override;
    Result<api::DeskSnapshot> take_snapshot(const DeskName& name,
                                            const std::string& snapshot) override;
    Result<std::vector<api::DeskSnapshot>> snapshots(const DeskName& name) override;
    Result<void> remove_snapshot(const DeskName& name, const std::string& snapshot) override;
    Result<void> restore(const DeskName& name, const std::string& snapshot) override;
    Result<api::DeskWhereabouts> whereabouts(const DeskName& name) override;
    Result<api::DeskWhereabouts> check_out(const DeskName& name, const std::string& journey,
                                           std::uint64_t generation,
                                           const std::string& to) override;
    Result<std::optional<api::DeskWhereabouts>>
    check_in_piece(const DeskName& name, const api::DeskPiece& piece) override;
    Result<api::DeskWhereabouts> call_off(const DeskName& name) override;
    void export_image(const DeskName& name, net::Respond respond) override;
    Result<std::optional<api::DeskFacts>> import_piece(const DeskName& name, const UserName& owner,
                                                       const api::DeskPiece& piece) override;

  private:
    /// Clients that are not in use; each serves one call at a time. `patience`: of one answer.
    class Clients {
      public:
        Clients(net::ClientSettings settings, std::chrono::milliseconds patience);

        template <class T>
        Result<T> with(const std::function<Result<T>(deskserver::Client&)>& work) {
            auto client = take();
            if (!client)
                return tl::unexpected(client.error());
            auto result = work(**client);
            give_back(std::move(*client));
            return result;
        }

      private:
        Result<std::unique_ptr<deskserver::Client>> take();
        void give_back(std::unique_ptr<deskserver::Client> client);

        net::ClientSettings settings_;
        std::mutex mutex_;
        std::vector<std::unique_ptr<deskserver::Client>> idle_;
    };

    Loop& loop_;
    InOrder in_order_;
    std::string transit_; ///< folder of packed desks that come or go
    std::int64_t size_bytes_;
    Clients quick_;
    Clients slow_;
};

} // namespace baton::controller
