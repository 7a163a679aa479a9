#include "guest/agent.h"

#include <algorithm>
#include <utility>

namespace baton::guest {

Agent::Agent(Machine& machine, GuestFacts facts) : machine_(machine), facts_(std::move(facts)) {
    show();
}

bool Agent::mounted() const {
    return state_ != State::idle && state_ != State::awaiting_disk && state_ != State::checking;
}

std::uint64_t Agent::mounted_fence() const {
    return mounted() ? desk_.fence : 0;
}

// ---- the host ----------------------------------------------------------------------------------

void Agent::hello() {
    machine_.send(Hello{protocol_version, facts_.agent_version, facts_.os_image, facts_.boot_id,
                        ready_, mounted_fence()});
}

void Agent::host_connected() {
    hello();
    if (ready_)
        machine_.send(Ready{});
}

void Agent::screen_drawn() {
    if (std::exchange(ready_, true))
        return;
    machine_.send(Ready{});
}

void Agent::host_said(std::string_view line) {
    const auto message = decode_to_guest(line);
    if (!message) {
        machine_.send(Failed{"message", message.error().message()});
        return;
    }
    std::visit([this](const auto& one) { handle(one); }, *message);
}

void Agent::handle(const Ask&) {
    hello();
    if (ready_)
        machine_.send(Ready{});
    if ((state_ == State::working || state_ == State::ended) && desk_.fence != 0)
        machine_.send(Mounted{desk_.fence, machine_.desk_free_bytes()});
}

void Agent::handle(const Identify& message) {
    identity_ = message;
    if (const auto set = machine_.set_identity(message); !set)
        machine_.send(Failed{"identify", set.error().message()});
    show();
}

void Agent::handle(const Notify& message) {
    notice_.reset();
    notice_until_.reset();
    if (!message.text.empty()) {
        notice_ = message;
        const auto seconds = std::min<std::int64_t>(message.seconds, std::int64_t{24} * 3600);
        if (seconds > 0)
            notice_until_ = machine_.now() + std::chrono::seconds(seconds);
    }
    show();
}

void Agent::person_answered(bool now) {
    if (!notice_ || !notice_->may_defer)
        return;
    machine_.send(Answer{now});
    notice_.reset();
    notice_until_.reset();
    show();
}

// ---- the desk comes ----------------------------------------------------------------------------

void Agent::handle(const Mount& message) {
    if (state_ != State::idle && message.fence == desk_.fence) {
        // asked again by a host that lost the answer; while it is under way the answer will come
        if (state_ == State::working || state_ == State::ended)
            machine_.send(Mounted{desk_.fence, machine_.desk_free_bytes()});
        return;
    }
    if (state_ != State::idle) {
        machine_.send(Failed{"mount", "the desk with the fencing number " +
                                          std::to_string(desk_.fence) + " is still here"});
        return;
    }
    if (message.fence == 0 || message.serial.empty()) {
        machine_.send(Failed{"mount", "a desk without a serial or a fencing number"});
        return;
    }
    if (identity_.person.empty()) {
        machine_.send(Failed{"mount", "nobody has been named yet; send 'identify' with a person"});
        return;
    }
    desk_ = message;
    trouble_.clear();
    state_ = State::awaiting_disk;
    deadline_ = machine_.now() + disk_deadline;
    look_for_disk();
    if (state_ == State::awaiting_disk)
        show();
}

void Agent::handle(const Begin&) {
    if (state_ != State::idle)
        return; // asked again by a host that has started anew; a desk that is here is better than
                // none
    if (identity_.person.empty()) {
        machine_.send(Failed{"begin", "nobody has been named yet; send 'identify' with a person"});
        return;
    }
    desk_ = {};
    trouble_.clear();
    if (const auto made = machine_.make_home(identity_.person); !made) {
        trouble_ = made.error().message();
        show();
        machine_.send(Failed{"begin", trouble_});
        return;
    }
    start_session();
}

void Agent::disks_changed() {
    if (state_ == State::awaiting_disk)
        look_for_disk();
}

void Agent::look_for_disk() {
    const auto device = machine_.find_disk(desk_.serial);
    if (!device)
        return;
    device_ = *device;
    const auto clean = machine_.file_system_is_clean(device_);
    if (!clean)
        return fail_mount(clean.error());
    if (*clean || desk_.read_only)
        return mount_now();
    if (const auto started = machine_.start_check(device_); !started)
        return fail_mount(started.error());
    state_ = State::checking;
    deadline_ = machine_.now() + check_deadline;
    show();
}

void Agent::check_finished(Result<void> outcome) {
    if (state_ != State::checking)
        return;
    if (!outcome)
        return fail_mount(outcome.error());
    mount_now();
}

void Agent::mount_now() {
    if (const auto done = machine_.mount_desk(device_, desk_.read_only, identity_.person); !done)
        return fail_mount(done.error());
    start_session();
}

void Agent::start_session() {
    state_ = State::starting;
    deadline_ = machine_.now() + session_deadline;
    show(); // before the session: its first picture has to have the strip of its desk
    if (const auto started = machine_.start_session(identity_.person); !started) {
        trouble_ = started.error().message();
        kill();
    }
}

void Agent::session_visible() {
    if (state_ != State::starting || !trouble_.empty())
        return;
    state_ = State::working;
    deadline_.reset();
    show();
    if (desk_.fence != 0)
        machine_.send(Mounted{desk_.fence, machine_.desk_free_bytes()});
}

void Agent::fail_mount(const Error& error) {
    trouble_ = error.message();
    state_ = State::idle;
    deadline_.reset();
    show();
    machine_.send(Failed{"mount", trouble_});
}

// ---- the desk goes -----------------------------------------------------------------------------

void Agent::handle(const Release& message) {
    const auto grace = std::min<std::chrono::milliseconds>(
        std::chrono::milliseconds(message.grace_ms), longest_grace);
    switch (state_) {
    case State::idle:
        machine_.send(Released{released_fence_});
        return;
    case State::checking:
        machine_.cancel_check();
        [[fallthrough]];
    case State::awaiting_disk:
        state_ = State::idle;
        deadline_.reset();
        released_fence_ = desk_.fence;
        show();
        machine_.send(Released{desk_.fence});
        return;
    case State::ended:
        let_go();
        return;
    case State::asking:
        deadline_ = std::min(deadline_.value_or(Moment::max()), machine_.now() + grace);
        break;
    case State::killing:
        return;
    case State::starting:
    case State::working:
        notice_.reset();
        notice_until_.reset();
        state_ = State::asking;
        deadline_ = machine_.now() + grace;
        if (grace > std::chrono::milliseconds::zero())
            machine_.ask_session_to_end(grace); // may already call session_ended
        break;
    }
    if (state_ != State::asking)
        return;
    if (*deadline_ <= machine_.now())
        kill();
    else
        show();
}

void Agent::kill() {
    state_ = State::killing;
    deadline_ = machine_.now() + kill_deadline;
    show();
    machine_.kill_session(); // may already call session_ended
}

void Agent::session_ended() {
    switch (state_) {
    case State::starting:
        trouble_ = "the session ended before anything of it was on the screen";
        let_go();
        return;
    case State::working:
        state_ = State::ended;
        notice_.reset();
        notice_until_.reset();
        show();
        machine_.send(LoggedOut{});
        return;
    case State::asking:
    case State::killing:
        let_go();
        return;
    case State::idle:
    case State::awaiting_disk:
    case State::checking:
    case State::ended:
        return;
    }
}

void Agent::let_go() {
    const bool never_started = !trouble_.empty();
    deadline_.reset();
    if (const auto done = machine_.unmount_desk(); !done) {
        state_ = State::ended; // still here: a further release tries again
        show();
        machine_.send(Failed{never_started ? "mount" : "release", done.error().message()});
        return;
    }
    state_ = State::idle;
    released_fence_ = desk_.fence;
    show();
    if (never_started)
        machine_.send(Failed{desk_.fence == 0 ? "begin" : "mount", trouble_});
    else
        machine_.send(Released{desk_.fence});
}

void Agent::shut_down() {
    if (state_ == State::checking)
        machine_.cancel_check();
    if (!mounted())
        return;
    state_ = State::killing;
    machine_.kill_session();
    if (mounted())
        let_go();
}

// ---- time --------------------------------------------------------------------------------------

void Agent::tick() {
    if (deadline_ && *deadline_ <= machine_.now()) {
        switch (state_) {
        case State::awaiting_disk:
            fail_mount(Error{Errc::timeout,
                             "no disk with the serial '" + desk_.serial + "' has appeared within " +
                                 std::to_string(disk_deadline.count()) + " s",
                             {},
                             0});
            break;
        case State::checking:
            machine_.cancel_check();
            fail_mount(Error{Errc::timeout,
                             "checking the desk's file system took longer than " +
                                 std::to_string(check_deadline.count()) + " min",
                             "check it with: baton desk check", 0});
            break;
        case State::starting:
            trouble_ = "nothing of the session was on the screen within " +
                       std::to_string(session_deadline.count()) + " s";
            kill();
            break;
        case State::asking:
            kill();
            break;
        case State::killing:
            let_go(); // who does not even die of SIGKILL waits for a disk; unmounting settles it
            break;
        case State::idle:
        case State::working:
        case State::ended:
            deadline_.reset();
            break;
        }
    }
    if (notice_until_ && *notice_until_ <= machine_.now()) {
        notice_until_.reset();
        if (notice_)
            notice_->may_defer = false; // too late to choose
    }
    show();
}

std::optional<std::int64_t> Agent::seconds_left() const {
    const std::optional<Moment> until = state_ == State::asking ? deadline_ : notice_until_;
    if (!until)
        return std::nullopt;
    const auto left = std::chrono::ceil<std::chrono::seconds>(*until - machine_.now());
    return std::max<std::int64_t>(left.count(), 0);
}

std::optional<Moment> Agent::next_deadline() const {
    std::optional<Moment> next = deadline_;
    const auto sooner = [&next](Moment moment) {
        if (!next || moment < *next)
            next = moment;
    };
    if (notice_until_)
        sooner(*notice_until_);
    if (const auto left = seconds_left(); left && *left > 0) {
        const Moment until = state_ == State::asking ? *deadline_ : *notice_until_;
        sooner(until - std::chrono::seconds(*left - 1)); // when the number on the screen changes
    }
    return next;
}

// ---- the screen --------------------------------------------------------------------------------

void Agent::show() {
    ScreenState now;
    switch (state_) {
    case State::idle:
        now.phase = trouble_.empty() ? ScreenState::Phase::waiting : ScreenState::Phase::failed;
        break;
    case State::awaiting_disk:
    case State::checking:
        now.phase = ScreenState::Phase::mounting;
        break;
    case State::starting:
    case State::working:
        now.phase = ScreenState::Phase::working;
        break;
    case State::ended:
        now.phase = ScreenState::Phase::ended;
        break;
    case State::asking:
    case State::killing:
        now.phase = ScreenState::Phase::closing;
        break;
    }
    now.person = identity_.person;
    now.hostname = identity_.hostname;
    now.os_image = facts_.os_image.empty() ? identity_.os_image : facts_.os_image;
    now.memory = facts_.memory.count > 0 ? facts_.memory : Mebibytes(identity_.memory_mib);
    now.fence = mounted_fence();
    now.trouble = trouble_;
    if (state_ == State::asking)
        now.message =
            ScreenMessage{"Your programs are being closed: save your work", seconds_left(), false};
    else if (notice_)
        now.message = ScreenMessage{notice_->text, seconds_left(), notice_->may_defer};
    if (shown_ == now)
        return;
    shown_ = now;
    machine_.show(now);
}

} // namespace baton::guest
