#include "hostlink/agent.h"

#include "hostlink/operation.h"
#include "hostlink/protocol.h"
#include "hostlink/shares.h"
#include "model/overloaded.h"
#include "net/digest.h"

#include <boost/json/parse.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <deque>
#include <map>
#include <vector>

namespace baton::hostlink {

namespace {

using hypervisor::ConnectionChanged;
using hypervisor::Event;
using hypervisor::GuestSaid;
using hypervisor::Stopped;

/// What is remembered of a desktop while it runs.
struct Known {
    std::optional<handoff::StartOrder> order; ///< none: an agent before this one started it
    bool ready = false;
    bool end_wanted = false;
};

class HostAgent : public Agent, private Bench {
  public:
    HostAgent(const AgentPorts& ports, AgentSettings settings)
        : ports_(ports),
          settings_(std::move(settings)),
          screens_(settings_.screens),
          shares_({ports_.hypervisor, ports_.clock, ports_.quick,
                   [this](const CpuSharesTold& told) {
                       if (link_ && link_->welcomed)
                           say(SharesTold{told});
                   }},
                  settings_.cpu_shares) {
        screens_.begin();
        // Both ends of these may be gone when they come: events and messages wait on the executor.
        ports_.hypervisor.subscribe([life = life_, &clock = ports_.clock](const Event& event) {
            clock.post([life, event] {
                if (auto* agent = *life)
                    agent->happened(event);
            });
        });
        ports_.clock.post([life = life_] {
            if (auto* agent = *life)
                agent->look_around();
        });
    }

    ~HostAgent() override {
        *life_ = nullptr;
        link_.reset();
    }

    HostAgent(const HostAgent&) = delete;
    HostAgent& operator=(const HostAgent&) = delete;

    void serve(std::shared_ptr<net::WebSocket> link, std::function<void(LinkEnd)> ended) override {
        ports_.clock.post([life = life_, link = std::move(link), ended = std::move(ended)] {
            if (auto* agent = *life)
                agent->open(link, ended);
        });
    }

    void report(monitor::Reading reading) override {
        ports_.clock.post([life = life_, reading = std::move(reading)]() mutable {
            auto* agent = *life;
            if (agent == nullptr)
                return;
            agent->shares_.take(reading);
            if (agent->link_ && agent->link_->welcomed)
                agent->say_sampled(std::move(reading));
        });
    }

  private:
    struct Link {
        std::shared_ptr<net::WebSocket> socket;
        std::function<void(LinkEnd)> ended;
        bool welcomed = false;
        bool refused = false;
        std::uint64_t last_id = 0;
        Error why;
    };

    struct Queued {
        std::shared_ptr<Operation> operation;
        std::uint64_t id = 0;
        std::weak_ptr<Link> link; ///< that the answer goes to
    };

    using Queue = std::deque<Queued>;

    // ---- Bench ----------------------------------------------------------------------------------

    [[nodiscard]] const AgentPorts& ports() const override { return ports_; }

    [[nodiscard]] const AgentSettings& settings() const override { return settings_; }

    [[nodiscard]] const Screens& screens() const override { return screens_; }

    [[nodiscard]] bool ready(const DesktopId& desktop) const override {
        const auto found = known_.find(desktop);
        return found != known_.end() && found->second.ready;
    }

    void expect(const handoff::StartOrder& order) override { known_[order.desktop].order = order; }

    void expect_end(const DesktopId& desktop, bool wanted) override {
        if (const auto found = known_.find(desktop); found != known_.end())
            found->second.end_wanted = wanted;
    }

    void forget(const DesktopId& desktop) override { known_.erase(desktop); }

    // ---- the link -------------------------------------------------------------------------------

    void open(const std::shared_ptr<net::WebSocket>& socket,
              const std::function<void(LinkEnd)>& ended) {
        if (link_)
            close_link(Error{Errc::cancelled, "another link took its place", "", 0});
        link_ = std::make_shared<Link>();
        link_->socket = socket;
        link_->ended = ended;
        const std::weak_ptr<Link> weak = link_;
        auto& clock = ports_.clock;
        const auto on_executor = [&clock, life = life_, weak](auto action) {
            clock.post([life, weak, action = std::move(action)] {
                const auto link = weak.lock();
                if (*life != nullptr && link != nullptr && (*life)->link_ == link)
                    action(**life);
            });
        };
        socket->listen(
            [on_executor](std::string text) {
                on_executor([text = std::move(text)](HostAgent& agent) { agent.heard(text); });
            },
            [on_executor](std::string reason) {
                on_executor([reason = std::move(reason)](HostAgent& agent) {
                    agent.close_link(Error{Errc::unavailable, reason, "", 0});
                });
            });
        say(Hello{protocol_version, settings_.facts});
    }

