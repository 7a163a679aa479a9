#include "hostlink/operation.h"

#include <fmt/format.h>

#include <algorithm>

namespace baton::hostlink {

using hypervisor::DetachRefused;
using hypervisor::DiskDetached;
using hypervisor::Event;
using hypervisor::GuestSaid;
using hypervisor::Stopped;

void Operation::start(std::function<void(Answer)> done) {
    done_ = std::move(done);
    begin();
}

void Operation::event(const Event& event) {
    if (!finished_ && !cancelled_ && started())
        on_event(event);
}

void Operation::cancel(Error why) {
    if (finished_)
        return;
    cancelled_ = std::move(why);
    if (busy_ == 0 || abandon_calls_)
        finish(tl::unexpected(*cancelled_));
}

void Operation::deadline_after(std::chrono::milliseconds time) {
    auto& clock = bench_.ports().clock;
    if (timer_)
        clock.cancel(*timer_);
    timer_ = clock.after(time, [weak = weak_from_this()] {
        const auto self = weak.lock();
        if (!self || self->finished_ || self->cancelled_)
            return;
        self->timer_.reset();
        self->on_deadline();
    });
}

void Operation::finish(Answer answer) {
    if (finished_)
        return;
    finished_ = true;
    if (timer_)
        bench_.ports().clock.cancel(*timer_);
    auto done = std::exchange(done_, nullptr);
    if (done)
        done(std::move(answer));
}

namespace {

/// What the guest of `desktop` says in this event, or null.
template <class Said>
const Said* said(const Event& event, const DesktopId& desktop) {
    const auto* guest = std::get_if<GuestSaid>(&event);
    return guest != nullptr && guest->desktop == desktop ? std::get_if<Said>(&guest->message)
                                                         : nullptr;
}

/// An event of that kind about `desktop`, or null.
template <class Kind>
const Kind* about(const Event& event, const DesktopId& desktop) {
    const auto* found = std::get_if<Kind>(&event);
    return found != nullptr && found->desktop == desktop ? found : nullptr;
}

std::string seconds(std::chrono::milliseconds time) {
    return fmt::format("{:.3g} s", std::chrono::duration<double>(time).count());
}

// ---- start --------------------------------------------------------------------------------------

class StartOperation : public Operation {
  public:
    StartOperation(Bench& bench, handoff::StartOrder order)
        : Operation(bench, order.desktop), order_(std::move(order)) {}

    [[nodiscard]] bool droppable() const override { return !at_hypervisor_; }

    [[nodiscard]] std::optional<DesktopInfo> starting() const override {
        if (!at_hypervisor_)
            return std::nullopt;
        DesktopInfo info;
        info.id = desktop_;
        info.session = order_.session;
        info.image = order_.image;
        info.memory = order_.memory;
        return info;
    }

  protected:
    void begin() override {
        abandon_calls_ = true; // a download is nobody's alone
        blocking(
            bench_.ports().slow, "images",
            [&images = bench_.ports().images, id = order_.image] { return images.ensure(id); },
            [this](Result<osimage::LocalImage> image) {
                abandon_calls_ = false;
                if (image)
                    start_machine(std::move(*image));
                else
                    finish(tl::unexpected(image.error().in(
                        fmt::format("bringing the OS image {} here", order_.image.value))));
            });
    }

    void on_event(const Event& event) override {
        const auto* hello = said<guest::Hello>(event, desktop_);
        if (said<guest::Ready>(event, desktop_) != nullptr || (hello != nullptr && hello->ready)) {
            guest_ready_ = true;
            ready_if_running();
        } else if (const auto* stopped = about<Stopped>(event, desktop_)) {
            give_up(Error{Errc::unavailable,
                          fmt::format("the desktop {} ended while it was starting: {}",
                                      desktop_.value, stopped->reason),
                          "", 0});
        }
    }

    void on_deadline() override {
        give_up(Error{Errc::timeout,
                      fmt::format("the desktop {} did not say that it is ready within {}",
                                  desktop_.value, seconds(order_.ready_deadline)),
                      "", 0});
    }

