#include "gateway/screen_connection.h"

#include "rfb/client_messages.h"

#include <utility>

namespace baton::gateway {

void ScreenConnection::open(ScreenDialer& dialer, const Screen& screen,
                            std::chrono::milliseconds time, Done done) {
    screen_ = screen;
    done_ = std::move(done);
    within(time);
    dialer.dial(screen, time, [weak = weak_from_this()](Result<Dialed> outcome) {
        if (const auto self = weak.lock())
            self->dialed(std::move(outcome));
    });
}

void ScreenConnection::within(std::chrono::milliseconds time) {
    deadline_.expires_after(time);
    deadline_.async_wait([weak = weak_from_this()](error_code error) {
        const auto self = weak.lock();
        if (self && !error && self->done_)
            self->end(
                {Errc::timeout,
                 "the screen of desktop " + self->screen_.desktop.value + " did not answer in time",
                 "the desktop or its host may be overloaded", 0});
    });
}

void ScreenConnection::settle(Result<void> outcome) {
    deadline_.cancel();
    if (const auto done = std::exchange(done_, {}))
        done(std::move(outcome));
}

void ScreenConnection::dialed(Result<Dialed> outcome) {
    if (stage_ != Stage::dialing)
        return;
    if (!outcome) {
        end(outcome.error());
        return;
    }
    stage_ = Stage::handshake;
    wire_ = std::make_shared<StreamWire>(std::move(outcome->stream), buffer_);
    wire_->attach(weak_from_this());
    waiting_ = std::move(outcome->rest);
    wire_->read();
    if (!waiting_.empty())
        shake_hands();
}

void ScreenConnection::take(std::string_view bytes) {
    if (stage_ == Stage::carrying) {
        if (const auto user = user_.lock())
            user->screen_sent(*this, bytes);
        return;
    }
    waiting_ += bytes;
    if (stage_ == Stage::handshake)
        shake_hands();
    else if (stage_ == Stage::picture)
        look_for_picture();
}

void ScreenConnection::shake_hands() {
    for (;;) {
        const auto progress = handshake_.next(waiting_);
        if (!progress) {
            end(progress.error().in("the screen of desktop " + screen_.desktop.value));
            return;
        }
        waiting_.erase(0, progress->used);
        wire_->send(handshake_.take_output());
        if (progress->step == rfb::HandshakeClient::Step::need_more)
            return;
        if (progress->step == rfb::HandshakeClient::Step::done)
            break;
    }
    stage_ = Stage::open;
    wire_->pause();
    settle({});
}

void ScreenConnection::await_picture(std::string opening, const rfb::PixelFormat& format,
                                     std::chrono::milliseconds time, Done done) {
    done_ = std::move(done);
    stage_ = Stage::picture;
    within(time);
    watch_.emplace(rfb::Size{init().width, init().height}, format);
    watched_ = 0;
    wire_->send(std::move(opening));
    wire_->read();
}

/// The reader keeps no bytes: what has been walked is kept here until somebody carries it on.
void ScreenConnection::look_for_picture() {
    for (;;) {
        const auto event = watch_->next(std::string_view(waiting_).substr(watched_));
        if (!event) {
            end(event.error().in("the screen of desktop " + screen_.desktop.value));
            return;
        }
        if (event->part == rfb::ServerEvent::Part::need_more)
            return;
        watched_ += event->bytes.size();
        if (event->part == rfb::ServerEvent::Part::rectangle &&
            is_picture(watch_->rectangle().encoding))
            break;
        if (event->ends_message) {
            // some servers take an update without pixels for the answer
            std::string again;
            write(again,
                  rfb::UpdateRequest{true, 0, 0, watch_->size().width, watch_->size().height});
            wire_->send(std::move(again));
        }
    }
    watch_.reset();
    stage_ = Stage::waiting;
    wire_->pause();
    settle({});
}

void ScreenConnection::carry(std::weak_ptr<ScreenUser> user) {
    if (stage_ == Stage::closed) { // it ended while nobody looked
        asio::post(deadline_.get_executor(), [self = shared_from_this(), user = std::move(user)] {
            if (const auto now = user.lock())
                now->screen_lost(*self, {Errc::unavailable,
                                         "the connection to the screen of desktop " +
                                             self->screen_.desktop.value + " was closed",
                                         "", 0});
        });
        return;
    }
    user_ = std::move(user);
    stage_ = Stage::carrying;
    const std::string first = std::exchange(waiting_, {});
    wire_->read();
    if (const auto now = user_.lock(); now && !first.empty())
        now->screen_sent(*this, first);
}

void ScreenConnection::progress() {
    if (const auto user = user_.lock(); user && stage_ == Stage::carrying)
        user->screen_progress(*this);
}

void ScreenConnection::lost(const Error& why) {
    end(why.in("the connection to the screen of desktop " + screen_.desktop.value));
}

void ScreenConnection::end(const Error& why) {
    const auto alive = shared_from_this();
    const bool carrying = stage_ == Stage::carrying;
    const auto user = user_.lock();
    const auto done = std::exchange(done_, {});
    close();
    if (carrying && user)
        user->screen_lost(*this, why);
    else if (done)
        done(tl::unexpected(why));
}

void ScreenConnection::finish(std::string last_words) {
    if (wire_ && stage_ != Stage::closed) {
        wire_->send(std::move(last_words));
        wire_->finish({});
    }
    close();
}

void ScreenConnection::close() {
    if (wire_ && !wire_->closed())
        wire_->close();
    stage_ = Stage::closed;
    done_ = {};
    user_.reset();
    std::string().swap(waiting_);
    deadline_.cancel();
}

} // namespace baton::gateway
