#include "rfb/switch_plan.h"

#include "rfb/server_messages.h"

#include <fmt/format.h>

namespace baton::rfb {

Opening opening_for(const ViewerState& viewer, Size desktop) {
    return {viewer.format(), viewer.encodings_passed(), desktop};
}

bool fits(const Opening& opening, const ViewerState& viewer) {
    return opening == opening_for(viewer, opening.size);
}

void write_opening(std::string& out, const Opening& opening) {
    write(out, SetPixelFormat{opening.format});
    write_encodings(out, opening.encodings);
    write(out, UpdateRequest{false, 0, 0, opening.size.width, opening.size.height});
}

Result<std::string> write_arrival(ViewerState& viewer, Size desktop) {
    std::string rectangles;
    std::uint16_t count = 0;
    if (viewer.size() != desktop) {
        if (viewer.asked(Encoding::extended_desktop_size))
            write_extended_desktop_size(rectangles, desktop);
        else if (viewer.asked(Encoding::desktop_size))
            write_desktop_size(rectangles, desktop);
        else
            return fail(Errc::unsupported,
                        fmt::format("this viewer cannot follow from {}x{} to {}x{}",
                                    viewer.size().width, viewer.size().height, desktop.width,
                                    desktop.height),
                        "it has to connect again; most viewers can follow");
        ++count;
    }
    for (const Encoding cursor :
         {Encoding::cursor, Encoding::cursor_with_alpha, Encoding::x_cursor})
        if (viewer.asked(cursor)) {
            write_no_cursor(rectangles, cursor);
            ++count;
            break;
        }
    viewer.set_size(desktop);
    if (count == 0)
        return std::string();
    std::string update;
    write_update_head(update, count);
    return update + rectangles;
}

} // namespace baton::rfb
