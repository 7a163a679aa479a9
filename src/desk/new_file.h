#pragma once

#include "model/error.h"
#include "process/child.h"

#include <cstdint>
#include <string>

namespace baton::desk {

/// A file that comes into being all at once or not at all: it is written under another name in the
/// same folder, and gone with this object unless commit() or replace() gave it its own. What a
/// killed program left of one is removed by the next that is made in the folder.
class NewFile {
  public:
    /// `bytes`: its length, as one hole. Mode 0600. Errc::already_exists: something is there;
    /// Errc::full, Errc::not_found (no such folder).
    static Result<NewFile> create(const std::string& path, std::int64_t bytes);
    /// For replace(): a file is there. Links are followed.
    static Result<NewFile> instead_of(const std::string& path, std::int64_t bytes);
    ~NewFile();
    NewFile(NewFile&& other) noexcept;
    NewFile& operator=(NewFile&&) = delete;

    [[nodiscard]] int fd() const { return file_.get(); }

    /// Where it is until then. Locked (flock) as long as this object lives.
    [[nodiscard]] const std::string& working_path() const { return working_; }

    /// Makes the content and the name durable. Errc::already_exists: somebody else was faster.
    Result<void> commit();

    /// commit() in the place of the file that has the name now, with its owner and mode: who opens
    /// the name finds the old content or the new one.
    Result<void> replace();

  private:
    NewFile() = default;
    static Result<NewFile> make(const std::string& path, std::int64_t bytes);
    process::Descriptor file_;
    std::string path_;
    std::string working_;
};

} // namespace baton::desk
