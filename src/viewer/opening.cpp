#include "viewer/opening.h"

#include "net/http.h"
#include "net/json.h"

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

namespace baton::viewer {

namespace json = boost::json;

namespace {

constexpr std::chrono::seconds pause_before_the_next_try{5};

/// One person at the controller. Blocking.
class Controller {
  public:
    Controller(std::string url, const std::string& authority) {
        settings_.url = std::move(url);
        settings_.tls.authority = authority;
        settings_.timeout = std::chrono::minutes(6); // a desktop may have to start
    }

    Result<json::object> ask(const std::string& method, const std::string& target,
                             const json::object& words = {}) {
        if (!client_) {
            auto made = net::make_client(settings_);
            if (!made)
                return tl::unexpected(made.error());
            client_ = std::move(*made);
        }
        const auto answer =
            client_->request(method, target, method == "GET" ? "" : json::serialize(words));
        if (!answer)
            return tl::unexpected(answer.error());
        if (answer->status >= 400)
            return tl::unexpected(net::error_from_response(*answer));
        return net::parse_object(answer->body, "the controller's answer");
    }

    Result<void> log_in(const rfb::Credentials& who) {
        const auto answer =
            ask("POST", "/v1/login", {{"name", who.user}, {"password", who.password}});
        if (!answer)
            return tl::unexpected(answer.error());
        net::Fields fields(*answer, "the controller's answer");
        settings_.bearer_token = fields.text("token");
        client_.reset();
        return fields.finish();
    }

    Result<bool> at_work(const std::string& user) {
        const auto answer = ask("GET", "/v1/sessions");
        if (!answer)
            return tl::unexpected(answer.error());
        net::Fields fields(*answer, "the controller's answer");
        bool found = false;
        for (const json::value& one : fields.array("sessions"))
            if (const auto* session = one.if_object())
                found = found || net::Fields(*session, "a session").text_or("user", "") == user;
        BATON_TRY(fields.finish());
        return found;
    }

    Result<OpeningState> images() {
        const auto answer = ask("GET", "/v1/os-images");
        if (!answer)
            return tl::unexpected(answer.error());
        OpeningState state;
        net::Fields fields(*answer, "the controller's answer");
        const std::string preferred = fields.text_or("default", "");
        for (const json::value& one : fields.array("os_images")) {
            const auto* image = one.if_object();
            if (image == nullptr)
                continue;
            net::Fields its(*image, "an OS image");
            // by its name, which is the newest of its versions
            const std::string name = its.text_or("name", "");
            auto known = std::ranges::find(state.images, name);
            if (known == state.images.end())
                known = state.images.insert(known, name);
            if (its.text_or("id", "") == preferred || name == preferred)
                state.preferred = static_cast<std::size_t>(known - state.images.begin());
        }
        BATON_TRY(fields.finish());
        return state;
    }

  private:
    net::ClientSettings settings_;
    std::unique_ptr<net::Client> client_;
};

bool may_pass(const Error& why) {
    return why.code == Errc::refused || why.code == Errc::full || why.code == Errc::unavailable ||
           why.code == Errc::timeout || why.code == Errc::busy;
}

} // namespace

/// What an errand that nobody waits for any more may still hold.
struct Opening::Shared {
    std::string url;
    std::string authority;

    std::mutex mutex;
    std::condition_variable changed;
    std::function<void()> wake; ///< empty: nobody is there
    std::uint64_t turn = 0;
    OpeningState state;
    rfb::Credentials who;

    /// false: somebody has begun anew, and nothing is set.
    bool set(std::uint64_t of_turn, OpeningState now) {
        const std::lock_guard lock(mutex);
        if (turn != of_turn)
            return false;
        state = std::move(now);
        if (wake)
            wake();
        return true;
    }

    void fail(std::uint64_t of_turn, const Error& why) {
        set(of_turn, {OpeningState::Stage::idle, {}, 0, why});
    }

    /// The same again after a pause. false: somebody has begun anew.
    bool wait(std::uint64_t of_turn, const Error& why) {
        if (!set(of_turn, {OpeningState::Stage::working, {}, 0, why}))
            return false;
        std::unique_lock lock(mutex);
        return !changed.wait_for(lock, pause_before_the_next_try, [&] { return turn != of_turn; });
    }

    Result<OpeningState> look(const rfb::Credentials& person) const {
        Controller controller(url, authority);
        BATON_TRY(controller.log_in(person));
        auto images = controller.images();
        if (!images)
            return images;
        const auto at_work = controller.at_work(person.user);
        if (!at_work)
            return tl::unexpected(at_work.error());
        const bool choice = images->images.size() > 1 && !*at_work;
        images->stage = choice ? OpeningState::Stage::choosing : OpeningState::Stage::opened;
        return images;
    }

    Result<OpeningState> open(const rfb::Credentials& person, const std::string& image) const {
        Controller controller(url, authority);
        BATON_TRY(controller.log_in(person));
        BATON_TRY(controller.ask("POST", "/v1/sessions", {{"image", image}, {"route", "gateway"}}));
        return OpeningState{OpeningState::Stage::opened, {}, 0, std::nullopt};
    }
};

Opening::Opening(std::string controller, std::string authority, std::function<void()> wake)
    : shared_(std::make_shared<Shared>()) {
    shared_->url = std::move(controller);
    shared_->authority = std::move(authority);
    shared_->wake = std::move(wake);
}

Opening::~Opening() {
    {
        const std::lock_guard lock(shared_->mutex);
        ++shared_->turn;
        shared_->wake = {};
    }
    shared_->changed.notify_all();
}

void Opening::begin(const rfb::Credentials& credentials) {
    cancel();
    std::uint64_t turn = 0;
    {
        const std::lock_guard lock(shared_->mutex);
        shared_->who = credentials;
        shared_->state.stage = OpeningState::Stage::working;
        turn = shared_->turn;
    }
    // an answer may take minutes, and nobody who cancels waits for it
    std::thread([shared = shared_, credentials, turn] {
        for (;;) {
            auto found = shared->look(credentials);
            if (found) {
                shared->set(turn, std::move(*found));
                return;
            }
            if (!may_pass(found.error())) {
                shared->fail(turn, found.error());
                return;
            }
            if (!shared->wait(turn, found.error()))
                return;
        }
    }).detach();
}

void Opening::choose(const std::string& image) {
    std::uint64_t turn = 0;
    rfb::Credentials who;
    {
        const std::lock_guard lock(shared_->mutex);
        turn = ++shared_->turn;
        who = shared_->who;
        shared_->state = {OpeningState::Stage::working, {}, 0, std::nullopt};
    }
    shared_->changed.notify_all();
    std::thread([shared = shared_, who = std::move(who), image, turn] {
        for (;;) {
            auto opened = shared->open(who, image);
            if (opened) {
                shared->set(turn, std::move(*opened));
                return;
            }
            if (!may_pass(opened.error())) {
                shared->fail(turn, opened.error());
                return;
            }
            if (!shared->wait(turn, opened.error()))
                return;
        }
    }).detach();
}

void Opening::cancel() {
    {
        const std::lock_guard lock(shared_->mutex);
        ++shared_->turn;
        shared_->state = {};
    }
    shared_->changed.notify_all();
}

OpeningState Opening::state() const {
    const std::lock_guard lock(shared_->mutex);
    return shared_->state;
}

} // namespace baton::viewer