    void say(const FromHost& message) {
        if (link_)
            link_->socket->send(encode(message));
    }

    void say_sampled(monitor::Reading reading) {
        Sampled sampled{std::move(reading)};
        std::string text = encode(sampled);
        if (text.size() > max_message) { // some thousand desktops: their sums are what counts
            for (monitor::DesktopReading& desktop : sampled.reading.desktops) {
                desktop.rates.disks.clear();
                desktop.rates.interfaces.clear();
            }
            text = encode(sampled);
        }
        if (text.size() <= max_message)
            link_->socket->send(std::move(text));
    }

    void close_link(Error why) {
        const auto link = std::exchange(link_, nullptr);
        link->socket->close();
        drop_what_has_not_begun();
        if (link->ended)
            link->ended(LinkEnd{link->welcomed, link->refused ? link->why : std::move(why)});
    }

    void heard(const std::string& text) {
        if (text.size() > max_message)
            return close_link(Error{Errc::invalid_argument, "a message over 4 MiB", "", 0});
        auto message = decode_from_controller(text);
        if (!message) {
            // Requests that cannot be read are answered, if they have an id at all.
            spdlog::warn("the controller said something ill-formed: {}", message.error().what);
            answer_unreadable(text, message.error());
            return;
        }
        std::visit(Overloaded{[this](const Welcome& welcome) {
                                  link_->welcomed = true;
                                  spdlog::info("connected to batond {}", welcome.version);
                                  say(SharesTold{shares_.status()});
                              },
                              [this](const Refused& refused) {
                                  link_->refused = true;
                                  link_->why = refused.error;
                                  close_link(refused.error);
                              },
                              [this](const Request& request) { asked(request); }},
                   *message);
    }

    void answer_unreadable(const std::string& text, const Error& why) {
        boost::system::error_code ill;
        const auto value = boost::json::parse(text, ill);
        if (ill || !value.is_object())
            return;
        const auto* id = value.get_object().if_contains("id");
        if (id == nullptr || !(id->is_int64() || id->is_uint64()))
            return;
        boost::system::error_code none;
        say(Reply{id->to_number<std::uint64_t>(none), tl::unexpected(why)});
    }

    void asked(const Request& request) {
        if (!link_->welcomed || request.id <= link_->last_id) {
            spdlog::warn("a request before the welcome, or with a number used before: passed over");
            return;
        }
        link_->last_id = request.id;
        if (std::holds_alternative<List>(request.call)) {
            list(request.id);
            return;
        }
        enqueue(make_operation(*this, request.call), request.id);
    }

    // ---- operations -----------------------------------------------------------------------------

    void enqueue(std::shared_ptr<Operation> operation, std::uint64_t id) {
        const auto desktop = operation->desktop();
        auto& queue = queues_[desktop];
        if (operation->is_stop())
            cancel_before_stop(desktop);
        queue.push_back(Queued{std::move(operation), id, link_});
        if (queue.size() == 1)
            begin_first(desktop);
    }

    /// Whatever was asked of a desktop before is without object when it is to be stopped.
    void cancel_before_stop(const DesktopId& desktop) {
        const Error why{Errc::cancelled,
                        fmt::format("the desktop {} is being stopped", desktop.value), "", 0};
        const auto waiting = queues_.at(desktop); // a copy: cancelling takes from the queue
        for (auto it = waiting.rbegin(); it != waiting.rend(); ++it)
            if (!it->operation->is_stop())
                cancel(desktop, *it, why);
    }

    void cancel(const DesktopId& desktop, const Queued& queued, const Error& why) {
        if (queued.operation->started()) {
            queued.operation->cancel(why);
            return;
        }
        answer(queued, tl::unexpected(why));
        auto& queue = queues_.at(desktop);
        std::erase_if(queue,
                      [&](const Queued& other) { return other.operation == queued.operation; });
    }

