#pragma once

#include <unistd.h>
#include <utility>

namespace baton::net {

/// An open descriptor, closed with its owner.
class Descriptor {
  public:
    explicit Descriptor(int value) : value_(value) {}

    ~Descriptor() {
        if (value_ >= 0)
            ::close(value_);
    }

    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;

    [[nodiscard]] int get() const { return value_; }

    int release() { return std::exchange(value_, -1); }

  private:
    int value_;
};

} // namespace baton::net
