#pragma once

#include "model/error.h"
#include "rfb/security.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace baton::viewer {

struct OpeningState {
    enum class Stage : std::uint8_t {
        idle,
        working,
        choosing, ///< `images` are to be chosen from
        opened,   ///< the gateway may be asked
    };
    Stage stage = Stage::idle;
    std::vector<std::string> images; ///< their ids
    std::size_t preferred = 0;       ///< of images
    std::optional<Error> why;        ///< idle: it was refused; working: it is tried again
};

/// Asks the controller for a person's session, where there is more than one OS image to choose
/// from: a gateway alone opens it with the site's own choice. Every method may be called from any
/// thread and returns at once.
class Opening {
  public:
    /// `controller`: "https://10.98.0.1:8443"; `authority`: its CA, PEM. `wake` is called on other
    /// threads after every change.
    Opening(std::string controller, std::string authority, std::function<void()> wake);
    ~Opening();
    Opening(const Opening&) = delete;
    Opening& operator=(const Opening&) = delete;

    /// Logs in and looks: choosing; or opened at once when the person is at work already, or there
    /// is one image.
    void begin(const rfb::Credentials& credentials);
    /// Opens the session with one of the images. Where there is no room now it is tried again.
    void choose(const std::string& image);
    void cancel();

    [[nodiscard]] OpeningState state() const;

  private:
    struct Shared;
    std::shared_ptr<Shared> shared_;
};

} // namespace baton::viewer
