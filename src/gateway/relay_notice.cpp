#include "gateway/relay.h"
#include "rfb/client_messages.h"

/// The part of a relay that lays a text over the desktop's picture.
namespace baton::gateway {

namespace {

bool overlap(const rfb::Rectangle& a, const rfb::Rectangle& b) {
    return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height &&
           b.y < a.y + a.height;
}

} // namespace

void Relay::show(std::shared_ptr<const Notice> notice) {
    if (notice && notice == notice_.picture)
        return;
    uncover();
    notice_.picture = std::move(notice);
    notice_.due = notice_.picture != nullptr;
    draw_notice();
}

void Relay::redraw_notice() {
    notice_.due = notice_.due || notice_.spoiled;
    draw_notice();
}

/// As the answer to the viewer's request. The desktop's own answer comes as well, and no viewer
/// minds.
void Relay::draw_notice() {
    const bool possible = splice_.may_change_desktop() && viewer_.wants_update() &&
                          viewer_.format().true_colour && safe_ == to_viewer_.size();
    if (!notice_.due || !possible)
        return;
    notice_.due = false;
    notice_.spoiled = false;
    notice_.drawn = place_of(*notice_.picture, viewer_.size());
    write_notice(to_viewer_, *notice_.picture, viewer_.size(), viewer_.format());
    mark_safe(to_viewer_.size());
}

/// The desktop is asked for what lies under it.
void Relay::uncover() {
    if (notice_.drawn && has_desktop()) {
        const rfb::Size size = viewer_.size();
        const bool inside = notice_.drawn->x + notice_.drawn->width <= size.width &&
                            notice_.drawn->y + notice_.drawn->height <= size.height;
        const rfb::Rectangle all{0, 0, size.width, size.height, rfb::Encoding::raw};
        const rfb::Rectangle& place = inside && !notice_.copied ? *notice_.drawn : all;
        write(to_desktop_, rfb::UpdateRequest{false, place.x, place.y, place.width, place.height});
    }
    notice_ = {};
}

/// What the desktop draws may cover it, or carry some of it elsewhere.
void Relay::watch_notice(const rfb::Rectangle& rectangle) {
    if (!notice_.drawn || !is_picture(rectangle.encoding))
        return;
    notice_.copied = notice_.copied || rectangle.encoding == rfb::Encoding::copy_rect;
    notice_.spoiled = notice_.spoiled || overlap(rectangle, *notice_.drawn);
}

} // namespace baton::gateway
