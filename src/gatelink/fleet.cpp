#include "gatelink/fleet.h"

#include "model/overloaded.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace baton::gatelink {

namespace {

struct Link {
    std::shared_ptr<net::WebSocket> socket;
    GatewayId gateway; ///< its certificate's
    std::optional<Facts> facts;
    bool closed = false;
    handoff::Clock::TimerId hello_timer = 0;
    std::uint64_t last_id = 0;

    struct Pending {
        handoff::Done<Switched> outcome;
        handoff::Clock::TimerId timer = 0;
    };

    std::map<std::uint64_t, Pending> pending;
    std::map<gateway::ViewerId, gateway::ViewerCame> viewers;
    std::map<SessionId, unsigned> carried; ///< viewers from before this link
};

using LinkPtr = std::shared_ptr<Link>;

/// The switches of one session at all gateways, until the last of them has answered.
struct Gathering {
    std::size_t waiting = 0;
    Switched sum;
    std::optional<Error> error;
    handoff::Done<void> done;
};

class Links : public GatewayFleet {
  public:
    Links(handoff::Clock& clock, FleetDoors doors, FleetSettings settings)
        : clock_(clock), doors_(std::move(doors)), settings_(std::move(settings)) {}

    ~Links() override {
        *life_ = nullptr;
        for (const auto& [id, link] : links_)
            link->socket->close();
        for (const auto& link : greeting_)
            link->socket->close();
    }

    Links(const Links&) = delete;
    Links& operator=(const Links&) = delete;

    bool accept(const net::Request& request, std::shared_ptr<net::WebSocket> socket) override {
        if (request.path != target)
            return false;
        clock_.post([life = life_, socket = std::move(socket)] {
            if (*life != nullptr)
                (*life)->greet(socket);
        });
        return true;
    }

    void prepare(const SessionId& session, const Screen& screen) override {
        for (const auto& [id, link] : links_)
            say(*link, Prepare{session, screen});
    }

    void point(const SessionId& session, const Screen& screen, handoff::Done<void> done) override {
        const auto gathering = std::make_shared<Gathering>();
        gathering->done = std::move(done);
        gathering->waiting = links_.size();
        if (links_.empty())
            return clock_.post([gathering] { gathering->done({}); });
        for (const auto& [id, link] : links_)
            ask(link, session, screen,
                [this, life = life_, session, gathering](const Result<Switched>& result) {
                    if (*life != nullptr)
                        gather(session, *gathering, result);
                });
    }

    void close(const SessionId& session, const std::string& why) override {
        for (const auto& [id, link] : links_)
            say(*link, Close{session, why});
    }

    void show(const SessionId& session, const std::string& text,
              std::chrono::milliseconds time) override {
        for (const auto& [id, link] : links_)
            say(*link, Show{session, text, time});
    }

    void drain(const GatewayId& gateway, bool draining) override {
        if (const auto link = find(gateway))
            say(*link, Drain{draining});
    }

    void expel(const GatewayId& gateway) override {
        if (const auto link = find(gateway))
            drop(link, "it was removed, or has joined anew");
    }

    std::vector<GatewayView> connected() const override {
        std::vector<GatewayView> all;
        for (const auto& [id, link] : links_) {
            std::set<SessionId> sessions;
            for (const auto& [viewer, came] : link->viewers)
                sessions.insert(came.session);
            all.push_back({*link->facts, link->viewers.size(), sessions.size()});
        }
        return all;
    }

    std::vector<ViewerView> viewers() const override {
        std::vector<ViewerView> all;
        for (const auto& [id, link] : links_)
            for (const auto& [viewer, came] : link->viewers)
                all.push_back({id, came});
        return all;
    }

    std::set<SessionId> looked_at() const override {
        std::set<SessionId> all;
        for (const auto& [id, link] : links_) {
            for (const auto& [viewer, came] : link->viewers)
                if (came.access == gateway::Access::full)
                    all.insert(came.session);
            for (const auto& [session, viewers] : link->carried)
                all.insert(session);
        }
        return all;
    }

  private:
    // ---- connections ----------------------------------------------------------------------------

