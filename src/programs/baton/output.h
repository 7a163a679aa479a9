#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// What people read: tables, sizes, times.
namespace baton::cli {

/// Rows under headings, columns as wide as their widest cell. A heading that begins with '>' is
/// for numbers: right-aligned. UTF-8 counts by code points.
class Table {
  public:
    explicit Table(std::vector<std::string> headings) : headings_(std::move(headings)) {}

    void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }

    [[nodiscard]] bool empty() const { return rows_.empty(); }

    /// Lines, each with its newline; nothing trails.
    [[nodiscard]] std::string text() const;

  private:
    std::vector<std::string> headings_;
    std::vector<std::vector<std::string>> rows_;
};

/// A field as text: "-" when it is null or missing. Dots go into objects: "desktop.host".
std::string field(const boost::json::object& object, std::string_view path);
/// A field in MiB as "2 GiB".
std::string memory_field(const boost::json::object& object, std::string_view path);
/// A field in bytes as "1.5 GiB".
std::string bytes_field(const boost::json::object& object, std::string_view path);
/// A time field as "2026-11-20 10:00:00 UTC"; "-" for never.
std::string time_field(const boost::json::object& object, std::string_view path);
std::string yes_no(const boost::json::object& object, std::string_view path);

/// "1.5 GiB", "512 MiB", "17 B".
std::string human_bytes(std::int64_t bytes);

/// Text from elsewhere, made safe for a terminal: control characters become '?'.
std::string printable(std::string_view text);

/// How far something is, on standard error, when that is a terminal: "sending  45 %". The line is
/// gone when this ends.
class Progress {
  public:
    explicit Progress(std::string doing);
    ~Progress();
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    void show(std::int64_t done, std::int64_t total);

  private:
    std::string doing_;
    bool seen_;
    std::int64_t percent_ = -1;
};

/// JSON for programs: indented by two, keys in the order of the API, a newline at the end.
std::string pretty(const boost::json::value& value);

} // namespace baton::cli
