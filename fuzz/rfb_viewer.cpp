/// What a viewer sends, against ClientReader and ViewerState: any bytes are heard or refused; in
/// pieces as in one; what a desktop is told can itself be heard.
#include "rfb/limits.h"
#include "rfb/switch_plan.h"
#include "rfb/viewer_state.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

using namespace baton::rfb;

struct Outcome {
    std::string told; ///< to the desktop
    std::size_t messages = 0;
    bool refused = false;
    bool operator==(const Outcome&) const = default;
};

Outcome hear(ViewerState& viewer, std::string_view stream, std::size_t piece) {
    Outcome outcome;
    ClientReader reader;
    std::size_t begin = 0;
    for (std::size_t end = 0; end < stream.size() && !outcome.refused;) {
        end = std::min(stream.size(), end + piece);
        for (;;) {
            const auto event = reader.next(stream.substr(begin, end - begin));
            outcome.refused = !event;
            if (!event || event->part == ClientEvent::Part::need_more)
                break;
            begin += event->bytes.size();
            outcome.messages += event->ends_message ? 1 : 0;
            outcome.told += viewer.pass(*event);
        }
        if (!outcome.refused && end - begin >= most_head_bytes)
            std::abort();
    }
    return outcome;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t length) {
    if (length == 0)
        return 0;
    const std::string_view stream(reinterpret_cast<const char*>(data + 1), length - 1);
    const Size size{800, 600};
    ViewerState viewer(size, PixelFormat{});
    const Outcome whole = hear(viewer, stream, stream.size() + 1);
    ViewerState other(size, PixelFormat{});
    if (hear(other, stream, data[0] % 64 + 1) != whole)
        std::abort();

    std::string last;
    viewer.keys().let_go(last, size);
    write_opening(last, opening_for(viewer, size));
    for (const std::string& told : {whole.told, last}) {
        ViewerState desktop(size, PixelFormat{});
        if (hear(desktop, told, told.size() + 1).refused)
            std::abort();
    }
    if (!fits(opening_for(viewer, size), viewer) || viewer.keys().keys() != 0)
        std::abort();
    return 0;
}
