#pragma once

#include "model/error.h"
#include "rfb/security.h"

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

namespace baton::viewer {

/// What a screen sent, in a file, for a bench or a report of a fault: "baton-view record 1\n", then
/// for each connection its ServerInit in rfb's default PixelFormat, then pieces as they came. Each
/// of these has 12 bytes before it, big endian: milliseconds since the file was opened; how many
/// updates with pixels have ended with it; its length, whose top bit marks a ServerInit. It holds
/// what was on the screen.
class Recorder {
  public:
    /// Replaces the file. Errc::io and others.
    static Result<Recorder> open(const std::string& path);

    void begin(const rfb::ServerInit& init);
    /// `frames`: of this connection, with these bytes.
    void take(std::string_view bytes, std::uint64_t frames);

  private:
    struct Close {
        void operator()(std::FILE* file) const { std::fclose(file); }
    };

    using File = std::unique_ptr<std::FILE, Close>;

    explicit Recorder(File file) : file_(std::move(file)) {}

    void write(std::string_view bytes, std::uint64_t frames, std::uint32_t mark);

    File file_;
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

} // namespace baton::viewer
