#pragma once

#include "model/error.h"
#include "netboot/manifest.h"
#include "netboot/settings.h"
#include "osimage/files.h"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace baton::netboot {

/// What iPXE is told to run, in the folder; written whole or not at all.
inline constexpr std::string_view script_name = "boot.ipxe";

/// One row of a listing, the oldest first. A damaged image is a row, too.
struct Listed {
    std::string id;
    std::optional<Manifest> manifest;
    std::optional<Error> fault;
    bool current = false; ///< what the next PC boots
};

/// A folder inside images/ in which an image is put together; goes with its owner unless it was
/// published.
class Workshop {
  public:
    Workshop(std::string folder, osimage::OpenFile lock)
        : folder_(std::move(folder)), lock_(std::move(lock)) {}

    ~Workshop();
    Workshop(Workshop&&) noexcept = default;
    Workshop& operator=(Workshop&&) = delete;

    [[nodiscard]] const std::string& folder() const { return folder_; }

  private:
    friend class Folder;
    std::string folder_;
    osimage::OpenFile lock_;
};

/// The folder that is network boot: settings.json, boot.ipxe, loaders/, images/ and `current`, a
/// link to the image that the next PC boots. All of it is for everybody to read; TFTP, HTTP and
/// NFS give it to anybody on the clients' network.
///
/// Thread rules: any number of processes at the same time; calls block while they hash.
class Folder {
  public:
    /// Makes it if it is missing.
    static Result<Folder> open(const std::string& path);
    /// $BATON_NETBOOT, or /var/lib/baton-netboot.
    static std::string default_path();

    [[nodiscard]] const std::string& path() const { return path_; }

    [[nodiscard]] Result<std::vector<Listed>> list() const;
    [[nodiscard]] Result<Manifest> image(const std::string& id) const;
    /// Empty: none has been published.
    [[nodiscard]] Result<std::optional<Manifest>> current() const;

    /// Never enabled: what Settings is without any.
    [[nodiscard]] Result<Settings> settings() const;
    /// Checked, written, and the script with them.
    Result<void> write(const Settings& settings);

    /// One at a time in all processes; `waiting` is called once if another one is at work.
    Result<Workshop> workshop(const std::function<void()>& waiting = {});
    /// Hashes the three files, names the image by them, shows it at once and whole, and makes it
    /// the current one. The same content again is no error: it is current afterwards.
    Result<Manifest> publish(Workshop workshop, Manifest draft);
    /// Makes another one current; "": the newest that is older than the current one.
    Result<Manifest> roll_back(const std::string& id);
    /// Errc::busy for the current one.
    Result<void> remove(const std::string& id);
    /// Reads the files again. Errc::corrupt names the first that is not as it was published.
    Result<void> verify(const Manifest& image) const;

    /// Copies Debian's iPXE here. Errc::not_found: the package ipxe is not installed.
    Result<void> install_loaders(const std::string& from = "/usr/lib/ipxe");

    /// The file that a request for `path` ("images/client-.../kernel") is answered with; nothing
    /// but the script, loaders and images' files is ever given out. Errc::not_found.
    [[nodiscard]] Result<std::string> served(std::string_view path) const;

  private:
    explicit Folder(std::string path) : path_(std::move(path)) {}

    [[nodiscard]] std::string image_path(const std::string& id) const;
    Result<void> point_at(const Manifest& image);
    Result<void> write_script(const Manifest& image, const Settings& settings);

    std::string path_;
};

} // namespace baton::netboot