    void begin_first(const DesktopId& desktop) {
        const auto operation = queues_.at(desktop).front().operation;
        operation->start([this, desktop](Answer outcome) {
            // Never from inside start(): the queue is being looked at.
            ports_.clock.post([life = life_, desktop, outcome = std::move(outcome)] {
                if (auto* agent = *life)
                    agent->ended(desktop, outcome);
            });
        });
    }

    void ended(const DesktopId& desktop, const Answer& outcome) {
        auto& queue = queues_.at(desktop);
        const auto first = queue.front();
        queue.pop_front();
        answer(first, outcome);
        if (queue.empty())
            queues_.erase(desktop);
        else
            begin_first(desktop);
    }

    void answer(const Queued& queued, const Answer& outcome) {
        if (link_ && queued.link.lock() == link_)
            say(Reply{queued.id, outcome});
    }

    /// The controller knows that its link is gone and begins anew on the next one.
    void drop_what_has_not_begun() {
        const Error why{Errc::cancelled, "the link was lost", "", 0};
        std::vector<DesktopId> desktops;
        desktops.reserve(queues_.size());
        for (const auto& [desktop, queue] : queues_)
            desktops.push_back(desktop);
        for (const auto& desktop : desktops) {
            const auto waiting = queues_.at(desktop);
            for (auto it = waiting.rbegin(); it != waiting.rend(); ++it)
                if (!it->operation->started() || it->operation->droppable())
                    cancel(desktop, *it, why);
        }
    }

    void list(std::uint64_t id) {
        const std::weak_ptr<Link> link = link_;
        ports_.quick(
            "", [life = life_, &hypervisor = ports_.hypervisor, &clock = ports_.clock, id, link] {
                auto desktops = hypervisor.list();
                clock.post([life, id, link, desktops = std::move(desktops)]() mutable {
                    auto* agent = *life;
                    if (agent == nullptr || agent->link_ == nullptr || link.lock() != agent->link_)
                        return;
                    if (!desktops)
                        agent->say(Reply{id, tl::unexpected(desktops.error())});
                    else
                        agent->say(Reply{id, to_json(agent->with_starting(std::move(*desktops)))});
                });
            });
    }

    /// A start whose machine the hypervisor does not show yet must not be taken for nothing.
    std::vector<DesktopInfo> with_starting(std::vector<DesktopInfo> desktops) {
        for (auto& info : desktops)
            info.screen = screens_.shown(info);
        for (const auto& [desktop, queue] : queues_) {
            const auto starting = queue.front().operation->starting();
            const bool shown =
                std::any_of(desktops.begin(), desktops.end(),
                            [&id = desktop](const DesktopInfo& info) { return info.id == id; });
            if (starting && !shown)
                desktops.push_back(*starting);
        }
        for (auto& info : desktops)
            info.guest_ready = info.guest_ready || ready(info.id);
        return desktops;
    }

    // ---- what happens ---------------------------------------------------------------------------

    void happened(const Event& event) {
        std::visit(
            Overloaded{[this](const GuestSaid& said) { guest_said(said); },
                       [this](const Stopped& stopped) { gone(stopped.desktop, stopped.reason); },
                       [this](const ConnectionChanged& changed) {
                           shares_.begin_anew();
                           if (changed.connected)
                               look_around();
                           else
                               spdlog::warn("the connection to libvirt is lost");
                       },
                       [](const auto&) {}},
            event);
        std::vector<std::shared_ptr<Operation>> operations;
        operations.reserve(queues_.size());
        for (const auto& [desktop, queue] : queues_)
            operations.push_back(queue.front().operation);
        for (const auto& operation : operations)
            operation->event(event);
    }

    void guest_said(const GuestSaid& said) {
        auto& known = known_[said.desktop];
        std::visit(Overloaded{[&](const guest::Hello& hello) {
                                  known.ready = hello.ready;
                                  identify(said.desktop);
                              },
                              [&](const guest::Ready&) {
                                  known.ready = true;
                                  begin(said.desktop);
                              },
                              [&](const guest::Answer& answered) {
                                  say(PersonAnswered{said.desktop, answered.now});
                              },
                              [&](const guest::LoggedOut&) { say(PersonLoggedOut{said.desktop}); },
                              [](const auto&) {}},
                   said.message);
    }

