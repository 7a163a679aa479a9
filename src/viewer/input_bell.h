#pragma once

#include "net/descriptor.h"

#include <chrono>
#include <list>

/// Inside viewer/ alone.
namespace baton::viewer {

/// Waits for keyboards and mice of a PC without a window system. SDL reads them, but asks for news
/// a thousand times a second, which is a fifth of a slow processor; this one listens at the same
/// devices, and has nothing to do until there are news. Main thread, but for ring().
class InputBell {
  public:
    InputBell();

    /// Until a device has news, ring() is called, or the time is over.
    void wait(std::chrono::milliseconds longest);
    /// Any thread.
    void ring() const;

  private:
    void open_devices();

    net::Descriptor rung_;
    net::Descriptor plugged_; ///< a device was plugged in
    std::list<net::Descriptor> devices_;
};

} // namespace baton::viewer
