#pragma once

#include "osimage/library.h"

#include <filesystem>
#include <string>

/// What `baton os build` and `baton netboot build` share.
namespace baton::cli {

/// Becomes readable at Ctrl-C or a polite kill: the work is given up and cleaned away.
int interruption();

/// One line that is drawn over on a terminal, nothing otherwise. On standard error, so that the
/// result alone is on standard output.
class ProgressLine {
  public:
    ProgressLine();
    ~ProgressLine();
    ProgressLine(const ProgressLine&) = delete;
    ProgressLine& operator=(const ProgressLine&) = delete;

    void show(int percent, const std::string& text);
    /// In bytes of all of an image's files.
    osimage::Progress of_bytes(const std::string& what);

  private:
    bool terminal_;
    bool drawn_ = false;
    int percent_ = -1;
    std::string text_;
};

/// Where this program is.
std::filesystem::path own_folder();
/// A folder that is installed with the programs, "recipes": $`variable`, or share/baton/NAME.
std::string shared_folder(const char* variable, const std::string& name);

/// RFC 3339 to the second, for people.
std::string moment(const std::string& created);

} // namespace baton::cli
