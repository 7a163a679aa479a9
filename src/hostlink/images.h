#pragma once

#include "hostlink/agent.h"
#include "net/http.h"
#include "osimage/library.h"

#include <memory>

namespace baton::hostlink {

/// The host's library of OS images, filled from the controller as images are needed. Downloads go
/// on where they were cut off and are verified before anything of them is used. ensure() from any
/// thread; one download at a time.
std::unique_ptr<ImageSource> make_images(osimage::Library library,
                                         const net::ClientSettings& controller);

} // namespace baton::hostlink
