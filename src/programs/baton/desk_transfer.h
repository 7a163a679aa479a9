#pragma once

#include "programs/baton/desk.h"

#include <boost/json/object.hpp>

#include <chrono>
#include <string>

/// What the commands share that carry a managed desk to and from the controller.
namespace baton::cli {

/// Making and checking an image takes longer than a question.
inline constexpr std::chrono::seconds disk_patience{600};

/// A file on the way, gone when the command ends.
struct Passing {
    std::string path;

    explicit Passing(std::string where) : path(std::move(where)) {}

    Passing(const Passing&) = delete;
    Passing& operator=(const Passing&) = delete;
    ~Passing();
};

/// A name in the folder for temporary files that nobody has.
std::string passing_path(const std::string& what);

/// "/v1/desks/kim"
std::string desk_path(const DeskOptions& options);

/// Sends the file in parts by PUT to `target`; gives the last answer. `query`: what belongs to the
/// parts' own: "&owner=kim".
boost::json::object send_file(Remote& remote, const std::string& target, const std::string& query,
                              const std::string& file);

/// The desk that options name, packed, into a new file.
void fetch_packed(Remote& remote, const DeskOptions& options, const std::string& file);

void check_out_managed(const DeskOptions& options); ///< check_out of managed desks
void check_in_managed(const DeskOptions& options);  ///< check_in of managed desks

} // namespace baton::cli
