#pragma once

#include "model/error.h"
#include "process/child.h"

#include <string>

namespace baton::netboot {

/// Tells that a file of a folder has been put into its place or written.
class Watch {
  public:
    static Result<Watch> open(const std::string& folder);

    /// Readable when there is something new.
    [[nodiscard]] int fd() const { return changes_.get(); }

    /// Takes note of it: fd() is not readable until the next change.
    void take();

  private:
    explicit Watch(process::Descriptor changes) : changes_(std::move(changes)) {}

    process::Descriptor changes_;
};

} // namespace baton::netboot
