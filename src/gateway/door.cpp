#include "gateway/door.h"

#include "gateway/viewer.h"

#include <utility>

namespace baton::gateway {

using rfb::HandshakeServer;
using rfb::Login;

namespace {

/// What a person is told. Nobody learns here whether it was the name or the password.
std::string word_for(const Error& why, bool by_ticket) {
    if (why.code == Errc::unauthenticated)
        return by_ticket ? std::string("this ticket is not valid any more; open the desktop again")
                         : std::string(rfb::wrong_credentials);
    if (why.code == Errc::unavailable)
        return "the controller cannot be reached; try again";
    return why.message();
}

} // namespace

Door::Door(Core& core, ViewerId id, std::shared_ptr<StreamWire> wire, std::string client)
    : core_(core),
      id_(id),
      wire_(wire),
      plain_(std::move(wire)),
      client_(std::move(client)),
      handshake_({core.tls_in_front() ? Login::plain : Login::x509_plain}, {}),
      deadline_(core.executor()) {}

Door::Door(Core& core, ViewerId id, std::shared_ptr<Wire> wire, std::string client,
           std::string ticket)
    : core_(core),
      id_(id),
      wire_(std::move(wire)),
      client_(std::move(client)),
      ticket_(std::move(ticket)),
      handshake_({Login::none}, {}),
      deadline_(core.executor()) {}

void Door::start() {
    wire_->attach(weak_from_this());
    within(core_.tls_in_front() ? core_.limits().login_time : core_.limits().handshake_time, {});
    if (const std::string why = core_.closed_because(); !why.empty()) {
        handshake_.close_to_all(why);
    } else if (!plain_) {
        held_ = true; // before the types of login: there a browser shows what it is told
        ask();
    }
    if (gone_)
        return;
    wire_->send(handshake_.take_output());
    wire_->read();
}

/// `word`: told when it passes; empty: nothing can be told.
void Door::within(std::chrono::milliseconds time, std::string word) {
    deadline_.expires_after(time);
    deadline_.async_wait([weak = weak_from_this(), word = std::move(word)](error_code error) {
        const auto self = weak.lock();
        if (self && !error && !self->gone_)
            self->turn_out(word);
    });
}

void Door::take(std::string_view bytes) {
    input_ += bytes;
    if (input_.size() > most_input_bytes) {
        leave();
        return;
    }
    if (!held_)
        drive();
}

void Door::drive() {
    const auto alive = shared_from_this();
    using Step = HandshakeServer::Step;
    while (!gone_ && !held_) {
        const auto progress = handshake_.next(input_);
        wire_->send(handshake_.take_output());
        if (!progress) {
            end_with(progress.error().what);
            return;
        }
        input_.erase(0, progress->used);
        switch (progress->step) {
        case Step::need_more:
            return;
        case Step::start_tls:
            begin_tls();
            return;
        case Step::check_credentials:
            held_ = true;
            ask();
            return;
        case Step::client_init:
            come_in();
            return;
        default:
            break;
        }
    }
}

void Door::begin_tls() {
    if (!input_.empty()) { // sent before it was told that it may
        leave();
        return;
    }
    wire_->pause();
    held_ = true;
    tls_wanted_ = true;
    progress();
}

void Door::progress() {
    if (!tls_wanted_ || wire_->unsent() > 0)
        return;
    tls_wanted_ = false;
    plain_->start_tls(*core_.viewer_tls(), [weak = weak_from_this()](const Result<void>& outcome) {
        const auto self = weak.lock();
        if (!self || self->gone_)
            return;
        if (!outcome) {
            self->leave();
            return;
        }
        self->held_ = false;
        self->within(self->core_.limits().login_time, {});
        self->wire_->read();
        self->drive();
    });
}

void Door::ask() {
    const auto alive = shared_from_this();
    asked_ = true;
    within(core_.limits().start_time, "the desktop did not start in time; try again");
    if (const auto room = core_.ask(id_, alive); !room) {
        refuse(room.error());
        return;
    }
    const auto done = [weak = weak_from_this()](Result<Grant> answer) {
        if (const auto self = weak.lock())
            self->answered(std::move(answer));
    };
    if (!plain_) {
        core_.redeem(ticket_, client_, done);
        return;
    }
    const auto& shown = handshake_.credentials();
    if (check_name("user name", shown.user))
        core_.login(UserName(shown.user), shown.password, client_, done);
    else
        refuse({Errc::unauthenticated, "no user has such a name", "", 0});
}

void Door::answered(Result<Grant> answer) {
    if (gone_)
        return;
    if (!answer) {
        refuse(answer.error());
        return;
    }
    grant_ = std::move(*answer);
    const Screen* pointed = core_.pointed_at(grant_->session);
    open_screen(pointed != nullptr ? *pointed : grant_->screen);
}

void Door::open_screen(const Screen& screen) {
    if (screen_)
        screen_->close();
    target_ = screen;
    screen_place_ = screen;
    within(core_.limits().screen_time * 2, "the desktop's screen cannot be reached; try again");
    screen_ = std::make_shared<ScreenConnection>(core_.executor(), core_.buffer());
    screen_->open(core_.dialer(), screen, core_.limits().screen_time,
                  [weak = weak_from_this()](const Result<void>& outcome) {
                      if (const auto self = weak.lock())
                          self->opened(outcome);
                  });
}

void Door::opened(const Result<void>& outcome) {
    if (gone_)
        return;
    if (!outcome) {
        if (screen_place_ != grant_->screen) // the switch that was under way may have failed
            open_screen(grant_->screen);
        else
            say_and_close("the desktop's screen cannot be reached; try again");
        return;
    }
    within(core_.limits().handshake_time, {});
    if (plain_) {
        handshake_.accept();
        wire_->send(handshake_.take_output());
    }
    held_ = false;
    drive();
}

void Door::redirect(const SessionId& session, const Screen& screen) {
    if (!grant_ || grant_->session != session || target_ == screen || gone_)
        return;
    target_ = screen;
    if (held_) // still connecting
        open_screen(screen);
}

void Door::session_closed(const SessionId& session, const std::string& why) {
    if (grant_ && grant_->session == session && !gone_)
        say_and_close(why);
}

void Door::come_in() {
    deadline_.cancel();
    gone_ = true;
    if (!grant_->resume.empty())
        wire_->tell("{\"resume\":\"" + grant_->resume + "\"}");
    handshake_.send_server_init(screen_->init());
    wire_->send(handshake_.take_output());
    core_.leave_door(id_);
    auto viewer =
        std::make_shared<Viewer>(core_, Viewer::Arrival{id_, *grant_, client_, !plain_, wire_,
                                                        std::move(screen_), screen_place_});
    core_.came(viewer, {id_, grant_->session, client_, grant_->access, !plain_});
    viewer->begin(input_);
    if (target_ != screen_place_)
        viewer->follow(target_);
}

void Door::refuse(const Error& why) {
    const std::string word = word_for(why, !plain_);
    if (why.code != Errc::unauthenticated) {
        say_and_close(word);
        return;
    }
    deadline_.expires_after(core_.limits().refusal_pause);
    deadline_.async_wait([weak = weak_from_this(), word](error_code error) {
        const auto self = weak.lock();
        if (self && !error && !self->gone_)
            self->say_and_close(word);
    });
}

/// Once it has asked: a VNC viewer waits for its login's outcome, a browser for the types of login.
void Door::say_and_close(std::string_view word) {
    if (gone_)
        return;
    const auto alive = shared_from_this();
    within(core_.limits().handshake_time, {});
    if (screen_)
        std::exchange(screen_, {})->close();
    if (held_ && !plain_) {
        handshake_.close_to_all(word);
        held_ = false;
        drive();
        return;
    }
    if (held_) {
        handshake_.refuse(word);
        wire_->send(handshake_.take_output());
    }
    end_with(word);
}

/// What has to be said has been sent. Until that is out it counts as one who is at the door.
void Door::end_with(std::string_view word) {
    gone_ = true;
    deadline_.cancel();
    if (screen_)
        std::exchange(screen_, {})->close();
    wire_->finish(word, [weak = weak_from_this()] {
        if (const auto self = weak.lock())
            self->core_.leave_door(self->id_);
    });
}

void Door::turn_out(std::string_view why) {
    if (gone_) // has been told already
        wire_->close();
    else if (why.empty() || !asked_)
        leave();
    else
        say_and_close(why);
}

void Door::lost(const Error& /*why*/) {
    leave();
}

void Door::leave() {
    if (gone_)
        return;
    const auto alive = shared_from_this();
    gone_ = true;
    deadline_.cancel();
    if (screen_)
        std::exchange(screen_, {})->close();
    wire_->close();
    core_.leave_door(id_);
}

} // namespace baton::gateway
