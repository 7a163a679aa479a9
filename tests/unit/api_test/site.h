#pragma once

#include "api/api.h"
#include "api/routes.h"
#include "store/store.h"
#include "unit/api_test/fake_engine.h"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>

/// A whole controller without sockets, threads or time of its own.
namespace baton::api::testing {

namespace json = boost::json;

/// Time that passes when it is told to, and the executor.
class HandClock : public handoff::Clock {
  public:
    WallTime wall() const override {
        return WallTime(std::chrono::milliseconds(1'800'000'000'000)) +
               std::chrono::duration_cast<std::chrono::milliseconds>(now_);
    }

    std::chrono::nanoseconds monotonic() const override { return now_; }

    TimerId after(std::chrono::nanoseconds delay, std::function<void()> action) override {
        timers_.emplace(std::pair(now_ + delay, ++last_), std::move(action));
        return last_;
    }

    void cancel(TimerId timer) override {
        std::erase_if(timers_, [&](const auto& entry) { return entry.first.second == timer; });
    }

    void post(std::function<void()> action) override { queue_.push_back(std::move(action)); }

    void run() {
        while (!queue_.empty()) {
            auto action = std::move(queue_.front());
            queue_.pop_front();
            action();
        }
    }

    /// As when a process ends.
    void forget_timers() { timers_.clear(); }

    void advance(std::chrono::nanoseconds by) {
        const auto until = now_ + by;
        run();
        while (!timers_.empty() && timers_.begin()->first.first <= until) {
            now_ = timers_.begin()->first.first;
            auto action = std::move(timers_.begin()->second);
            timers_.erase(timers_.begin());
            action();
            run();
        }
        now_ = until;
    }

  private:
    std::chrono::nanoseconds now_{};
    TimerId last_ = 0;
    std::deque<std::function<void()>> queue_;
    std::map<std::pair<std::chrono::nanoseconds, TimerId>, std::function<void()>> timers_;
};

class FakeDesks : public DeskAdmin {
  public:
    std::map<DeskName, DeskFacts> images;
    std::optional<Error> broken;

    Result<DeskFacts> create(const DeskName& name, const UserName&, std::int64_t size) override {
        if (broken)
            return tl::unexpected(*broken);
        if (images.contains(name))
            return fail(Errc::already_exists, "there is an image of that name");
        return images[name] = {DeskId("id-of-" + name.value), size == 0 ? 1 << 30 : size, {}};
    }

    Result<DeskCheck> check(const DeskName&, bool repair) override {
        if (broken)
            return tl::unexpected(*broken);
        return DeskCheck{true, repair ? "repaired" : "clean"};
    }

    Result<void> remove(const DeskName& name) override {
        if (broken)
            return tl::unexpected(*broken);
        if (images.erase(name) == 0)
            return fail(Errc::not_found, "no such image");
        return {};
    }

    std::map<DeskName, std::vector<DeskSnapshot>> kept;

    Result<DeskSnapshot> take_snapshot(const DeskName& name, const std::string& wanted) override {
        if (broken)
            return tl::unexpected(*broken);
        kept[name].push_back({wanted, WallTime{}, 7, 4096, true});
        return kept[name].back();
    }

    Result<std::vector<DeskSnapshot>> snapshots(const DeskName& name) override {
        return kept[name];
    }

    Result<void> remove_snapshot(const DeskName& name, const std::string& wanted) override {
        if (std::erase_if(kept[name], [&](const auto& one) { return one.name == wanted; }) == 0)
            return fail(Errc::not_found, "no such snapshot");
        return {};
    }

    std::vector<std::string> restored;

    Result<void> restore(const DeskName& name, const std::string& wanted) override {
        if (broken)
            return tl::unexpected(*broken);
        restored.push_back(name.value + " to " + wanted);
        return {};
    }

    std::map<DeskName, DeskWhereabouts> places;

    Result<DeskWhereabouts> whereabouts(const DeskName& name) override { return places[name]; }

    Result<DeskWhereabouts> check_out(const DeskName& name, const std::string& journey,
                                      std::uint64_t generation, const std::string& to) override {
        if (broken)
            return tl::unexpected(*broken);
        auto& place = places[name];
        if (place.away && place.journey != journey)
            return fail(Errc::refused, "was taken away to " + place.away->to);
        place.journey = journey;
        place.away = {to, WallTime(std::chrono::milliseconds(1000)), generation};
        return place;
    }

    Result<std::optional<DeskWhereabouts>> check_in_piece(const DeskName& name,
                                                          const DeskPiece& piece) override {
        if (piece.offset + static_cast<std::int64_t>(piece.bytes.size()) < piece.total)
            return std::nullopt;
        if (broken)
            return tl::unexpected(*broken);
        places[name] = {FencingNumber{9}, 12, "", std::nullopt};
        return std::optional(places[name]);
    }

