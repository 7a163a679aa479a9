#include "hostlink/fleet.h"

#include "hostlink/protocol.h"
#include "model/overloaded.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <map>
#include <optional>
#include <utility>

namespace baton::hostlink {

namespace {

using Outcome = std::function<void(Result<boost::json::object>)>;

struct Pending {
    std::string method;
    Outcome outcome;
    handoff::Clock::TimerId timer = 0;
};

struct Link {
    std::shared_ptr<net::WebSocket> socket;
    HostId host;                    ///< by its certificate
    std::optional<HostFacts> facts; ///< once it has said hello
    std::uint64_t last_id = 0;
    std::map<std::uint64_t, Pending> pending;
    handoff::Clock::TimerId hello_timer = 0;
    bool closed = false;
};

using LinkPtr = std::shared_ptr<Link>;

class Links : public HostFleet {
  public:
    Links(handoff::Clock& clock, Admit admit, FleetSettings settings)
        : clock_(clock), admit_(std::move(admit)), settings_(std::move(settings)) {}

    ~Links() override {
        *life_ = nullptr;
        for (const auto& link : greeting_)
            link->socket->close();
        for (const auto& [host, link] : links_)
            link->socket->close();
    }

    Links(const Links&) = delete;
    Links& operator=(const Links&) = delete;

    void set_events(handoff::FleetEvents& events) override { events_ = &events; }

    void on_reading(std::function<void(monitor::Reading)> told) override {
        told_reading_ = std::move(told);
    }

    void on_cpu_shares(std::function<void(const HostId&, const CpuSharesTold&)> told) override {
        told_shares_ = std::move(told);
    }

    bool accept(const net::Request& request, std::shared_ptr<net::WebSocket> socket) override {
        if (request.path != target)
            return false;
        clock_.post([life = life_, socket = std::move(socket)] {
            if (auto* links = *life)
                links->greet(socket);
        });
        return true;
    }

    void expel(const HostId& host) override {
        if (const auto link = find(host))
            drop(link, "the host was removed");
    }

    // ---- handoff::Fleet -------------------------------------------------------------------------

    void start(const HostId& host, const handoff::StartOrder& order,
               handoff::Done<handoff::Started> done) override {
        const auto deadline = order.ready_deadline + settings_.image_deadline + settings_.slack;
        call(host, Start{order}, deadline, typed<handoff::Started>(host, started_from_json, done));
    }

    void attach(const HostId& host, const DesktopId& desktop, const DeskExport& desk,
                std::chrono::milliseconds deadline,
                handoff::Done<handoff::MountReport> done) override {
        call(host, Attach{desktop, desk, deadline}, deadline + settings_.slack,
             typed<handoff::MountReport>(host, mount_report_from_json, done));
    }

    void release(const HostId& host, const DesktopId& desktop, std::chrono::milliseconds grace,
                 std::chrono::milliseconds deadline, handoff::Done<void> done) override {
        call(host, Release{desktop, grace, deadline}, deadline + settings_.slack, empty(done));
    }

    void stop(const HostId& host, const DesktopId& desktop, handoff::Done<void> done) override {
        call(host, Stop{desktop}, settings_.call_deadline, empty(done));
    }

    void set_screen_password(const HostId& host, const DesktopId& desktop,
                             const std::string& password, WallTime until,
                             handoff::Done<void> done) override {
        call(host, SetScreenPassword{desktop, password, until}, settings_.call_deadline,
             empty(done));
    }

    void notify(const HostId& host, const DesktopId& desktop, const std::string& text,
                std::chrono::seconds countdown, bool may_defer, handoff::Done<void> done) override {
        call(host, Notify{desktop, text, countdown, may_defer}, settings_.call_deadline,
             empty(done));
    }

    void list(const HostId& host, handoff::Done<std::vector<DesktopInfo>> done) override {
        call(host, List{}, settings_.call_deadline,
             [this, life = life_, host, done](Result<boost::json::object> result) {
                 if (!result)
                     return done(tl::unexpected(result.error()));
                 auto desktops = desktops_from_json(*result);
                 if (!desktops)
                     return done(tl::unexpected(nonsense(host, desktops.error())));
                 if (*life != nullptr)
                     for (const auto& info : *desktops)
                         where_.try_emplace(info.id, host);
                 done(std::move(desktops));
             });
    }

  private:
    // ---- connections ----------------------------------------------------------------------------

