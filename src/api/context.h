#pragma once

#include "api/accounts.h"
#include "api/api.h"
#include "api/client_orders.h"
#include "api/fields.h"
#include "api/routes.h"
#include "api/throttle.h"

#include <boost/json/value.hpp>

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

/// What the groups of routes share. Inside api/ only; everything here runs on the executor.
namespace baton::api {

/// One request under way. Answered exactly once: a call that is dropped unanswered says 500.
class Call {
  public:
    Call(net::Request what, net::Respond how)
        : request(std::move(what)), respond_(std::move(how)) {}

    ~Call() {
        if (respond_)
            respond_(net::error_response(
                Error{Errc::internal, "the request was dropped without an answer", "", 0}));
    }

    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

    net::Request request;
    const Route* route = nullptr;
    std::vector<std::string> parameters;
    Caller caller;

    void answer(net::Response response) {
        if (auto respond = std::exchange(respond_, nullptr))
            respond(std::move(response));
    }

    void answer(const Error& error) { answer(net::error_response(error)); }

    void answer(const boost::json::value& value, int status = 200);

    /// The value as JSON, or the error.
    template <class T>
    void answer(const Result<T>& result, int status = 200) {
        if (result)
            answer(boost::json::value(*result), status);
        else
            answer(result.error());
    }

    [[nodiscard]] bool over_others() const {
        return caller.asker == Asker::operator_ || caller.asker == Asker::admin;
    }

    [[nodiscard]] bool is_admin() const { return caller.asker == Asker::admin; }

    /// Takes the answer over: the call counts as answered.
    net::Respond release() { return std::exchange(respond_, nullptr); }

    [[nodiscard]] bool answered() const { return !respond_; }

  private:
    net::Respond respond_;
};

using CallPtr = std::shared_ptr<Call>;
using Handlers = std::map<RouteId, std::function<void(const CallPtr&)>>;

struct Context {
    Services services;
    Settings settings;
    Accounts accounts;
    Throttle by_name;
    Throttle by_address;
    std::set<DeskName> desks_in_work; ///< a background call for it is under way
    ClientOrders client_orders;       ///< and who of the PCs may ask for them
    unsigned hashing = 0;             ///< password hashes under way or waiting
    std::uint64_t last_event = 0;     ///< a number that the event log has reached at least
    /// Says that the event log grew; wakes those that wait for it.
    std::function<void()> events_grew = [] {};
    /// Says that the person of a session has shown that they are there.
    std::function<void(const SessionId&)> person_came = [](const SessionId&) {};

    Context(const Services& given, Settings wanted);

    /// Appends one event of the API's own.
    Result<void> tell(std::string kind, const std::string& subject, std::string text);

    /// Runs `work` in the background and `then` with its result back on the executor.
    template <class T>
    void in_background(std::function<Result<T>()> work, std::function<void(Result<T>)> then) {
        services.background([this, work = std::move(work), then = std::move(then)] {
            auto result = std::make_shared<Result<T>>(work());
            services.clock.post([then, result] { then(std::move(*result)); });
        });
    }
};

/// Answers `call` with 202 and what `meanwhile` says after `wait`, unless it has been answered by
/// then. With no wait: after everything that the calls made now have posted, so that an operation
/// that fails at once is told as failed.
handoff::Clock::TimerId answer_meanwhile(Context& context, const CallPtr& call,
                                         std::chrono::seconds wait,
                                         std::function<Result<boost::json::value>()> meanwhile);

/// Answers `call` with what the returned `done` is given, as `shown` turns it into JSON, or after
/// `wait` as answer_meanwhile does. `done` may come after the answer.
template <class T>
handoff::Done<T> answer_within(Context& context, const CallPtr& call, std::chrono::seconds wait,
                               std::function<Result<boost::json::value>(const Result<T>&)> shown,
                               std::function<Result<boost::json::value>()> meanwhile) {
    const auto timer = answer_meanwhile(context, call, wait, std::move(meanwhile));
    return [&context, call, timer, shown = std::move(shown)](const Result<T>& result) {
        context.services.clock.cancel(timer);
        if (call->answered())
            return;
        if (result)
            call->answer(shown(result));
        else
            call->answer(result.error());
    };
}

/// The query's "wait" in seconds: 0 (answer at once) to `longest_wait`.
inline constexpr std::int64_t longest_wait = 300;
Result<std::chrono::seconds> wait_of(const net::Request& request);

void add_account_routes(Context& context, Handlers& handlers);
void add_session_routes(Context& context, Handlers& handlers);
void add_host_routes(Context& context, Handlers& handlers);
class Prestarter;
void add_client_routes(Context& context, Prestarter& prestarter, Handlers& handlers);
void add_client_order_routes(Context& context, Handlers& handlers);
void add_client_phase_routes(Context& context, Handlers& handlers);
void add_desk_routes(Context& context, Handlers& handlers);
void add_image_routes(Context& context, Handlers& handlers);
void add_event_routes(Context& context, Handlers& handlers);
void add_reading_routes(Context& context, Handlers& handlers);
void add_history_routes(Context& context, Handlers& handlers);

} // namespace baton::api