    Result<DeskWhereabouts> call_off(const DeskName& name) override {
        if (!places[name].away)
            return fail(Errc::conflict, "it is not checked out");
        places[name].away.reset();
        return places[name];
    }

    void export_image(const DeskName& name, net::Respond respond) override {
        net::Response response;
        response.body = "image of " + name.value;
        respond(response);
    }

    std::map<DeskName, std::string> coming;

    Result<std::optional<DeskFacts>> import_piece(const DeskName& name, const UserName&,
                                                  const DeskPiece& piece) override {
        coming[name] += piece.bytes;
        if (static_cast<std::int64_t>(coming[name].size()) < piece.total)
            return std::nullopt;
        return std::optional(images[name] = {DeskId("imported"), piece.total, FencingNumber{7}});
    }
};

class FakeImages : public Images {
  public:
    std::vector<std::string> ids{"tiny-1"};

    Result<std::vector<osimage::Manifest>> list() override {
        std::vector<osimage::Manifest> all;
        for (const std::string& id : ids) {
            osimage::Manifest one;
            one.id = OsImageId(id);
            one.name = id.substr(0, id.rfind('-'));
            one.version = id.substr(id.rfind('-') + 1);
            all.push_back(one);
        }
        return all;
    }

    Result<OsImageId> resolve(const std::string& wanted) override {
        std::string newest;
        for (const std::string& id : ids)
            if (id == wanted || id.substr(0, id.rfind('-')) == wanted)
                newest = std::max(newest, id);
        if (!newest.empty())
            return OsImageId(newest);
        return fail(Errc::not_found, "there is no OS image '" + wanted + "'");
    }

    Result<std::string> file(const OsImageId& id, const std::string& name) override {
        return "/images/" + id.value + "/" + name;
    }
};

class FakeAuthority : public Authority {
  public:
    Result<HostCertificate> sign_gateway(const GatewayId& gateway, const std::string&,
                                         const std::string& csr) override {
        return sign_host(HostId(gateway.value), csr);
    }

    Result<HostCertificate> sign_host(const HostId& host, const std::string& csr) override {
        if (csr != "csr")
            return fail(Errc::invalid_argument, "that is no signing request");
        return HostCertificate{"certificate of " + host.value, "authority", "feed" + host.value};
    }

    std::string join_token(const std::string& secret) override { return "join:" + secret; }
};

/// Samples that are read at once.
class FakeKept : public Kept {
  public:
    std::unique_ptr<history::Samples> samples; ///< none: there is no database yet
    std::optional<Error> broken;
    State told{"samples.db", {}};
    bool busy = false;
    bool sound = true; ///< what the last reader said

    [[nodiscard]] State state() const override { return told; }

    bool read(Read read) override {
        if (busy)
            return false;
        if (broken)
            sound = read(tl::unexpected(*broken));
        else if (samples)
            sound = read(std::ref(*samples));
        else
            sound = read(fail(Errc::not_found, "there is no samples database yet"));
        return true;
    }
};

class FakeGateways : public Gateways {
  public:
    std::vector<GatewayNow> now;
    std::vector<ViewerNow> looking_on;
    std::vector<std::string> asked;

    std::vector<GatewayNow> connected() const override { return now; }

    std::vector<ViewerNow> viewers() const override { return looking_on; }

    std::set<SessionId> looked_at() const override {
        std::set<SessionId> sessions;
        for (const ViewerNow& one : looking_on)
            if (!one.view_only)
                sessions.insert(one.session);
        return sessions;
    }

    void drain(const GatewayId& gateway, bool draining) override {
        asked.push_back((draining ? "drain " : "undrain ") + gateway.value);
    }

    void expel(const GatewayId& gateway) override { asked.push_back("expel " + gateway.value); }
};

class FakeFetches : public Fetches {
  public:
    std::map<std::string, std::vector<Fetch>> fetched;

    std::vector<Fetch> of(const std::string& address) override { return fetched[address]; }
};

inline json::object body_of(const net::Response& response) {
    return json::parse(response.body).as_object();
}

struct Site {
    HandClock clock;
    std::unique_ptr<store::Store> store = store::make_memory_store();
    FakeEngine engine{*store, clock};
    std::unique_ptr<Hasher> hasher = make_hasher(HashCost::lowest_for_tests);
    FakeDesks desks;
    FakeImages images;
    FakeAuthority authority;
    std::deque<std::function<void()>> background;
    bool background_at_once = true;
    std::vector<std::string> log;
    Latest latest;
    FakeKept kept;
    FakeGateways gateways;
    FakeFetches fetches;
    std::vector<std::string> woken;
    std::optional<Error> not_woken;
    Settings settings;
    std::unique_ptr<Api> api;
    std::string admin; ///< a token