    void greet(const std::shared_ptr<net::WebSocket>& socket) {
        auto link = std::make_shared<Link>();
        link->socket = socket;
        link->host = HostId(socket->peer().certificate_name);
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
        auto message = text.size() > max_message
                           ? Result<FromHost>(fail(Errc::invalid_argument, "a message over 4 MiB"))
                           : decode_from_host(text);
        if (!message) {
            spdlog::warn("{} said something ill-formed: {}", shown(*link), message.error().what);
            drop(link, "it said something ill-formed: " + message.error().what);
            return;
        }
        if (auto* hello = std::get_if<Hello>(&*message)) {
            welcome(link, *hello);
            return;
        }
        if (!link->facts)
            return drop(link, "its first words were no hello");
        std::visit(
            Overloaded{[](const Hello&) {}, [&](Reply& reply) { replied(*link, reply); },
                       [&](const DesktopGone& gone) {
                           where_.erase(gone.desktop);
                           if (events_ != nullptr)
                               events_->on_desktop_gone(link->host, gone.desktop, gone.why);
                       },
                       [&](const PersonAnswered& answered) {
                           if (may_speak_for(*link, answered.desktop))
                               events_->on_answer(answered.desktop, answered.now);
                       },
                       [&](const PersonLoggedOut& out) {
                           if (may_speak_for(*link, out.desktop))
                               events_->on_logged_out(out.desktop);
                       },
                       [&](Sampled& sampled) { take_reading(*link, std::move(sampled.reading)); },
                       [&](SharesTold& shares) { take_shares(*link, std::move(shares.told)); }},
            *message);
    }

    void take_shares(const Link& link, CpuSharesTold told) {
        std::erase_if(told.changes, [&](const CpuSharesTold::Change& change) {
            const auto where = where_.find(change.desktop);
            return where == where_.end() || where->second != link.host;
        });
        if (told_shares_)
            told_shares_(link.host, told);
    }

    void take_reading(const Link& link, monitor::Reading reading) {
        reading.host = link.host;
        reading.address = link.facts->address;
        for (monitor::DesktopReading& desktop : reading.desktops) {
            const auto where = where_.find(desktop.who.desktop);
            if (where != where_.end() && where->second == link.host)
                continue;
            // a VM that is not Baton's, or one that another host has: nobody's session
            desktop.who.desktop = {};
            desktop.who.session = {};
        }
        if (told_reading_)
            told_reading_(std::move(reading));
    }

    void welcome(const LinkPtr& link, const Hello& hello) {
        if (link->facts)
            return drop(link, "it said hello twice");
        if (auto admitted = admit(*link, hello); !admitted) {
            spdlog::warn("{} is turned away: {}", shown(*link), admitted.error().message());
            say(*link, Refused{admitted.error()});
            return drop(link, admitted.error().what);
        }
        clock_.cancel(link->hello_timer);
        std::erase(greeting_, link);
        if (const auto before = find(link->host))
            drop(before, "the host has connected anew");
        link->facts = hello.facts;
        links_[link->host] = link;
        say(*link, Welcome{protocol_version, settings_.version});
        if (events_ != nullptr)
            events_->on_host_up(hello.facts);
    }

    Result<void> admit(const Link& link, const Hello& hello) {
        const auto& peer = link.socket->peer();
        if (peer.certificate_name.empty())
            return fail(Errc::unauthenticated, "a host must show its certificate",
                        "join it with: baton-hostd join");
        if (hello.facts.id != link.host)
            return fail(Errc::forbidden, fmt::format("the certificate is for '{}', not for '{}'",
                                                     link.host.value, hello.facts.id.value));
        if (hello.protocol != protocol_version)
            return fail(Errc::unsupported,
                        fmt::format("the host speaks version {} of the link, this controller {}",
                                    hello.protocol, protocol_version),
                        "install the same version of Baton on both");
        return admit_(link.host, peer);
    }

    /// Forgets the link; calls that wait for it fail.
    void drop(const LinkPtr& link, const std::string& why) {
        if (link->closed)
            return;
        link->closed = true;
        clock_.cancel(link->hello_timer);
        std::erase(greeting_, link);
        link->socket->close();
        const auto pending = std::exchange(link->pending, {});
        for (const auto& [id, call] : pending) {
            clock_.cancel(call.timer);
            later(call.outcome,
                  fail(Errc::unavailable,
                       fmt::format("the connection to {} was lost: {}", link->host.value, why)));
        }
        const auto found = links_.find(link->host);
        if (found == links_.end() || found->second != link)
            return;
        links_.erase(found);
        spdlog::info("{} is away: {}", link->host.value, why);
        if (events_ != nullptr)
            events_->on_host_down(link->host, why);
    }

    [[nodiscard]] LinkPtr find(const HostId& host) const {
        const auto found = links_.find(host);
        return found == links_.end() ? nullptr : found->second;
    }

    static void say(const Link& link, const FromController& message) {
        link.socket->send(encode(message));
    }

