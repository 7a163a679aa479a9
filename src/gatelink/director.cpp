#include "gatelink/director.h"

#include "model/overloaded.h"

#include <spdlog/spdlog.h>

#include <deque>
#include <map>
#include <mutex>
#include <utility>

namespace baton::gatelink {

namespace {

/// News that nobody could be told yet; older ones are forgotten first.
constexpr std::size_t most_kept_news = 4096;

Error no_controller() {
    return Error{Errc::unavailable, "the controller cannot be reached", "try again in a moment", 0};
}

class Linked : public LinkDirector, public std::enable_shared_from_this<Linked> {
  public:
    explicit Linked(Facts facts) : facts_(std::move(facts)) {}

    void set_switchboard(gateway::Switchboard& switchboard) override {
        switchboard_ = &switchboard;
    }

    void set_ports(std::uint16_t vnc_port, std::uint16_t web_port) override {
        facts_.vnc_port = vnc_port;
        facts_.web_port = web_port;
    }

    void login(const UserName& user, const std::string& password, const std::string& client,
               gateway::Done<Grant> done) override {
        ask(std::move(done), [&](std::uint64_t id) { return Login{id, user, password, client}; });
    }

    void redeem(const std::string& ticket, const std::string& client,
                gateway::Done<Grant> done) override {
        ask(std::move(done), [&](std::uint64_t id) { return Redeem{id, ticket, client}; });
    }

    void tell(const News& news) override {
        const std::lock_guard lock(mutex_);
        if (link_ && welcomed_)
            return link_->send(encode(Told{news}));
        if (kept_.size() == most_kept_news)
            kept_.pop_front();
        kept_.push_back(news);
    }

    void serve(std::shared_ptr<net::WebSocket> link,
               std::function<void(net::LinkEnd)> ended) override {
        std::shared_ptr<net::WebSocket> before;
        std::uint64_t turn = 0;
        {
            const std::lock_guard lock(mutex_);
            before = std::exchange(link_, link);
            welcomed_ = false;
            refusal_.reset();
            ended_ = std::move(ended);
            turn = ++turn_;
        }
        if (before)
            before->close();
        link->send(encode(Hello{protocol_version, facts_, switchboard_->carried()}));
        const std::weak_ptr<Linked> weak = weak_from_this();
        link->listen(
            [weak, turn](const std::string& text) {
                if (const auto self = weak.lock())
                    self->heard(turn, text);
            },
            [weak, turn](const std::string& reason) {
                if (const auto self = weak.lock())
                    self->lost(turn, Error{Errc::unavailable, reason, {}, 0});
            });
    }

    bool linked() const override {
        const std::lock_guard lock(mutex_);
        return link_ && welcomed_;
    }

  private:
    template <class Question>
    void ask(gateway::Done<Grant> done, Question question) {
        {
            const std::lock_guard lock(mutex_);
            if (link_ && welcomed_) {
                const auto id = ++last_id_;
                asked_.emplace(id, std::move(done));
                return link_->send(encode(FromGateway(question(id))));
            }
        }
        done(tl::unexpected(no_controller()));
    }

    void heard(std::uint64_t turn, const std::string& text) {
        auto message = decode_from_controller(text);
        if (!message)
            return give_up(turn, message.error().in("the controller said something ill-formed"));
        std::visit(
            Overloaded{
                [&](const Welcome& welcome) { welcomed(turn, welcome); },
                [&](const Refused& refused) { give_up(turn, refused.error); },
                [&](Granted& granted) { this->granted(granted); },
                [&](const Prepare& prepare) {
                    switchboard_->prepare(prepare.session, prepare.screen);
                },
                [&](const Point& point) { this->point(turn, point); },
                [&](const Close& close) { switchboard_->close(close.session, close.why); },
                [&](const Show& show) { switchboard_->show(show.session, show.text, show.time); },
                [&](const Drain& drain) { switchboard_->drain(drain.draining); }},
            *message);
    }

    void welcomed(std::uint64_t turn, const Welcome& welcome) {
        {
            const std::lock_guard lock(mutex_);
            if (turn != turn_ || !link_)
                return;
            welcomed_ = true;
            for (const News& news : std::exchange(kept_, {}))
                link_->send(encode(Told{news}));
        }
        spdlog::info("linked to the controller, version {}", welcome.version);
        switchboard_->drain(welcome.draining);
    }

    void granted(Granted& granted) {
        gateway::Done<Grant> done;
        {
            const std::lock_guard lock(mutex_);
            auto found = asked_.extract(granted.id);
            if (found.empty())
                return;
            done = std::move(found.mapped());
        }
        done(std::move(granted.result));
    }

    void point(std::uint64_t turn, const Point& point) {
        switchboard_->point(point.session, point.screen,
                            [weak = weak_from_this(), turn, id = point.id](Result<Switched> how) {
                                const auto self = weak.lock();
                                if (!self)
                                    return;
                                const std::lock_guard lock(self->mutex_);
                                if (turn == self->turn_ && self->link_)
                                    self->link_->send(encode(Pointed{id, std::move(how)}));
                            });
    }

    /// Remembers why, and closes the link; lost() follows.
    void give_up(std::uint64_t turn, const Error& why) {
        std::shared_ptr<net::WebSocket> link;
        {
            const std::lock_guard lock(mutex_);
            if (turn != turn_)
                return;
            refusal_ = why;
            link = link_;
        }
        if (link)
            link->close();
    }

    void lost(std::uint64_t turn, const Error& why) {
        std::map<std::uint64_t, gateway::Done<Grant>> unanswered;
        std::function<void(net::LinkEnd)> ended;
        net::LinkEnd end;
        std::shared_ptr<net::WebSocket> link;
        {
            const std::lock_guard lock(mutex_);
            if (turn != turn_)
                return;
            link = std::exchange(link_, nullptr);
            end = {std::exchange(welcomed_, false), refusal_ ? *refusal_ : why};
            unanswered = std::exchange(asked_, {});
            ended = std::exchange(ended_, {});
        }
        for (const auto& [id, done] : unanswered)
            done(tl::unexpected(no_controller()));
        if (ended)
            ended(end);
    }

    Facts facts_; ///< unchanged once links are served
    gateway::Switchboard* switchboard_ = nullptr;

    mutable std::mutex mutex_;
    std::shared_ptr<net::WebSocket> link_;
    bool welcomed_ = false;
    std::optional<Error> refusal_;
    std::function<void(net::LinkEnd)> ended_;
    std::uint64_t turn_ = 0; ///< which link; what comes of a former one does not count
    std::uint64_t last_id_ = 0;
    std::map<std::uint64_t, gateway::Done<Grant>> asked_;
    std::deque<News> kept_;
};

} // namespace

std::shared_ptr<LinkDirector> LinkDirector::make(Facts facts) {
    return std::make_shared<Linked>(std::move(facts));
}

} // namespace baton::gatelink