  private:
    void start_machine(osimage::LocalImage image) {
        if (order_.memory < image.minimum_memory) {
            finish(fail(Errc::invalid_argument,
                        fmt::format("the OS image {} needs {}, and the desktop {} has {}",
                                    order_.image.value, to_string(image.minimum_memory),
                                    desktop_.value, to_string(order_.memory)),
                        "allow fewer levels, or use a smaller OS image"));
            return;
        }
        at_hypervisor_ = true;
        speaks_ = image.has_guest_agent;
        bench_.expect(order_);
        hypervisor::DesktopSpec spec;
        spec.id = desktop_;
        spec.session = order_.session;
        spec.person = order_.person;
        spec.image = std::move(image);
        spec.memory = order_.memory;
        spec.screen_password = order_.screen_password;
        spec.screen_password_until = order_.screen_password_until;
        auto& hypervisor = bench_.ports().hypervisor;
        call([&hypervisor, screens = bench_.screens(), spec,
              ticket = order_.screen_ticket] { return screens.start(hypervisor, spec, ticket); },
             [this](Result<DesktopInfo> info) {
                 if (!info) {
                     bench_.forget(desktop_);
                     finish(tl::unexpected(info.error()));
                     return;
                 }
                 running_ = *info;
                 if (info->guest_ready || bench_.ready(desktop_)) {
                     // Perhaps it got ready under an agent that died before it could say so.
                     guest_ready_ = true;
                     bench_.identify(desktop_);
                 }
                 deadline_after(order_.ready_deadline);
                 ready_if_running();
                 if (!finished())
                     ask();
             });
    }

    /// A desktop that an agent before this one started may have said it long ago.
    void ask() {
        auto& hypervisor = bench_.ports().hypervisor;
        call([&hypervisor, id = desktop_] { return hypervisor.send(id, guest::Ask{}); },
             [](const Result<void>&) {}); // not there yet: it will say hello by itself
    }

    void ready_if_running() {
        if (running_ && (guest_ready_ || !speaks_))
            finish(to_json(handoff::Started{bench_.screens().shown(*running_), running_->memory}));
    }

    /// Stops the machine; the error gets the tail of the guest's console, which dies with it.
    void give_up(Error why) {
        if (giving_up_)
            return;
        giving_up_ = true;
        bench_.expect_end(desktop_, true);
        auto& hypervisor = bench_.ports().hypervisor;
        call(
            [&hypervisor, screens = bench_.screens(), id = desktop_,
             quote = bench_.settings().console_quote] {
                auto tail = hypervisor.console_tail(id, quote).value_or("");
                return std::pair(std::move(tail), screens.stop(hypervisor, id));
            },
            [this, why](std::pair<std::string, Result<void>> outcome) mutable {
                why.hint = outcome.first.empty()
                               ? "its console shows nothing; does its OS image have baton-guest?"
                               : "its console ends with:\n" + outcome.first;
                if (!outcome.second)
                    why.what += "; and stopping it failed: " + outcome.second.error().what;
                else
                    bench_.forget(desktop_);
                finish(tl::unexpected(why));
            });
    }

    const handoff::StartOrder order_;
    std::optional<DesktopInfo> running_;
    bool at_hypervisor_ = false;
    bool speaks_ = true;
    bool guest_ready_ = false;
    bool giving_up_ = false;
};

// ---- attach -------------------------------------------------------------------------------------

class AttachOperation : public Operation {
  public:
    AttachOperation(Bench& bench, Attach order)
        : Operation(bench, order.desktop),
          order_(std::move(order)),
          disk_{order_.desk, bench.settings().desk_tls} {}

  protected:
    void begin() override {
        deadline_after(order_.deadline);
        auto& hypervisor = bench_.ports().hypervisor;
        call(
            [&hypervisor, id = desktop_, disk = disk_] { return hypervisor.attach_disk(id, disk); },
            [this](const Result<void>& plugged) {
                if (!plugged) {
                    finish(tl::unexpected(plugged.error()));
                    return;
                }
                plugged_ = true;
                mount();
            });
    }

