#include "gateway/core.h"

#include "gateway/door.h"
#include "gateway/listener.h"
#include "gateway/pointing.h"
#include "gateway/web_door.h"

#include <boost/asio/ip/address.hpp>
#include <spdlog/spdlog.h>

#include <utility>

namespace baton::gateway {

Core::~Core() {
    pointings_.clear();
    viewers_.clear();
    asking_.clear();
    strangers_.clear();
    dialer_.reset();
    vnc_.reset();
    web_.reset();
}

Result<void> Core::start(const MakeScreenDialer& make_dialer) {
    auto dialer = make_dialer(executor());
    if (!dialer)
        return tl::unexpected(dialer.error());
    dialer_ = std::move(*dialer);
    if (config_.tls_in_front)
        BATON_TRY(check_loopback_only());
    else
        BATON_TRY(read_viewer_tls());
    return listen();
}

/// What is not encrypted any more must not leave this machine.
Result<void> Core::check_loopback_only() const {
    for (const auto& place : {config_.vnc, config_.web}) {
        error_code error;
        if (place && (!asio::ip::make_address(place->address, error).is_loopback() || error))
            return fail(Errc::invalid_argument,
                        "without TLS of its own a gateway cannot listen at " + place->address,
                        "let the proxy in front reach it at 127.0.0.1");
    }
    return {};
}

Result<void> Core::read_viewer_tls() {
    net::TlsFiles shown = config_.viewer_tls;
    shown.authority.clear(); // people show a name and a password, no certificate
    if (shown.certificate.empty())
        return fail(Errc::invalid_argument, "the gateway has no certificate to show to viewers",
                    "name its certificate and key in the configuration");
    auto tls = net::FreshTls::start(shown, [shown] { return net::server_tls(shown, false); });
    if (!tls)
        return tl::unexpected(tls.error());
    viewer_tls_ = std::move(*tls);
    return {};
}

Result<void> Core::listen() {
    if (config_.vnc) {
        vnc_ = std::make_shared<Listener>(
            executor(), [this](net::Stream stream, const std::string& client) {
                const ViewerId id = next_id();
                auto wire = std::make_shared<StreamWire>(std::move(stream), buffer_);
                auto door = std::make_shared<Door>(*this, id, std::move(wire), client);
                enter(id, door);
                door->start();
            });
        BATON_TRY(vnc_->start(*config_.vnc));
    }
    if (config_.web) {
        web_ = std::make_shared<Listener>(
            executor(), [this](net::Stream stream, const std::string& client) {
                const ViewerId id = next_id();
                auto door = std::make_shared<WebDoor>(*this, id, std::move(stream), client);
                enter(id, door);
                door->start();
            });
        BATON_TRY(web_->start(*config_.web));
    }
    return {};
}

std::uint16_t Core::vnc_port() const {
    return vnc_ ? vnc_->port() : 0;
}

std::uint16_t Core::web_port() const {
    return web_ ? web_->port() : 0;
}

void Core::stop() {
    stopped_ = true;
    for (const auto& listener : {vnc_, web_})
        if (listener)
            listener->close();
    const Error why{Errc::cancelled, "the gateway is stopping", "", 0};
    for (const auto& [session, pointing] : std::map(pointings_))
        pointing->cancel(why);
    for (const auto& [id, stranger] : std::map(strangers_))
        stranger->turn_out(why.what);
    for (const auto& [id, door] : std::map(asking_))
        door->turn_out(why.what);
    for (const auto& [id, viewer] : std::map(viewers_))
        viewer->leave(why.what);
    guard_.reset();
    context_.stop();
}

// ---- people at the door -------------------------------------------------------------------------

void Core::enter(ViewerId id, std::shared_ptr<Stranger> stranger) {
    strangers_.emplace(id, std::move(stranger));
    if (strangers_.size() > config_.limits.strangers) {
        const auto oldest = strangers_.begin()->second;
        strangers_.erase(strangers_.begin());
        oldest->turn_out({});
    }
}

Result<void> Core::ask(ViewerId id, std::shared_ptr<Door> door) {
    if (asking_.size() >= config_.limits.waiting || viewers_.size() >= config_.limits.viewers)
        return fail(Errc::busy, "this gateway has as many viewers as it can carry",
                    "try again in a while");
    strangers_.erase(id);
    asking_.emplace(id, std::move(door));
    return {};
}

void Core::leave_door(ViewerId id) {
    strangers_.erase(id);
    asking_.erase(id);
}

void Core::ask_director(const Asked& question, GrantDone done) {
    question(director_, [weak = weak_from_this(), done = std::move(done)](Result<Grant> answer) {
        const auto self = weak.lock();
        if (!self)
            return;
        asio::post(self->context_, [weak, done, answer = std::move(answer)] {
            const auto core = weak.lock();
            if (core && !core->stopped_)
                done(answer);
        });
    });
}

void Core::login(const UserName& user, const std::string& password, const std::string& client,
                 GrantDone done) {
    ask_director([&](Director& director,
                     Done<Grant> answer) { director.login(user, password, client, answer); },
                 std::move(done));
}

void Core::redeem(const std::string& ticket, const std::string& client, GrantDone done) {
    ask_director(
        [&](Director& director, Done<Grant> answer) { director.redeem(ticket, client, answer); },
        std::move(done));
}

std::string Core::closed_because() const {
    if (draining_)
        return "this gateway is being taken out of service; connect again";
    return {};
}

const Screen* Core::pointed_at(const SessionId& session) const {
    const auto found = pointings_.find(session);
    return found == pointings_.end() ? nullptr : &found->second->screen();
}

// ---- viewers ------------------------------------------------------------------------------------

void Core::came(std::shared_ptr<Viewer> viewer, const ViewerCame& news) {
    spdlog::info("viewer {} of session {} has come from {}", news.viewer, news.session.value,
                 news.client);
    viewers_.emplace(news.viewer, std::move(viewer));
    count_viewers();
    director_.tell(news);
}

void Core::went(const ViewerWent& news) {
    spdlog::info("viewer {} of session {} has gone: {}", news.viewer, news.session.value, news.why);
    viewers_.erase(news.viewer);
    count_viewers();
    director_.tell(news);
}

void Core::screen_lost(const ScreenLost& news) {
    if (!told_lost_.insert(news.session).second)
        return;
    spdlog::warn("session {}: the screen of desktop {} is lost: {}", news.session.value,
                 news.desktop.value, news.why);
    director_.tell(news);
}

void Core::count_viewers() {
    std::map<std::pair<SessionId, DesktopId>, unsigned> counts;
    for (const auto& [id, viewer] : viewers_)
        ++counts[{viewer->session(), viewer->desktop()}];
    const std::lock_guard lock(carried_mutex_);
    carried_.clear();
    for (const auto& [place, viewers] : counts)
        carried_.push_back({place.first, place.second, viewers});
}

std::vector<std::shared_ptr<Viewer>> Core::viewers_of(const SessionId& session) const {
    std::vector<std::shared_ptr<Viewer>> found;
    for (const auto& [id, viewer] : viewers_)
        if (viewer->session() == session)
            found.push_back(viewer);
    return found;
}

std::shared_ptr<const Notice> Core::drawn(const std::string& text) {
    std::erase_if(notices_, [](const auto& one) { return one.second.expired(); });
    if (const auto found = notices_.find(text); found != notices_.end())
        return found->second.lock();
    const auto give_up = [this](const Error& why) {
        if (!std::exchange(cannot_draw_, true))
            spdlog::warn("nothing can be written over people's screens: {}", why.message());
        return nullptr;
    };
    if (!lettering_) {
        auto opened = Lettering::open(config_.font);
        if (!opened)
            return give_up(opened.error());
        lettering_ = std::move(*opened);
    }
    auto notice = lettering_->draw(text);
    if (!notice)
        return give_up(notice.error());
    auto kept = std::make_shared<const Notice>(std::move(*notice));
    notices_[text] = kept;
    return kept;
}

// ---- the Switchboard ----------------------------------------------------------------------------

void Core::prepare(const SessionId& session, const Screen& screen) {
    for (const auto& viewer : viewers_of(session))
        viewer->prepare(screen);
}

void Core::point(const SessionId& session, const Screen& screen, Done<Switched> done) {
    if (const auto now = pointings_.find(session); now != pointings_.end()) {
        const auto pointing = now->second;
        if (pointing->screen() == screen) {
            pointing->join(std::move(done));
            return;
        }
        pointing->cancel({Errc::cancelled, "the session was pointed elsewhere meanwhile", "", 0});
    }
    for (const auto& [id, door] : std::map(asking_))
        door->redirect(session, screen);
    auto pointing = std::make_shared<Pointing>(*this, session, screen);
    pointings_[session] = pointing;
    pointing->on_over = [this, session] { pointings_.erase(session); };
    pointing->start(viewers_of(session), std::move(done));
}

void Core::close(const SessionId& session, const std::string& why) {
    if (const auto now = pointings_.find(session); now != pointings_.end()) {
        const auto pointing = now->second;
        pointing->cancel({Errc::cancelled, "the session has ended: " + why, "", 0});
    }
    for (const auto& [id, door] : std::map(asking_))
        door->session_closed(session, why);
    for (const auto& viewer : viewers_of(session))
        viewer->session_closed(why);
    told_lost_.erase(session);
}

void Core::show(const SessionId& session, const std::string& text, std::chrono::milliseconds time) {
    for (const auto& viewer : viewers_of(session))
        viewer->show(text, time);
}

std::vector<Carried> Core::carried() const {
    const std::lock_guard lock(carried_mutex_);
    return carried_;
}

} // namespace baton::gateway