    void greet(const std::shared_ptr<net::WebSocket>& socket) {
        auto link = std::make_shared<Link>();
        link->socket = socket;
        const std::string& name = socket->peer().certificate_name;
        if (name.starts_with(certificate_prefix))
            link->gateway = GatewayId(name.substr(certificate_prefix.size()));
        const std::weak_ptr<Link> weak = link;
        const auto on_executor = [&clock = clock_, life = life_, weak](auto action) {
            clock.post([life, weak, action = std::move(action)] {
                const auto live = weak.lock();
                if (*life != nullptr && live && !live->closed)
                    action(**life, live);
            });
        };
        link->hello_timer = clock_.after(settings_.hello_deadline, [on_executor] {
            on_executor([](Links& links, const LinkPtr& silent) {
                links.drop(silent, "it did not say hello in time");
            });
        });
        greeting_.push_back(link);
        socket->listen(
            [on_executor](std::string text) {
                on_executor([text = std::move(text)](Links& links, const LinkPtr& from) {
                    links.heard(from, text);
                });
            },
            [on_executor](std::string reason) {
                on_executor([reason = std::move(reason)](Links& links, const LinkPtr& from) {
                    links.drop(from, reason);
                });
            });
    }

    void heard(const LinkPtr& link, const std::string& text) {
        auto message =
            text.size() > max_message
                ? Result<FromGateway>(fail(Errc::invalid_argument, "a message over 4 MiB"))
                : decode_from_gateway(text);
        if (!message) {
            spdlog::warn("{} said something ill-formed: {}", shown(*link), message.error().what);
            return drop(link, "it said something ill-formed: " + message.error().what);
        }
        if (auto* hello = std::get_if<Hello>(&*message))
            return welcome(link, std::move(*hello));
        if (!link->facts)
            return drop(link, "its first words were no hello");
        std::visit(
            Overloaded{
                [](const Hello&) {},
                [&](const Login& login) { doors_.login(login, granting(link, login.id)); },
                [&](const Redeem& redeem) { doors_.redeem(redeem, granting(link, redeem.id)); },
                [&](const Told& told) { take(*link, told.news); },
                [&](const Pointed& pointed) { pointed_there(*link, pointed); }},
            *message);
    }

    /// The answer to a login, on whatever thread it comes.
    gateway::Done<Grant> granting(const LinkPtr& link, std::uint64_t id) {
        return [&clock = clock_, life = life_, weak = std::weak_ptr<Link>(link),
                id](Result<Grant> grant) {
            clock.post([life, weak, id, grant = std::move(grant)] {
                const auto live = weak.lock();
                if (*life != nullptr && live && !live->closed)
                    say(*live, Granted{id, grant});
            });
        };
    }

    void take(Link& link, const News& news) {
        if (const auto* came = std::get_if<gateway::ViewerCame>(&news))
            link.viewers.insert_or_assign(came->viewer, *came);
        if (const auto* went = std::get_if<gateway::ViewerWent>(&news))
            gone(link, *went);
        doors_.told(link.gateway, news);
    }

    static void gone(Link& link, const gateway::ViewerWent& went) {
        if (link.viewers.erase(went.viewer) > 0)
            return;
        const auto before = link.carried.find(went.session);
        if (before != link.carried.end() && --before->second == 0)
            link.carried.erase(before);
    }

    void welcome(const LinkPtr& link, Hello hello) {
        if (link->facts)
            return drop(link, "it said hello twice");
        const auto admitted = admit(*link, hello);
        if (!admitted) {
            spdlog::warn("{} is turned away: {}", shown(*link), admitted.error().message());
            say(*link, Refused{admitted.error()});
            return drop(link, admitted.error().what);
        }
        clock_.cancel(link->hello_timer);
        std::erase(greeting_, link);
        if (const auto before = find(link->gateway))
            drop(before, "the gateway has connected anew");
        link->facts = std::move(hello.facts);
        for (const Carried& one : hello.carried)
            if (one.viewers > 0)
                link->carried[one.session] = one.viewers;
        links_[link->gateway] = link;
        say(*link, Welcome{protocol_version, settings_.version, *admitted});
        spdlog::info("{} is connected and carries {} sessions", shown(*link), hello.carried.size());
        correct(link, hello.carried);
    }

    /// What has changed while the link was away.
    void correct(const LinkPtr& link, const std::vector<Carried>& carried) {
        for (const Carried& one : carried) {
            const auto screen = doors_.screen_of(one.session);
            if (!screen)
                say(*link, Close{one.session, "the session has ended"});
            else if (screen->desktop != one.desktop)
                ask(link, one.session, *screen, [](const Result<Switched>& result) {
                    if (!result)
                        spdlog::warn("a gateway that is back could not be corrected: {}",
                                     result.error().message());
                });
        }
    }

