#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

/// What a viewer and the machine that it runs on tell each other, by files: docs/viewer.md.
namespace baton::viewer {

/// A line for the person, in a file that somebody else puts in its place (by a rename) whenever
/// there is another one. Looked at from time to time; not thread-safe.
class MessageFile {
  public:
    static constexpr std::size_t longest = 1024;

    /// Empty: there is none.
    explicit MessageFile(std::string path) : path_(std::move(path)) {}

    /// The first line, without control characters, if the file has changed since it was looked at;
    /// empty: what was shown is to go. What there was at the first look counts as new.
    std::optional<std::string> look();

  private:
    std::string path_;
    std::filesystem::file_time_type seen_{};
};

/// Appends "PHASE MILLISECONDS\n" (since the kernel began) to a file or a FIFO. Nobody reads there:
/// nothing. Never blocks.
class PhaseReport {
  public:
    explicit PhaseReport(std::string path) : path_(std::move(path)) {}

    void tell(std::string_view phase) const;

  private:
    std::string path_;
};

} // namespace baton::viewer
