#pragma once

#include <string>

namespace baton::gateway {

/// Large strings for bytes on their way, used again by whoever is next on this thread: memory that
/// is given to the kernel and taken back for each read costs as much as copying the bytes.
std::string take_spare_buffer();       ///< empty, with what room there is
void give_spare_buffer(std::string&&); ///< kept if it is large and few are

} // namespace baton::gateway