    Result<bool> admit(const Link& link, const Hello& hello) {
        if (link.gateway.empty())
            return fail(Errc::unauthenticated, "a gateway must show its certificate",
                        "join it with: baton-gateway join");
        if (hello.facts.id != link.gateway)
            return fail(Errc::forbidden, fmt::format("the certificate is for '{}', not for '{}'",
                                                     link.gateway.value, hello.facts.id.value));
        if (hello.protocol != protocol_version)
            return fail(Errc::unsupported,
                        fmt::format("the gateway speaks version {} of the link, this controller {}",
                                    hello.protocol, protocol_version),
                        "install the same version of Baton on both");
        return doors_.admit(link.gateway, link.socket->peer());
    }

    void drop(const LinkPtr& link, const std::string& why) {
        if (link->closed)
            return;
        link->closed = true;
        clock_.cancel(link->hello_timer);
        std::erase(greeting_, link);
        link->socket->close();
        const auto found = links_.find(link->gateway);
        if (found != links_.end() && found->second == link) {
            links_.erase(found);
            spdlog::info("the gateway '{}' is away: {}", link->gateway.value, why);
        }
        // it is corrected when it is back: nobody waits for it meanwhile
        for (auto& [id, pending] : std::exchange(link->pending, {})) {
            clock_.cancel(pending.timer);
            clock_.post([outcome = std::move(pending.outcome)] { outcome(Switched{}); });
        }
    }

    [[nodiscard]] LinkPtr find(const GatewayId& gateway) const {
        const auto found = links_.find(gateway);
        return found == links_.end() ? nullptr : found->second;
    }

    static void say(const Link& link, const FromController& message) {
        link.socket->send(encode(message));
    }

    static std::string shown(const Link& link) {
        return fmt::format("the gateway '{}' at {}", link.gateway.value,
                           link.socket->peer().address);
    }

    // ---- switches -------------------------------------------------------------------------------

    void ask(const LinkPtr& link, const SessionId& session, const Screen& screen,
             handoff::Done<Switched> outcome) {
        const auto id = ++link->last_id;
        Link::Pending pending{std::move(outcome), 0};
        pending.timer = clock_.after(
            settings_.point_deadline, [life = life_, weak = std::weak_ptr<Link>(link), id] {
                const auto live = weak.lock();
                if (*life == nullptr || !live)
                    return;
                (*life)->pointed_there(
                    *live, Pointed{id, fail(Errc::timeout,
                                            fmt::format("the gateway '{}' did not switch in time",
                                                        live->gateway.value))});
            });
        link->pending.emplace(id, std::move(pending));
        say(*link, Point{id, session, screen});
    }

    void pointed_there(Link& link, const Pointed& pointed) {
        auto found = link.pending.extract(pointed.id);
        if (found.empty())
            return; // too late
        clock_.cancel(found.mapped().timer);
        found.mapped().outcome(pointed.result);
    }

    void gather(const SessionId& session, Gathering& gathering, const Result<Switched>& result) {
        if (result) {
            gathering.sum.viewers += result->viewers;
            gathering.sum.lost += result->lost;
            gathering.sum.cut_to_frame = std::max(gathering.sum.cut_to_frame, result->cut_to_frame);
            gathering.sum.frame_to_frame =
                std::max(gathering.sum.frame_to_frame, result->frame_to_frame);
        } else if (!gathering.error) {
            gathering.error = result.error();
        }
        if (--gathering.waiting > 0)
            return;
        if (gathering.sum.viewers > 0)
            doors_.switched(session, gathering.sum);
        gathering.done(gathering.error ? Result<void>(tl::unexpected(*gathering.error))
                                       : Result<void>());
    }

    handoff::Clock& clock_;
    const FleetDoors doors_;
    const FleetSettings settings_;
    std::shared_ptr<Links*> life_ = std::make_shared<Links*>(this);
    std::vector<LinkPtr> greeting_;
    std::map<GatewayId, LinkPtr> links_;
};

} // namespace

std::unique_ptr<GatewayFleet> GatewayFleet::make(handoff::Clock& clock, FleetDoors doors,
                                                 FleetSettings settings) {
    return std::make_unique<Links>(clock, std::move(doors), std::move(settings));
}

} // namespace baton::gatelink
