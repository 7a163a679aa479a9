#include "deskserver/http.h"

#include "deskserver/codec.h"
#include "net/json.h"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include <charconv>
#include <condition_variable>
#include <deque>

namespace baton::deskserver {

namespace {

namespace json = boost::json;

net::Response reply(const json::value& value, int status = 200) {
    net::Response response;
    response.status = status;
    response.body = json::serialize(value);
    return response;
}

net::Response reply(const Error& error) {
    return net::error_response(error);
}

/// The value as JSON, or the error.
template <class T>
net::Response reply_to(const Result<T>& result, int status = 200) {
    if (!result)
        return reply(result.error());
    return reply(to_json(*result), status);
}

net::Response done(const Result<void>& result) {
    return result ? reply(json::object{}) : reply(result.error());
}

Result<std::uint64_t> query_number(const net::Request& request, const std::string& name) {
    const auto found = request.query.find(name);
    std::uint64_t value = 0;
    if (found != request.query.end()) {
        const auto& text = found->second;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (error == std::errc{} && end == text.data() + text.size())
            return value;
    }
    return fail(Errc::invalid_argument, "the query needs '" + name + "', a whole number");
}

/// "/v1/desks/kim/check" without "/v1", in its parts.
std::vector<std::string> parts_of(const std::string& path) {
    std::vector<std::string> parts;
    std::size_t begin = 1;
    while (begin <= path.size()) {
        const auto end = std::min(path.find('/', begin), path.size());
        parts.push_back(path.substr(begin, end - begin));
        begin = end + 1;
    }
    return parts;
}

} // namespace

/// A request, taken apart.
struct Door::Call {
    const net::Request& request;
    std::vector<std::string> parts; ///< of the path, without "v1"

    /// The path is /v1/<one>[/<two>[/<three>]]; "*" stands for anything.
    [[nodiscard]] bool is(const std::string& method, const std::vector<std::string>& path) const {
        if (request.method != method || parts.size() != path.size())
            return false;
        for (std::size_t i = 0; i < path.size(); ++i)
            if (path[i] != "*" && path[i] != parts[i])
                return false;
        return true;
    }

    [[nodiscard]] DeskName desk() const { return DeskName(parts[1]); }

