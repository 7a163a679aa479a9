#pragma once

#include "model/error.h"
#include "rfb/viewer_state.h"

#include <string>
#include <vector>

/// The live switch as bytes: what is said to the new desktop, to the old one, and to the viewer.
///
///  1. The new desktop is connected, and sent write_opening(): its whole picture is on its way
///     while the old one serves on. Where the viewer asks for another format or other encodings
///     meanwhile, fits() is false and a new connection is opened: the picture would be in the
///     wrong one.
///  2. Where Splice::may_change_desktop(), the cut: the old desktop gets KeysHeld::let_go(), the
///     viewer write_arrival(), and from then on what the new desktop has sent.
namespace baton::rfb {

/// What a desktop has been asked for on a viewer's behalf.
struct Opening {
    PixelFormat format;
    std::vector<Encoding> encodings;
    Size size; ///< of the desktop

    bool operator==(const Opening&) const = default;
};

Opening opening_for(const ViewerState& viewer, Size desktop);

/// The desktop's picture is still what the viewer expects.
bool fits(const Opening& opening, const ViewerState& viewer);

/// Format, encodings, and a request for everything.
void write_opening(std::string& out, const Opening& opening);

/// What tells the viewer that it has another desktop: its size where that differs, and a pointer
/// without a shape (QEMU sends none when its guest has none, and the old one would stay). Also
/// takes the size into `viewer`. Errc::unsupported: the viewer asked for no way to learn of
/// another size, and has to connect anew.
Result<std::string> write_arrival(ViewerState& viewer, Size desktop);

} // namespace baton::rfb
