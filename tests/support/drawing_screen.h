#pragma once

#include "process/child.h"
#include "support/temporary_directory.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace baton::testing {

/// A QEMU whose machine draws for ever, some 50 times a second, and tells every scan code that its
/// keyboard sends. What fails is thrown as std::runtime_error; every wait ends after 20 seconds.
class DrawingScreen {
  public:
    struct Wish {
        bool text = false; ///< 720x400, else 640x400
        /// What stands before the command: {"ip", "netns", "exec", "host1"}.
        std::vector<std::string> wrapper;
        /// Words in place of a screen on a unix socket.
        std::vector<std::string> screen;
    };

    explicit DrawingScreen(const Wish& wish);

    /// Of the screen on a unix socket.
    [[nodiscard]] std::string address() const { return folder_.file("vnc"); }

    /// Stops drawing, and typing; the screen as QEMU itself writes it, a binary PPM.
    std::string stop_and_dump();
    void stop();
    void go_on();

    /// Scan codes of set 1 since the beginning, makes and breaks (0x80 more).
    [[nodiscard]] std::string scan_codes() const;

  private:
    void tell(const std::string& command);

    TemporaryDirectory folder_;
    std::optional<process::Child> qemu_;
    process::Descriptor monitor_;
};

/// Letters and digits whose makes are among `scan_codes`, in order.
std::string typed(const std::string& scan_codes);

std::uint32_t scan_code(char letter);

/// Keys whose make has no break behind it.
std::size_t keys_held(const std::string& scan_codes);

} // namespace baton::testing
