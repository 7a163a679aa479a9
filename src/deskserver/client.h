#pragma once

#include "deskserver/server.h"
#include "net/http.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace baton::deskserver {

/// baton-deskd from afar, as batond sees it: the same calls as DeskServer, with the same errors,
/// and besides Errc::unavailable and Errc::timeout. Blocking. Not thread-safe: make one per thread.
class Client {
  public:
    using Progress = std::function<void(std::int64_t done, std::int64_t total)>;

    /// `settings.url`: "https://10.99.0.1:8445"; `settings.tls`: the controller's client
    /// certificate. Connects with the first call.
    static Result<Client> make(net::ClientSettings settings);

    Result<DeskView> create(const DeskName& name, const std::string& owner,
                            std::int64_t size_bytes);
    Result<std::vector<DeskView>> list();
    Result<DeskView> show(const DeskName& name);
    /// Of a large desk this may take minutes: see ClientSettings::timeout.
    Result<desk::CheckReport> check(const DeskName& name, bool repair);
    Result<void> remove(const DeskName& name);
    Result<Space> space();

    Result<desk::Snapshot> take_snapshot(const DeskName& name, const std::string& snapshot);
    Result<std::vector<desk::Snapshot>> snapshots(const DeskName& name);
    Result<void> remove_snapshot(const DeskName& name, const std::string& snapshot);
    Result<DeskView> restore(const DeskName& name, const std::string& snapshot);

    Result<DeskView> check_out(const DeskName& name, const std::string& journey,
                               std::uint64_t generation, const std::string& place);
    Result<DeskView> call_off(const DeskName& name);

    /// Idempotent: after Errc::timeout or Errc::unavailable ask again with the same numbers.
    Result<DeskExport> lease(const DeskName& name, FencingNumber fence, const HostId& holder);
    Result<void> close(const DeskName& name, FencingNumber fence);

    /// The desk, packed (docs/formats/desk-pack.md), as a new file. Nothing may be at `path`.
    Result<void> download(const DeskName& name, const std::string& path,
                          const Progress& progress = {});
    /// A packed desk as a new managed one.
    Result<DeskView> upload(const DeskName& name, const std::string& path,
                            const Progress& progress = {});

    /// A packed copy that was away, back in the place of the desk.
    Result<DeskView> bring_back(const DeskName& name, const std::string& path,
                                const Progress& progress = {});

  private:
    /// upload() and bring_back(): the file in pieces, and then `rest` of the desk's address.
    Result<DeskView> send_content(const DeskName& name, const std::string& path,
                                  const std::string& rest, const Progress& progress);

    explicit Client(std::unique_ptr<net::Client> http) : http_(std::move(http)) {}

    Result<boost::json::object> ask(const std::string& method, const std::string& target,
                                    const boost::json::object& body = {});

    std::unique_ptr<net::Client> http_;
};

} // namespace baton::deskserver