    static std::string shown(const Link& link) {
        return fmt::format("the host '{}' at {}", link.host.value, link.socket->peer().address);
    }

    /// A host speaks for its own desktops alone: those that it was asked about, or listed first.
    [[nodiscard]] bool may_speak_for(const Link& link, const DesktopId& desktop) const {
        const auto found = where_.find(desktop);
        const bool own = found != where_.end() && found->second == link.host;
        if (!own)
            spdlog::warn("{} speaks for the desktop {}, which is not its own", shown(link),
                         desktop.value);
        return own && events_ != nullptr;
    }

    // ---- calls ----------------------------------------------------------------------------------

    void call(const HostId& host, const Call& what, std::chrono::milliseconds deadline,
              Outcome outcome) {
        const auto link = find(host);
        if (!link)
            return later(outcome, fail(Errc::unavailable,
                                       fmt::format("the host '{}' is not connected", host.value),
                                       "is baton-hostd running there?"));
        if (const auto desktop = desktop_of(what); !desktop.empty())
            where_[desktop] = host;
        if (std::holds_alternative<Stop>(what))
            outcome = [this, life = life_, desktop = desktop_of(what),
                       outcome = std::move(outcome)](Result<boost::json::object> result) {
                if (result && *life != nullptr)
                    where_.erase(desktop);
                outcome(std::move(result));
            };
        const auto id = ++link->last_id;
        Pending pending{std::string(method_of(what)), std::move(outcome), 0};
        const std::weak_ptr<Link> weak = link;
        pending.timer = clock_.after(deadline, [life = life_, weak, id] {
            const auto live = weak.lock();
            if (*life != nullptr && live)
                (*life)->expired(*live, id);
        });
        link->pending.emplace(id, std::move(pending));
        say(*link, Request{id, what});
    }

    void replied(Link& link, Reply& reply) {
        const auto found = link.pending.find(reply.id);
        if (found == link.pending.end()) {
            spdlog::debug("{} answers a call that nobody waits for any more", shown(link));
            return;
        }
        const auto call = std::move(found->second);
        link.pending.erase(found);
        clock_.cancel(call.timer);
        // At once: the next message may be an event that comes after what this answer says.
        if (reply.result)
            call.outcome(std::move(*reply.result));
        else
            call.outcome(
                tl::unexpected(reply.result.error().in(fmt::format("host {}", link.host.value))));
    }

    void expired(Link& link, std::uint64_t id) {
        const auto found = link.pending.find(id);
        if (found == link.pending.end())
            return;
        const auto call = std::move(found->second);
        link.pending.erase(found);
        call.outcome(fail(Errc::timeout, fmt::format("the host '{}' did not answer '{}' in time",
                                                     link.host.value, call.method)));
    }

    /// `done` is never called from inside a call.
    void later(const Outcome& outcome, Result<boost::json::object> result) {
        clock_.post(
            [outcome, result = std::move(result)]() mutable { outcome(std::move(result)); });
    }

    static Error nonsense(const HostId& host, const Error& why) {
        return Error{
            Errc::internal,
            fmt::format("the host '{}' gave an ill-formed answer: {}", host.value, why.what),
            "is it of the same version?", 0};
    }

    template <class T>
    static Outcome typed(const HostId& host, Result<T> (*read)(const boost::json::object&),
                         handoff::Done<T> done) {
        return [host, read, done = std::move(done)](Result<boost::json::object> result) {
            if (!result)
                return done(tl::unexpected(result.error()));
            auto value = read(*result);
            if (!value)
                return done(tl::unexpected(nonsense(host, value.error())));
            done(std::move(value));
        };
    }

    static Outcome empty(handoff::Done<void> done) {
        return [done = std::move(done)](Result<boost::json::object> result) {
            if (result)
                done({});
            else
                done(tl::unexpected(result.error()));
        };
    }

    handoff::Clock& clock_;
    const Admit admit_;
    const FleetSettings settings_;
    handoff::FleetEvents* events_ = nullptr;
    std::function<void(monitor::Reading)> told_reading_;
    std::function<void(const HostId&, const CpuSharesTold&)> told_shares_;
    std::shared_ptr<Links*> life_ = std::make_shared<Links*>(this);
    std::vector<LinkPtr> greeting_;
    std::map<HostId, LinkPtr> links_;
    std::map<DesktopId, HostId> where_; ///< whose word counts for a desktop
};

} // namespace

std::unique_ptr<HostFleet> HostFleet::make(handoff::Clock& clock, Admit admit,
                                           FleetSettings settings) {
    return std::make_unique<Links>(clock, std::move(admit), std::move(settings));
}

} // namespace baton::hostlink
