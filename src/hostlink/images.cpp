#include "hostlink/images.h"

#include "osimage/sync.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <mutex>

namespace baton::hostlink {

namespace {

class SyncedImages : public ImageSource {
  public:
    SyncedImages(osimage::Library library, net::ClientSettings controller)
        : library_(std::move(library)), controller_(std::move(controller)) {}

    Result<osimage::LocalImage> ensure(const OsImageId& id) override {
        // Ids come over the link; what is not one must not become a path.
        BATON_TRY(check_name("OS image", id.value));
        const std::lock_guard lock(mutex_);
        if (auto here = library_.open(id))
            return here;
        else if (here.error().code != Errc::not_found)
            spdlog::warn("the OS image {} is here and cannot be used: {}; bringing it again",
                         id.value, here.error().message());
        auto client = net::make_client(controller_);
        if (!client)
            return tl::unexpected(client.error());
        const auto manifest = fetch_manifest(**client, id);
        if (!manifest)
            return tl::unexpected(manifest.error());
        spdlog::info("bringing the OS image {} here", id.value);
        auto image = osimage::sync(
            library_, *manifest, [&](const std::string& file, const std::string& path) {
                return (*client)->download(fmt::format("/v1/os-images/{}/files/{}", id.value, file),
                                           path);
            });
        if (image)
            spdlog::info("the OS image {} is here", id.value);
        return image;
    }

  private:
    static Result<osimage::Manifest> fetch_manifest(net::Client& client, const OsImageId& id) {
        const auto answer =
            client.request("GET", fmt::format("/v1/os-images/{}/manifest", id.value));
        if (!answer)
            return tl::unexpected(answer.error());
        if (answer->status != 200)
            return tl::unexpected(net::error_from_response(*answer));
        auto manifest = osimage::manifest_from_json(answer->body);
        if (manifest && manifest->id != id)
            return fail(Errc::corrupt, fmt::format("the controller gave the manifest of {} for {}",
                                                   manifest->id.value, id.value));
        return manifest;
    }

    std::mutex mutex_;
    osimage::Library library_;
    const net::ClientSettings controller_;
};

} // namespace

std::unique_ptr<ImageSource> make_images(osimage::Library library,
                                         const net::ClientSettings& controller) {
    return std::make_unique<SyncedImages>(std::move(library), controller);
}

} // namespace baton::hostlink
