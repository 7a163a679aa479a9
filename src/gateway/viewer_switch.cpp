#include "gateway/viewer.h"

#include <algorithm>
#include <utility>

/// The half of a viewer that changes the screen behind it.
namespace baton::gateway {

void Viewer::prepare(const Screen& screen) {
    // without a desktop of its own it has more urgent things to do
    const bool busy = wants_another_screen() || cut_waits_ || (next_ && next_->on_ready);
    const bool done = shows(screen) || (next_ && next_->place == screen);
    if (!left_ && !shows(screen))
        expect_switch();
    if (!left_ && !busy && !done)
        open_next(screen, {});
}

/// From here on the person waits.
void Viewer::expect_switch() {
    if (std::exchange(switch_expected_, true))
        return;
    silence_timer_.expires_after(core_.limits().silent_switch);
    silence_timer_.async_wait([weak = weak_from_this()](error_code error) {
        const auto self = weak.lock();
        if (self && !error && self->switch_expected_)
            self->show(self->core_.moving_text(), self->core_.limits().longest_notice);
    });
}

void Viewer::make_ready(const Screen& screen, ReadyDone done) {
    retry_timer_.cancel();
    expect_switch();
    if (std::exchange(cut_waits_, false)) {
        cut_timer_.cancel();
        end_cut(fail(Errc::cancelled, "the session was pointed elsewhere meanwhile"));
    }
    const bool usable =
        next_ && next_->place == screen &&
        (!next_->ready || (!next_->connection->hung_up() && relay_.prepared_fits()));
    if (!usable) {
        open_next(screen, std::move(done));
        return;
    }
    next_->on_ready = std::move(done);
    if (next_->ready)
        asio::post(core_.executor(), [weak = weak_from_this()] {
            const auto self = weak.lock();
            if (self && self->next_ && self->next_->ready)
                if (const auto ready = std::exchange(self->next_->on_ready, {}))
                    ready({});
        });
}

void Viewer::open_next(const Screen& screen, ReadyDone done) {
    if (next_)
        next_->connection->close();
    next_ = Next{screen, std::make_shared<ScreenConnection>(core_.executor(), core_.buffer()),
                 false, std::move(done)};
    next_->connection->open(core_.dialer(), screen, core_.limits().screen_time,
                            [weak = weak_from_this()](const Result<void>& outcome) {
                                if (const auto self = weak.lock())
                                    self->next_opened(outcome);
                            });
}

void Viewer::next_opened(const Result<void>& outcome) {
    if (!outcome) {
        next_settled(outcome);
        return;
    }
    const std::string opening = relay_.prepare(next_->connection->init());
    next_->connection->await_picture(opening, relay_.viewer().format(), core_.limits().screen_time,
                                     [weak = weak_from_this()](const Result<void>& picture) {
                                         if (const auto self = weak.lock())
                                             self->next_settled(picture);
                                     });
}

void Viewer::next_settled(const Result<void>& outcome) {
    const auto done = std::exchange(next_->on_ready, {});
    if (outcome)
        next_->ready = true;
    else
        next_.reset();
    if (done)
        done(outcome);
}

void Viewer::give_up_next() {
    silence_timer_.cancel();
    hide_notice();
    if (next_)
        next_->connection->close();
    next_.reset();
    if (!left_ && wants_another_screen())
        retry_later();
}

void Viewer::cut(CutDone done) {
    end_cut(Cut{}); // of one before this, whose picture has not come
    cutting_ = std::move(done);
    cut_waits_ = true;
    cut_timer_.expires_after(core_.limits().cut_time);
    cut_timer_.async_wait([weak = weak_from_this()](error_code error) {
        const auto self = weak.lock();
        if (self && !error)
            self->force_cut();
    });
    try_cut();
}

void Viewer::try_cut() {
    if (!cut_waits_ || left_ || !next_ || !next_->ready)
        return;
    if (next_->connection->hung_up()) {
        fail_cut(
            {Errc::unavailable, "the new desktop's screen has ended before the switch", "", 0});
        return;
    }
    if (!relay_.prepared_fits()) {
        // the viewer has asked for other colours or encodings: that picture is of no use to it
        const Screen again = next_->place;
        open_next(again, [weak = weak_from_this()](const Result<void>& outcome) {
            const auto self = weak.lock();
            if (!self)
                return;
            if (outcome) {
                self->try_cut();
                return;
            }
            self->fail_cut(outcome.error());
        });
        return;
    }
    if (relay_.may_cut())
        cut_now();
}

void Viewer::fail_cut(const Error& why) {
    cut_waits_ = false;
    cut_timer_.cancel();
    give_up_next();
    end_cut(tl::unexpected(why));
}

/// The old desktop does not end its message, or the viewer does not take it: what the viewer has
/// ends with a whole rectangle.
void Viewer::force_cut() {
    if (!cut_waits_ || left_)
        return;
    if (screen_)
        std::exchange(screen_, {})->close();
    if (const auto ended = relay_.desktop_lost(); !ended) {
        leave(ended.error().message());
        return;
    }
    flush();
    try_cut();
}

void Viewer::cut_now() {
    cut_waits_ = false;
    cut_timer_.cancel();
    retry_timer_.cancel();
    switch_expected_ = false;
    silence_timer_.cancel();
    notice_timer_.cancel();
    notice_end_.reset();
    note_sent();
    if (const auto outcome = relay_.cut(); !outcome) {
        leave(outcome.error().message());
        return;
    }
    cut_at_ = Clock::now();
    picture_before_cut_ = last_picture_.value_or(cut_at_);
    first_picture_waited_ = true;
    first_picture_end_.reset();
    auto next = std::exchange(next_, std::nullopt);
    auto old = std::exchange(screen_, std::move(next->connection));
    place_ = next->place;
    target_ = next->place;
    const std::string last_words = relay_.take_for_old();
    if (old)
        old->finish(last_words);
    core_.screen_found(session_);
    core_.count_viewers();
    screen_->carry(weak_from_this());
    flush();
}

void Viewer::end_cut(Result<Cut> outcome) {
    cut_waits_ = false;
    if (const auto done = std::exchange(cutting_, {}))
        done(std::move(outcome));
}

void Viewer::follow(const Screen& screen) {
    target_ = screen;
    if (!left_ && wants_another_screen())
        retry_later();
}

void Viewer::screen_lost(ScreenConnection& which, const Error& why) {
    if (&which == screen_.get())
        lose_screen(why, true);
}

void Viewer::lose_screen(const Error& why, bool news) {
    screen_->close();
    screen_.reset();
    first_picture_waited_ = false;
    if (const auto ended = relay_.desktop_lost(); !ended) {
        leave(ended.error().message());
        return;
    }
    flush();
    if (news)
        core_.screen_lost({session_, place_.desktop, why.what});
    if (!cut_waits_)
        end_cut(Cut{}); // it will not be measured: its picture has not come
    if (cut_waits_)
        try_cut();
    else if (!(next_ && next_->on_ready))
        retry_later();
}

void Viewer::retry_later() {
    retry_timer_.expires_after(retry_pause_);
    retry_pause_ = std::min(retry_pause_ * 2, core_.limits().longest_retry);
    retry_timer_.async_wait([weak = weak_from_this()](error_code error) {
        const auto self = weak.lock();
        if (self && !error && !self->left_)
            self->retry();
    });
}

void Viewer::retry() {
    open_next(target_, [weak = weak_from_this()](const Result<void>& outcome) {
        const auto self = weak.lock();
        if (!self || self->left_)
            return;
        if (outcome)
            self->cut([](const Result<Cut>&) {}); // where that fails, the next retry is on already
        else
            self->retry_later();
    });
}

} // namespace baton::gateway
