#pragma once

#include "model/error.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace baton::sampling {

/// Where files are read into; one for each thread that reads, and used again and again.
class ReadBuffer {
  public:
    /// No file of /proc that is read here is larger, on the largest of machines.
    static constexpr std::size_t limit = std::size_t{8} << 20;

    [[nodiscard]] std::vector<char>& bytes() { return bytes_; }

  private:
    std::vector<char> bytes_ = std::vector<char>(16 * 1024);
};

/// A file of /proc, /sys or a control group that stays open: reading it anew is one call.
///
/// A file of a process belongs to that process alone: once it has ended, read() says not_found,
/// also when another one has its PID by then.
class KeptFile {
  public:
    KeptFile() = default;
    /// Errc::not_found, forbidden, full (no descriptors left), io.
    static Result<KeptFile> open(const std::string& path);

    KeptFile(KeptFile&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

    KeptFile& operator=(KeptFile&& other) noexcept {
        std::swap(descriptor_, other.descriptor_);
        return *this;
    }

    ~KeptFile();

    [[nodiscard]] bool is_open() const { return descriptor_ >= 0; }

    /// All of it, valid until the buffer is read into again.
    Result<std::string_view> read(ReadBuffer& buffer) const;
    /// The same in one call, for what is known to be under a page: a line or a few.
    Result<std::string_view> read_line(ReadBuffer& buffer) const;

  private:
    int descriptor_ = -1;
};

/// A file read once.
Result<std::string> read_file(const std::string& path);

/// Lets this process have as many descriptors as its hard limit says: one host of a thousand
/// desktops has some thousands of files open.
void raise_descriptor_limit();

} // namespace baton::sampling