    [[nodiscard]] Result<json::object> body() const {
        if (request.body.empty())
            return json::object{};
        return net::parse_object(request.body, "the request");
    }
};

net::Response Door::answer(const net::Request& request) {
    if (request.peer.certificate_name.empty())
        return reply(Error{Errc::unauthenticated, "the desk server wants a client certificate",
                           "use the controller's: baton-deskd is called by batond alone", 0});
    if (request.peer.certificate_name != caller_)
        return reply(Error{Errc::forbidden,
                           "'" + request.peer.certificate_name + "' may not call the desk server",
                           "only '" + caller_ + "' may", 0});
    Call call{request, parts_of(request.path)};
    if (call.parts.empty() || call.parts.front() != "v1")
        return reply(Error{Errc::not_found, "there is nothing at " + request.path, {}, 0});
    call.parts.erase(call.parts.begin());
    return route(call);
}

net::Response Door::route(const Call& call) {
    const std::string first = call.parts.empty() ? "" : call.parts.front();
    if (call.is("GET", {"health"}))
        return health();
    if (first == "desks")
        return desks(call);
    if (first == "leases")
        return leases(call);
    if (first == "content")
        return contents(call);
    return reply(Error{Errc::not_found, "there is nothing at " + call.request.path, {}, 0});
}

net::Response Door::health() const {
    const auto space = server_.space();
    if (!space)
        return reply(space.error());
    return reply(json::object{{"service", "baton-deskd"},
                              {"free_bytes", space->free_bytes},
                              {"total_bytes", space->total_bytes},
                              {"space_low", space->low}});
}

net::Response Door::desks(const Call& call) {
    if (call.is("GET", {"desks"})) {
        const auto views = server_.list();
        if (!views)
            return reply(views.error());
        json::array array;
        for (const auto& view : *views)
            array.emplace_back(deskserver::to_json(view));
        return reply(json::object{{"desks", std::move(array)}});
    }
    if (call.is("GET", {"desks", "*"}))
        return reply_to(server_.show(call.desk()));
    if (call.is("DELETE", {"desks", "*"}))
        return done(server_.remove(call.desk()));
    if (call.is("DELETE", {"desks", "*", "checkout"}))
        return reply_to(server_.call_off(call.desk()));
    if (call.is("POST", {"desks", "*", "content"}))
        return reply_to(contents_.pack(server_, call.desk()), 201);

    if (call.parts.size() >= 3 && call.parts[2] == "snapshots")
        return snapshots(call);

    const auto body = call.body();
    if (!body)
        return reply(body.error());
    net::Fields fields(*body, "the request");
    if (call.is("PUT", {"desks", "*"})) {
        const auto owner = fields.text("owner");
        const auto size = fields.integer_or("size_bytes", desk::default_size.bytes());
        if (const auto sound = fields.finish(); !sound)
            return reply(sound.error());
        return reply_to(server_.create(call.desk(), owner, size), 201);
    }
    if (call.is("POST", {"desks", "*", "check"})) {
        const bool repair = fields.truth_or("repair", false);
        if (const auto sound = fields.finish(); !sound)
            return reply(sound.error());
        return reply_to(server_.check(call.desk(), repair));
    }
    if (call.is("PUT", {"desks", "*", "checkout"})) {
        const auto journey = fields.text("journey");
        const auto generation = fields.natural("generation");
        const auto place = fields.text("to");
        if (const auto sound = fields.finish(); !sound)
            return reply(sound.error());
        return reply_to(server_.check_out(call.desk(), journey, generation, place));
    }
    if (call.is("PUT", {"desks", "*", "checkin"})) {
        const auto id = fields.text("content");
        if (const auto sound = fields.finish(); !sound)
            return reply(sound.error());
        return reply_to(contents_.bring_back(server_, call.desk(), id));
    }
    if (call.is("PUT", {"desks", "*", "content"})) {
        const auto id = fields.text("content");
        if (const auto sound = fields.finish(); !sound)
            return reply(sound.error());
        return reply_to(contents_.take_in(server_, call.desk(), id), 201);
    }
    return reply(Error{Errc::not_found,
                       "nothing can be done with " + call.request.method + " " + call.request.path,
                       {},
                       0});
}

net::Response Door::snapshots(const Call& call) {
    if (call.is("GET", {"desks", "*", "snapshots"})) {
        const auto kept = server_.snapshots(call.desk());
        if (!kept)
            return reply(kept.error());
        json::array array;
        for (const auto& one : *kept)
            array.emplace_back(deskserver::to_json(one));
        return reply(json::object{{"snapshots", std::move(array)}});
    }
    if (call.is("PUT", {"desks", "*", "snapshots", "*"}))
        return reply_to(server_.take_snapshot(call.desk(), call.parts[3]), 201);
    if (call.is("DELETE", {"desks", "*", "snapshots", "*"}))
        return done(server_.remove_snapshot(call.desk(), call.parts[3]));
    if (call.is("POST", {"desks", "*", "snapshots", "*", "restore"}))
        return reply_to(server_.restore(call.desk(), call.parts[3]));
    return reply(Error{Errc::not_found,
                       "a snapshot is taken with PUT, restored with POST, removed with DELETE",
                       {},
                       0});
}

net::Response Door::leases(const Call& call) {
    if (call.is("PUT", {"leases", "*"})) {
        const auto body = call.body();
        if (!body)
            return reply(body.error());
        net::Fields fields(*body, "the request");
        const FencingNumber fence{fields.natural("fence")};
        const HostId holder(fields.text("holder"));
        if (const auto sound = fields.finish(); !sound)
            return reply(sound.error());
        return reply_to(server_.lease(call.desk(), fence, holder));
    }
    if (call.is("DELETE", {"leases", "*"})) {
        const auto fence = query_number(call.request, "fence");
        if (!fence)
            return reply(fence.error());
        return done(server_.close(call.desk(), FencingNumber{*fence}));
    }
    return reply(Error{Errc::not_found, "a lease is taken with PUT and ended with DELETE", {}, 0});
}

net::Response Door::contents(const Call& call) {
    if (call.is("POST", {"content"}))
        return reply_to(contents_.begin(), 201);
    if (call.is("GET", {"content", "*"})) {
        auto path = contents_.path(call.parts[1]);
        if (!path)
            return reply(path.error());
        net::Response response;
        response.content_type = "application/zstd";
        response.file = *path;
        return response;
    }
    if (call.is("PUT", {"content", "*"})) {
        const auto offset = query_number(call.request, "offset");
        if (!offset)
            return reply(offset.error());
        return reply_to(
            contents_.append(call.parts[1], static_cast<std::int64_t>(*offset), call.request.body));
    }
    if (call.is("DELETE", {"content", "*"}))
        return done(contents_.remove(call.parts[1]));
    return reply(Error{Errc::not_found, "there is no such content", {}, 0});
}

struct Workers::Queue {
    struct Job {
        net::Request request;
        net::Respond respond;
    };

    std::mutex mutex;
    std::condition_variable ready;
    std::deque<Job> jobs;
    bool stopping = false;
};

Workers::Workers(Door& door, unsigned threads) : queue_(std::make_shared<Queue>()) {
    for (unsigned i = 0; i < std::max(threads, 1U); ++i)
        threads_.emplace_back([&door, queue = queue_] {
            std::unique_lock lock(queue->mutex);
            while (true) {
                queue->ready.wait(lock, [&] { return queue->stopping || !queue->jobs.empty(); });
                if (queue->stopping)
                    return;
                auto job = std::move(queue->jobs.front());
                queue->jobs.pop_front();
                lock.unlock();
                job.respond(door.answer(job.request));
                lock.lock();
            }
        });
}

Workers::~Workers() {
    {
        const std::lock_guard lock(queue_->mutex);
        queue_->stopping = true;
    }
    queue_->ready.notify_all();
    for (auto& thread : threads_)
        thread.join();
    for (auto& job : queue_->jobs)
        job.respond(reply(
            Error{Errc::unavailable, "the desk server is ending", "try again when it is back", 0}));
}

net::Handler Workers::handler() {
    return [queue = queue_](net::Request request, net::Respond respond) {
        {
            const std::lock_guard lock(queue->mutex);
            if (!queue->stopping) {
                queue->jobs.push_back({std::move(request), std::move(respond)});
                queue->ready.notify_one();
                return;
            }
        }
        respond(reply(
            Error{Errc::unavailable, "the desk server is ending", "try again when it is back", 0}));
    };
}

} // namespace baton::deskserver