    /// Who gets no desk begins at once.
    void begin(const DesktopId& desktop) {
        const auto found = known_.find(desktop);
        if (found == known_.end() || !found->second.order || !found->second.order->without_desk)
            return;
        ports_.quick(desktop.value, [&hypervisor = ports_.hypervisor, desktop] {
            if (const auto sent = hypervisor.send(desktop, guest::Begin{}); !sent)
                spdlog::warn("cannot begin the session in the desktop {}: {}", desktop.value,
                             sent.error().message());
        });
    }

    /// Tells a guest who it is for, whenever it has just come up.
    void identify(const DesktopId& desktop) override {
        const auto found = known_.find(desktop);
        if (found == known_.end() || !found->second.order)
            return;
        const auto& order = *found->second.order;
        guest::Identify message;
        message.hostname = desktop.value;
        message.person = order.person.value;
        message.session = order.session.value;
        message.memory_mib = order.memory.count;
        message.os_image = order.image.value;
        message.random_seed_hex = net::random_hex(32);
        ports_.quick(desktop.value, [&hypervisor = ports_.hypervisor, &clock = ports_.clock,
                                     desktop, message]() mutable {
            message.unix_time_ms = clock.wall().time_since_epoch().count();
            if (const auto sent = hypervisor.send(desktop, message); !sent)
                spdlog::warn("cannot tell the desktop {} who it is for: {}", desktop.value,
                             sent.error().message());
        });
    }

    void gone(const DesktopId& desktop, const std::string& why) {
        const auto found = known_.find(desktop);
        const bool wanted = found != known_.end() && found->second.end_wanted;
        if (found != known_.end())
            known_.erase(found);
        drop_ticket(desktop);
        if (!wanted)
            say(DesktopGone{desktop, why});
    }

    /// In its turn: a start of the same desktop may be under way.
    void drop_ticket(const DesktopId& desktop) {
        ports_.quick(desktop.value, [screens = screens_, &hypervisor = ports_.hypervisor, desktop] {
            screens.ended(hypervisor, desktop);
        });
    }

    /// After the start, and when the hypervisor was away: what runs, and what does not any more.
    void look_around() {
        // Only what was there before the question can be missing in the answer.
        std::vector<DesktopId> expected;
        for (const auto& [desktop, known] : known_)
            if (!is_starting(desktop))
                expected.push_back(desktop);
        ports_.quick("", [life = life_, screens = screens_, &hypervisor = ports_.hypervisor,
                          &clock = ports_.clock, expected = std::move(expected)] {
            auto list = hypervisor.list();
            clock.post([life, expected, ticketed = screens.ticketed(), list = std::move(list)] {
                if (auto* agent = *life; agent != nullptr && list) {
                    agent->compare(expected, *list);
                    agent->drop_strays(ticketed);
                }
            });
        });
    }

    [[nodiscard]] bool is_starting(const DesktopId& desktop) const {
        const auto queue = queues_.find(desktop);
        return queue != queues_.end() && queue->second.front().operation->starting().has_value();
    }

    void compare(const std::vector<DesktopId>& expected, const std::vector<DesktopInfo>& list) {
        for (const auto& info : list) {
            auto& known = known_[info.id];
            known.ready = known.ready || info.guest_ready;
        }
        for (const auto& desktop : expected) {
            const bool listed = std::any_of(list.begin(), list.end(), [&](const DesktopInfo& info) {
                return info.id == desktop;
            });
            if (!listed && known_.contains(desktop))
                gone(desktop, "it was gone when the hypervisor came back");
        }
    }

    /// Tickets of desktops that ended while no agent looked; after compare().
    void drop_strays(const std::vector<DesktopId>& ticketed) {
        for (const auto& desktop : ticketed)
            if (!known_.contains(desktop))
                drop_ticket(desktop);
    }

    const AgentPorts ports_;
    const AgentSettings settings_;
    const Screens screens_;
    std::shared_ptr<HostAgent*> life_ = std::make_shared<HostAgent*>(this);
    std::shared_ptr<Link> link_;
    std::map<DesktopId, Known> known_;
    std::map<DesktopId, Queue> queues_;
    ShareKeeper shares_;
};

} // namespace

std::unique_ptr<Agent> Agent::make(const AgentPorts& ports, AgentSettings settings) {
    return std::make_unique<HostAgent>(ports, std::move(settings));
}

} // namespace baton::hostlink