    void on_event(const Event& event) override {
        if (const auto* mounted = said<guest::Mounted>(event, desktop_)) {
            if (plugged_ && mounted->fence == order_.desk.fence.value)
                finish(
                    to_json(handoff::MountReport{std::max<std::int64_t>(mounted->free_bytes, 0)}));
        } else if (const auto* failed = said<guest::Failed>(event, desktop_)) {
            if (failed->command == "mount" && plugged_)
                finish(fail(Errc::io,
                            fmt::format("the desktop {} cannot mount the desk '{}': {}",
                                        desktop_.value, order_.desk.desk.value, failed->reason)));
        } else if (said<guest::Hello>(event, desktop_) != nullptr) {
            if (plugged_)
                mount(); // it has forgotten what it was told before
        } else if (const auto* stopped = about<Stopped>(event, desktop_)) {
            finish(fail(Errc::unavailable,
                        fmt::format("the desktop {} ended: {}", desktop_.value, stopped->reason)));
        }
    }

    void on_deadline() override {
        finish(fail(Errc::timeout,
                    fmt::format("the desktop {} did not mount the desk '{}' within {}",
                                desktop_.value, order_.desk.desk.value, seconds(order_.deadline))));
    }

  private:
    void mount() {
        auto& hypervisor = bench_.ports().hypervisor;
        const guest::Mount message{disk_.serial(), order_.desk.fence.value, order_.desk.read_only};
        call([&hypervisor, id = desktop_, message] { return hypervisor.send(id, message); },
             [this](const Result<void>& sent) {
                 // Unavailable: its port is not open now; it says hello when it is.
                 if (!sent && sent.error().code != Errc::unavailable)
                     finish(tl::unexpected(sent.error()));
             });
    }

    const Attach order_;
    const hypervisor::DeskDisk disk_;
    bool plugged_ = false;
};

// ---- release ------------------------------------------------------------------------------------

class ReleaseOperation : public Operation {
  public:
    ReleaseOperation(Bench& bench, Release order)
        : Operation(bench, order.desktop), order_(std::move(order)) {}

  protected:
    void begin() override {
        deadline_after(order_.deadline);
        look([this] { ask_guest(); });
    }

    void on_event(const Event& event) override {
        if (about<Stopped>(event, desktop_) != nullptr) {
            finish(boost::json::object()); // nothing is attached to what is gone
        } else if (const auto* detached = about<DiskDetached>(event, desktop_)) {
            if (detached->fence == fence_)
                finish(boost::json::object());
        } else if (const auto* refused = about<DetachRefused>(event, desktop_)) {
            if (step_ != Step::detaching || refused->fence != fence_)
                return;
            if (++refusals_ < most_refusals)
                detach();
            else
                finish(busy(refused->reason));
        } else if (step_ == Step::asking && said<guest::Released>(event, desktop_) != nullptr) {
            detach();
        } else if (step_ == Step::asking && said<guest::Hello>(event, desktop_) != nullptr) {
            ask_guest(); // it has forgotten what it was told before
        } else if (const auto* failed = said<guest::Failed>(event, desktop_)) {
            if (step_ == Step::asking && failed->command == "release")
                finish(busy(failed->reason));
        }
    }

    void on_deadline() override {
        finish(
            fail(Errc::timeout, fmt::format("the desktop {} did not let go of its desk within {}",
                                            desktop_.value, seconds(order_.deadline))));
    }

  private:
    static constexpr unsigned most_refusals = 3;
    enum class Step : std::uint8_t { looking, asking, detaching };

    [[nodiscard]] Answer busy(const std::string& reason) const {
        return fail(Errc::busy, fmt::format("the desktop {} does not let go of its desk: {}",
                                            desktop_.value, reason));
    }

    /// Ends with success if no desk is attached (any more), otherwise goes on.
    void look(std::function<void()> go_on) {
        auto& hypervisor = bench_.ports().hypervisor;
        call([&hypervisor] { return hypervisor.list(); },
             [this, go_on = std::move(go_on)](const Result<std::vector<DesktopInfo>>& list) {
                 if (!list) {
                     finish(tl::unexpected(list.error()));
                     return;
                 }
                 const auto found =
                     std::find_if(list->begin(), list->end(),
                                  [this](const DesktopInfo& info) { return info.id == desktop_; });
                 if (found == list->end() || !found->desk_attached) {
                     finish(boost::json::object());
                     return;
                 }
                 fence_ = found->desk_fence;
                 go_on();
             });
    }