    explicit Site(Settings wanted = {}) : settings(std::move(wanted)) {
        settings.largest = 8_GiB; // the engine's desktops have 2
        start_again();
        admin = api->local_admin_token("").value();
    }

    /// Another API over the same world: what was in memory is gone.
    void start_again() {
        clock.forget_timers();
        const Services services{*store,
                                engine,
                                clock,
                                *hasher,
                                desks,
                                images,
                                authority,
                                [this](std::function<void()> work) {
                                    background.push_back(std::move(work));
                                    if (background_at_once)
                                        run_background();
                                },
                                [this](const std::string& line) { log.push_back(line); },
                                [](const HostId&) {},
                                &latest,
                                &kept,
                                &gateways,
                                &fetches,
                                [this](const std::string& mac) -> Result<void> {
                                    if (not_woken)
                                        return tl::unexpected(*not_woken);
                                    woken.push_back(mac);
                                    return {};
                                }};
        api = std::make_unique<Api>(services, settings);
        EXPECT_TRUE(api->load());
    }

    void run_background() {
        while (!background.empty()) {
            auto work = std::move(background.front());
            background.pop_front();
            work();
        }
    }

    /// What is answered by and by; `response` is empty until then.
    std::shared_ptr<std::optional<net::Response>> begin(net::Request request) {
        auto response = std::make_shared<std::optional<net::Response>>();
        api->handle(std::move(request), [response](net::Response given) {
            EXPECT_FALSE(response->has_value()) << "answered twice";
            *response = std::move(given);
        });
        clock.run();
        return response;
    }

    /// A PC without a disk says from that address that it is up; what it is answered.
    json::object client_up(const std::string& mac, const std::string& address, bool again) {
        json::object body{{"mac", mac},
                          {"memory_mib", 971},
                          {"image", "client-1"},
                          {"firmware", "bios"},
                          {"up_ms", 99}};
        if (again)
            body["again"] = true;
        auto said = request("", "POST", "/v1/clients/up", json::serialize(body));
        said.peer.address = address;
        const net::Response response = **begin(said);
        EXPECT_EQ(response.status, 200) << response.body;
        return body_of(response);
    }

    static net::Request request(const std::string& token, const std::string& method,
                                const std::string& target, const std::string& body = {}) {
        net::Request made;
        made.method = method;
        made.peer.address = "10.0.0.1";
        const std::size_t mark = target.find('?');
        made.path = target.substr(0, mark);
        for (std::string rest = mark == std::string::npos ? "" : target.substr(mark + 1);
             !rest.empty();) {
            const std::size_t end = std::min(rest.find('&'), rest.size());
            const std::string pair = rest.substr(0, end);
            made.query[pair.substr(0, pair.find('='))] = pair.substr(pair.find('=') + 1);
            rest = end == rest.size() ? "" : rest.substr(end + 1);
        }
        if (!token.empty())
            made.headers["authorization"] = "Bearer " + token;
        made.body = body;
        return made;
    }

    net::Response ask(const std::string& token, const std::string& method,
                      const std::string& target, const std::string& body = {}) {
        const auto response = begin(request(token, method, target, body));
        if (!response->has_value()) {
            ADD_FAILURE() << method << " " << target << " is not answered";
            net::Response none;
            none.status = 599;
            none.body = R"({"error":{"message":"no answer"}})";
            return none;
        }
        return **response;
    }

    json::object get(const std::string& token, const std::string& target) {
        const net::Response response = ask(token, "GET", target);
        EXPECT_EQ(response.status, 200) << response.body;
        return json::parse(response.body).as_object();
    }

    /// Adds a person and logs them in.
    std::string person(const std::string& name, const std::string& role = "user") {
        const net::Response added =
            ask(admin, "POST", "/v1/users",
                json::serialize(
                    json::object{{"name", name}, {"password", "correct horse"}, {"role", role}}));
        EXPECT_EQ(added.status, 201) << added.body;
        return login(name, "correct horse");
    }

    std::string login(const std::string& name, const std::string& password) {
        const net::Response response =
            ask("", "POST", "/v1/login",
                json::serialize(json::object{{"name", name}, {"password", password}}));
        if (response.status != 200)
            return {};
        return std::string(json::parse(response.body).at("token").as_string());
    }

    void add_host(const std::string& name) {
        store::HostRow row;
        row.id = HostId(name);
        row.memory = 8_GiB;
        row.reserve = 1_GiB;
        row.joined = true;
        row.address = "10.99.1.1";
        row.certificate_sha256 = "feed" + name;
        EXPECT_TRUE(engine.add_host(row));
        engine.host(row.id).connected = true;
    }
};

inline std::string error_of(const net::Response& response) {
    const json::value body = json::parse(response.body);
    return std::string(body.at("error").at("message").as_string());
}

} // namespace baton::api::testing
