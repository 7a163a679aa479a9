#pragma once

#include "model/error.h"
#include "process/child.h"

#include <cstdint>
#include <string>

namespace baton::desk {

/// A file that comes into being all at once or not at all: it is written under another name in the
/// same folder, and gone with this object unless commit() gave it its own.
class NewFile {
  public:
    /// `bytes`: its length, as one hole. Mode 0600. Errc::already_exists: something is there;
    /// Errc::full, Errc::not_found (no such folder).
    static Result<NewFile> create(const std::string& path, std::int64_t bytes);
    ~NewFile();
    NewFile(NewFile&& other) noexcept;
    NewFile& operator=(NewFile&&) = delete;

    [[nodiscard]] int fd() const { return file_.get(); }

    /// Where it is until then.
    [[nodiscard]] const std::string& working_path() const { return working_; }

    /// Makes the content and the name durable. Errc::already_exists: somebody else was faster.
    Result<void> commit();

  private:
    NewFile() = default;
    process::Descriptor file_;
    std::string path_;
    std::string working_;
};

} // namespace baton::desk