    void ask_guest() {
        step_ = Step::asking;
        auto& hypervisor = bench_.ports().hypervisor;
        const guest::Release message{order_.grace.count()};
        call([&hypervisor, id = desktop_, message] { return hypervisor.send(id, message); },
             [this](const Result<void>& sent) {
                 if (!sent && sent.error().code == Errc::not_found)
                     finish(boost::json::object());
                 else if (!sent && sent.error().code != Errc::unavailable)
                     finish(tl::unexpected(sent.error()));
             });
    }

    void detach() {
        step_ = Step::detaching;
        auto& hypervisor = bench_.ports().hypervisor;
        call([&hypervisor, id = desktop_] { return hypervisor.detach_disk(id); },
             [this](const Result<void>& asked) {
                 if (!asked && asked.error().code == Errc::not_found)
                     finish(boost::json::object());
                 else if (!asked)
                     finish(tl::unexpected(asked.error()));
                 else
                     look([] {}); // it may have been out already: then no event comes
             });
    }

    const Release order_;
    Step step_ = Step::looking;
    FencingNumber fence_;
    unsigned refusals_ = 0;
};

// ---- stop ---------------------------------------------------------------------------------------

class StopOperation : public Operation {
  public:
    using Operation::Operation;

    [[nodiscard]] bool is_stop() const override { return true; }

  protected:
    void begin() override {
        bench_.expect_end(desktop_, true);
        auto& hypervisor = bench_.ports().hypervisor;
        call([&hypervisor, screens = bench_.screens(),
              id = desktop_] { return screens.stop(hypervisor, id); },
             [this](const Result<void>& stopped) {
                 if (stopped) {
                     bench_.forget(desktop_);
                     finish(boost::json::object());
                 } else {
                     bench_.expect_end(desktop_, false);
                     finish(tl::unexpected(stopped.error()));
                 }
             });
    }
};

// ---- one call each ------------------------------------------------------------------------------

class OneCall : public Operation {
  public:
    OneCall(Bench& bench, DesktopId desktop,
            std::function<Result<void>(hypervisor::Hypervisor&)> work)
        : Operation(bench, std::move(desktop)), work_(std::move(work)) {}

  protected:
    void begin() override {
        call([&hypervisor = bench_.ports().hypervisor,
              work = std::move(work_)] { return work(hypervisor); },
             [this](const Result<void>& done) {
                 if (done)
                     finish(boost::json::object());
                 else
                     finish(tl::unexpected(done.error()));
             });
    }

  private:
    std::function<Result<void>(hypervisor::Hypervisor&)> work_;
};

} // namespace

std::shared_ptr<Operation> make_operation(Bench& bench, const Call& call) {
    if (const auto* start = std::get_if<Start>(&call))
        return std::make_shared<StartOperation>(bench, start->order);
    if (const auto* attach = std::get_if<Attach>(&call))
        return std::make_shared<AttachOperation>(bench, *attach);
    if (const auto* release = std::get_if<Release>(&call))
        return std::make_shared<ReleaseOperation>(bench, *release);
    if (const auto* stop = std::get_if<Stop>(&call))
        return std::make_shared<StopOperation>(bench, stop->desktop);
    if (const auto* password = std::get_if<SetScreenPassword>(&call))
        return std::make_shared<OneCall>(
            bench, password->desktop, [order = *password](hypervisor::Hypervisor& hypervisor) {
                return hypervisor.set_screen_password(order.desktop, order.password, order.until);
            });
    if (const auto* notify = std::get_if<Notify>(&call))
        return std::make_shared<OneCall>(
            bench, notify->desktop, [order = *notify](hypervisor::Hypervisor& hypervisor) {
                return hypervisor.send(
                    order.desktop,
                    guest::Notify{order.text, order.countdown.count(), order.may_defer});
            });
    return nullptr;
}

} // namespace baton::hostlink
