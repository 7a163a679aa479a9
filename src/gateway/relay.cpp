#include "gateway/relay.h"

#include "gateway/spare_buffers.h"

#include <utility>

namespace baton::gateway {

using rfb::ClientEvent;
using rfb::ServerEvent;

namespace {

constexpr std::size_t most_kept_pieces = 32;

/// The rest alone, also of the memory: an idle relay keeps none.
void keep_from(std::string& bytes, std::size_t at) {
    std::string rest(bytes, at);
    bytes.swap(rest);
}

} // namespace

Relay::Relay(const rfb::ServerInit& init, Access access)
    : access_(access),
      viewer_({init.width, init.height}, init.format),
      reader_(std::in_place, rfb::Size{init.width, init.height}, init.format) {
    splice_.begin_desktop();
    safe_splice_ = splice_;
}

Result<void> Relay::from_viewer(std::string_view bytes) {
    viewer_rest_.append(bytes);
    std::size_t at = 0;
    Result<void> outcome;
    for (;;) {
        const auto event = client_reader_.next(std::string_view(viewer_rest_).substr(at));
        if (!event)
            outcome = tl::unexpected(event.error());
        if (!event || event->part == ClientEvent::Part::need_more)
            break;
        at += event->bytes.size();
        if (access_ == Access::view_only && withheld(*event))
            continue;
        const std::string_view passed = viewer_.pass(*event);
        if (!has_desktop())
            continue;
        to_desktop_ += passed;
        if (event->message && std::holds_alternative<rfb::SetPixelFormat>(*event->message))
            change_format();
    }
    keep_from(viewer_rest_, at);
    splice_.set_last_rect(viewer_.asked(rfb::Encoding::last_rect));
    draw_notice();
    return outcome;
}

/// Input, or the body of some.
bool Relay::withheld(const ClientEvent& event) {
    if (event.message)
        withholding_ = std::holds_alternative<rfb::KeyEvent>(*event.message) ||
                       std::holds_alternative<rfb::QemuKey>(*event.message) ||
                       std::holds_alternative<rfb::PointerEvent>(*event.message) ||
                       std::holds_alternative<rfb::ClientCutText>(*event.message) ||
                       std::holds_alternative<rfb::SetDesktopSize>(*event.message);
    return withholding_;
}

void Relay::change_format() {
    stale_ =
        stale_ || (after_cut_ && picture_waits_ && viewer_.format() != reader_->pixel_format());
    reader_->set_pixel_format(viewer_.format());
}

Result<void> Relay::from_desktop(std::string_view bytes) {
    if (!has_desktop())
        return {};
    if (stale_)
        return fail(Errc::conflict, "the desktop's picture is not in the format that the viewer "
                                    "has asked for since");
    std::size_t used = 0;
    if (desktop_rest_.empty()) {
        BATON_TRY(walk(bytes, used));
        desktop_rest_.assign(bytes.substr(used));
    } else {
        desktop_rest_ += bytes;
        BATON_TRY(walk(desktop_rest_, used));
        keep_from(desktop_rest_, used);
    }
    draw_notice();
    return {};
}

Result<void> Relay::walk(std::string_view bytes, std::size_t& used) {
    gather_.clear();
    auto outcome = walk_events(bytes, used);
    if (to_viewer_.empty() && gather_.bytes() > 0)
        to_viewer_ = take_spare_buffer();
    to_viewer_.reserve(to_viewer_.size() + gather_.bytes());
    for (std::size_t i = 0; i < gather_.pieces(); ++i)
        to_viewer_ += gather_.piece(i);
    if (gather_.pieces() > most_kept_pieces)
        gather_ = rfb::Gather();
    return outcome;
}

Result<void> Relay::walk_events(std::string_view bytes, std::size_t& used) {
    for (;;) {
        pass_whole(bytes, used);
        const auto event = reader_->next(bytes.substr(used));
        if (!event)
            return tl::unexpected(event.error());
        if (event->part == ServerEvent::Part::need_more)
            return {};
        BATON_TRY(splice_.take(*reader_, *event, gather_));
        used += event->bytes.size();
        follow(*event);
    }
}

/// Most of what comes, without a look at each of its parts.
void Relay::pass_whole(std::string_view bytes, std::size_t& used) {
    if (notice_.drawn)
        return;
    const auto whole = reader_->pass_whole(bytes.substr(used), splice_.begun());
    if (whole.count == 0)
        return;
    splice_.passed(whole.count);
    gather_.view(bytes.substr(used, whole.bytes));
    used += whole.bytes;
    update_has_picture_ = true;
    picture_waits_ = false;
    mark_safe(to_viewer_.size() + gather_.bytes());
}

void Relay::follow(const ServerEvent& event) {
    if (event.part == ServerEvent::Part::update)
        update_has_picture_ = false;
    if (event.part == ServerEvent::Part::rectangle && is_picture(reader_->rectangle().encoding)) {
        update_has_picture_ = true;
        picture_waits_ = false;
    }
    if (event.part == ServerEvent::Part::rectangle)
        watch_notice(reader_->rectangle());
    if (event.ends_rectangle && reader_->size() != viewer_.size()) {
        viewer_.set_size(reader_->size());
        notice_.due = notice_.picture != nullptr; // at another place now
    }
    if (event.ends_message && update_has_picture_) {
        viewer_.update_ended();
        update_has_picture_ = false;
        ++pictures_;
    }
    if (splice_.may_end_update())
        mark_safe(to_viewer_.size() + gather_.bytes());
}

void Relay::mark_safe(std::size_t bytes) {
    safe_ = bytes;
    safe_splice_ = splice_;
    half_sent_ = false;
}

std::string Relay::prepare(const rfb::ServerInit& init) {
    prepared_ = opening_for(viewer_, {init.width, init.height});
    std::string opening;
    write_opening(opening, *prepared_);
    return opening;
}

bool Relay::prepared_fits() const {
    return prepared_ && fits(*prepared_, viewer_);
}

bool Relay::may_cut() const {
    return prepared_fits() && splice_.may_change_desktop();
}

Result<void> Relay::cut() {
    const rfb::Size old_size = viewer_.size();
    const rfb::Opening opening = *std::exchange(prepared_, std::nullopt);
    const auto arrival = write_arrival(viewer_, opening.size);
    if (!arrival)
        return tl::unexpected(arrival.error());
    // what was pressed while there was no desktop is let go of as well, and nobody hears it
    std::string nowhere;
    if (has_desktop())
        to_old_ += std::exchange(to_desktop_, {});
    viewer_.keys().let_go(has_desktop() ? to_old_ : nowhere, old_size);
    reader_.emplace(opening.size, opening.format);
    desktop_rest_.clear();
    after_cut_ = true;
    picture_waits_ = true;
    stale_ = false;
    splice_.begin_desktop();
    notice_ = {}; // the new picture covers it
    to_viewer_ += *arrival;
    mark_safe(to_viewer_.size());
    return {};
}

Result<void> Relay::desktop_lost() {
    if (!has_desktop())
        return {};
    std::string nowhere;
    viewer_.keys().let_go(nowhere, viewer_.size());
    const rfb::PixelFormat format = reader_->pixel_format();
    reader_.reset();
    desktop_rest_.clear();
    to_desktop_.clear();
    stale_ = false;
    if (half_sent_)
        return fail(Errc::unavailable, "the desktop was lost inside a large picture",
                    "the viewer has to connect again");
    to_viewer_.resize(safe_);
    splice_ = safe_splice_;
    splice_.set_last_rect(viewer_.asked(rfb::Encoding::last_rect));
    splice_.end_update(format, to_viewer_);
    mark_safe(to_viewer_.size());
    return {};
}

std::string Relay::take_for_viewer() {
    if (to_viewer_.size() - safe_ > most_held_bytes) {
        half_sent_ = true;
        safe_ = to_viewer_.size();
    }
    if (safe_ == to_viewer_.size()) {
        safe_ = 0;
        return std::exchange(to_viewer_, {});
    }
    std::string rest(to_viewer_, safe_); // the beginning of a rectangle: the smaller part
    to_viewer_.resize(safe_);
    to_viewer_.swap(rest);
    safe_ = 0;
    return rest;
}

std::string Relay::take_for_desktop() {
    return std::exchange(to_desktop_, {});
}

std::string Relay::take_for_old() {
    return std::exchange(to_old_, {});
}

} // namespace baton::gateway
