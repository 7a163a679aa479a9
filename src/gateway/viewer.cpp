#include "gateway/viewer.h"

#include <algorithm>
#include <utility>

namespace baton::gateway {

Viewer::Viewer(Core& core, Arrival arrival)
    : core_(core),
      id_(arrival.id),
      session_(arrival.grant.session),
      client_(std::move(arrival.client)),
      wire_(std::move(arrival.wire)),
      relay_(arrival.screen->init(), arrival.grant.access),
      screen_(std::move(arrival.screen)),
      place_(arrival.place),
      target_(std::move(arrival.place)),
      notice_timer_(core.executor()),
      silence_timer_(core.executor()),
      cut_timer_(core.executor()),
      retry_timer_(core.executor()),
      retry_pause_(core.limits().shortest_retry) {}

void Viewer::begin(std::string_view first) {
    wire_->attach(weak_from_this());
    wire_->read();
    screen_->carry(weak_from_this());
    if (!first.empty())
        take(first);
}

void Viewer::take(std::string_view bytes) {
    if (const auto outcome = relay_.from_viewer(bytes); !outcome) {
        leave("garbage: " + outcome.error().what);
        return;
    }
    flush();
    try_cut();
}

void Viewer::screen_sent(ScreenConnection& from, std::string_view bytes) {
    if (&from != screen_.get())
        return;
    const auto outcome = relay_.from_desktop(bytes);
    flush();
    note_picture();
    if (!outcome) {
        // a picture in a format that the viewer has given up meanwhile is nobody's fault
        lose_screen(outcome.error(), outcome.error().code != Errc::conflict);
        return;
    }
    try_cut();
}

void Viewer::progress() {
    note_sent();
    balance();
}

void Viewer::screen_progress(ScreenConnection& which) {
    if (&which == screen_.get())
        balance();
}

void Viewer::flush() {
    if (left_)
        return;
    wire_->send(relay_.take_for_viewer());
    if (screen_)
        screen_->send(relay_.take_for_desktop());
    balance();
}

/// Whoever does not take what is sent to it is sent no more: a slow viewer holds back its own
/// desktop connection, a desktop that does not listen its own viewer.
void Viewer::balance() {
    if (left_)
        return;
    const std::size_t most = core_.limits().unsent_bytes;
    if (screen_ && wire_->unsent() > most)
        screen_->pause();
    else if (screen_ && wire_->unsent() <= most / 2)
        screen_->read();
    if (screen_ && screen_->unsent() > most)
        wire_->pause();
    else
        wire_->read();
}

/// After a flush: a picture that has become whole with it is sent when all of that is.
void Viewer::note_picture() {
    if (left_ || relay_.pictures() == pictures_)
        return;
    pictures_ = relay_.pictures();
    picture_end_ = wire_->queued_total();
    if (std::exchange(first_picture_waited_, false))
        first_picture_end_ = picture_end_;
}

void Viewer::note_sent() {
    const auto now = Clock::now();
    if (picture_end_ && wire_->sent_total() >= *picture_end_) {
        last_picture_ = now;
        picture_end_.reset();
    }
    if (first_picture_end_ && wire_->sent_total() >= *first_picture_end_) {
        first_picture_end_.reset();
        const auto since = [now](Clock::time_point then) {
            return std::chrono::duration_cast<std::chrono::microseconds>(now - then);
        };
        retry_pause_ = core_.limits().shortest_retry;
        end_cut(Cut{since(cut_at_), since(picture_before_cut_)});
    }
}

void Viewer::lost(const Error& why) {
    leave("the viewer's connection has ended: " + why.what);
}

void Viewer::show(const std::string& text, std::chrono::milliseconds time) {
    const auto notice = time.count() > 0 && !left_ ? core_.drawn(text) : nullptr;
    if (!notice) {
        hide_notice();
        return;
    }
    relay_.show(notice);
    flush();
    notice_end_ = Clock::now() + std::min(time, core_.limits().longest_notice);
    repair_notice();
}

/// Looks at it again and again, as long as it is shown.
void Viewer::repair_notice() {
    if (left_ || !notice_end_)
        return;
    const auto now = Clock::now();
    if (now >= *notice_end_) {
        hide_notice();
        return;
    }
    notice_timer_.expires_at(std::min(now + core_.limits().notice_repair, *notice_end_));
    notice_timer_.async_wait([weak = weak_from_this()](error_code error) {
        const auto self = weak.lock();
        if (!self || error || self->left_)
            return;
        self->relay_.redraw_notice();
        self->flush();
        self->repair_notice();
    });
}

void Viewer::hide_notice() {
    switch_expected_ = false;
    notice_timer_.cancel();
    if (!std::exchange(notice_end_, std::nullopt) || left_)
        return;
    relay_.show(nullptr);
    flush();
}

void Viewer::session_closed(const std::string& why) {
    wire_->will_be_meant();
    leave(why);
}

void Viewer::leave(const std::string& why) {
    if (left_)
        return;
    const auto alive = shared_from_this();
    left_ = true;
    wire_->finish(why);
    if (screen_)
        screen_->close();
    notice_timer_.cancel();
    silence_timer_.cancel();
    cut_timer_.cancel();
    retry_timer_.cancel();
    const auto gone = [&why] { return fail(Errc::cancelled, "the viewer has left: " + why); };
    auto next = std::exchange(next_, std::nullopt);
    if (next)
        next->connection->close();
    core_.went({id_, session_, why});
    if (next && next->on_ready)
        next->on_ready(gone());
    end_cut(gone());
}

} // namespace baton::gateway
