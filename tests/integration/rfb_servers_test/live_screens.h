#pragma once

#include "process/child.h"
#include "rfb/handshake_client.h"
#include "rfb/server_reader.h"
#include "support/rfb_decoder.h"
#include "support/temporary_directory.h"

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

/// Real screens and connections to them. What fails is thrown as std::runtime_error; every wait
/// has a deadline.
namespace baton::rfb {

/// What the machine draws and then stands still with.
enum class Show {
    patterns, ///< VGA's mode 13h, 640x400: flat parts, a weave of 256 colours, noise
    text,     ///< 720x400, what the BIOS has left there
};

/// A QEMU that shows a picture, stopped behind it.
class QemuScreen {
  public:
    /// `vnc_options`: "", or ",lossy=on" and the like.
    explicit QemuScreen(Show show, const std::string& vnc_options = {});

    [[nodiscard]] std::string address() const { return folder_.file("vnc"); }

    /// The screen as QEMU itself writes it, a binary PPM.
    [[nodiscard]] const std::string& screendump() const { return screendump_; }

  private:
    testing::TemporaryDirectory folder_;
    std::optional<process::Child> qemu_;
    std::string screendump_;
};

/// TigerVNC's Xvnc with a picture on its root window.
class XvncScreen {
  public:
    XvncScreen();

    [[nodiscard]] std::string address() const { return folder_.file("vnc"); }

    /// Draws something else.
    void draw(const std::string& picture);

  private:
    testing::TemporaryDirectory folder_;
    std::optional<process::Child> xvnc_;
    std::string display_;
};

/// Reads from `output` until `wanted` has come.
std::string read_until(const process::Descriptor& output, char wanted);

process::Descriptor connect_to(const std::string& path);
void send_all(const process::Descriptor& socket, std::string_view bytes);
/// Appends what comes; throws when nothing comes for 20 seconds or the other side ends.
void receive_some(const process::Descriptor& socket, std::string& buffer, std::size_t most);

/// A connection whose every byte is walked.
class Connection {
  public:
    struct Wish {
        PixelFormat format;
        std::vector<Encoding> encodings;
        bool draw = true;
    };

    Connection(const std::string& path, const Wish& wish);

    void send(std::string_view bytes) { send_all(socket_, bytes); }

    /// Asks for everything so many times, each time after the update before has ended.
    void look(int times = 1);

    /// Until `enough`, which is asked between messages.
    void walk_until(const std::function<bool()>& enough);

    [[nodiscard]] const ServerInit& init() const { return handshake_.server_init(); }

    [[nodiscard]] const ServerReader& reader() const { return *reader_; }

    [[nodiscard]] const Decoder& decoder() const { return *decoder_; }

    /// Types of messages that came.
    [[nodiscard]] const std::set<int>& messages() const { return messages_; }

    [[nodiscard]] std::size_t walked_bytes() const { return walked_; }

    [[nodiscard]] int updates() const { return updates_; }

    /// Everything that came is walked, to a message's end.
    [[nodiscard]] bool stands_at_boundary() const {
        return buffer_.empty() && reader_->at_boundary();
    }

  private:
    void shake_hands();
    void request(bool incremental);
    void answer_fence();

    process::Descriptor socket_;
    HandshakeClient handshake_;
    std::optional<ServerReader> reader_;
    std::optional<Decoder> decoder_;
    bool draw_;
    std::string buffer_;
    std::string fence_;
    std::set<int> messages_;
    std::size_t walked_ = 0;
    int updates_ = 0;
    std::size_t piece_ = 1; ///< how much is read at once; changes, so that cuts fall anywhere
};

/// The beginning of a list of encodings that has everything which is framed and is no picture.
std::vector<Encoding> with_pseudo(std::vector<Encoding> pictures);

} // namespace baton::rfb
