/// What hosts and desktops used before, out of the samples database.
#include "api/context.h"
#include "api/json_out.h"
#include "history/advice.h"
#include "history/codec.h"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <charconv>

namespace json = boost::json;

namespace baton::api {

namespace {

/// In one answer: some 8 MB of JSON.
constexpr std::size_t most_points = 10'000;
constexpr std::size_t most_sizes = 16;

using Ask = std::function<Result<net::Response>(history::Samples&)>;

net::Response as_json(const json::value& value) {
    net::Response response;
    response.body = json::serialize(value) + '\n';
    return response;
}

/// The database's own fault, rather than the question's.
bool is_fault(const Error& error) {
    return error.code != Errc::not_found && error.code != Errc::invalid_argument;
}

std::string word(const net::Request& request, const char* name, std::string_view otherwise = {}) {
    const auto found = request.query.find(name);
    return found == request.query.end() ? std::string(otherwise) : found->second;
}

class HistoryRoutes {
  public:
    explicit HistoryRoutes(Context& context) : context_(context) {}

    void list(const CallPtr& call) const;
    void show(const CallPtr& call) const;
    void advise(const CallPtr& call) const;

  private:
    void ask(const CallPtr& call, Ask question) const;
    [[nodiscard]] Result<history::Visible> visible_to(const CallPtr& call) const;
    [[nodiscard]] Result<history::Span> span_of(const CallPtr& call,
                                                const std::string& usual) const;

    Context& context_;
};

/// Asked on the thread that reads samples, answered on the executor.
void HistoryRoutes::ask(const CallPtr& call, Ask question) const {
    Kept* kept = context_.services.kept;
    if (kept == nullptr)
        return call->answer(Error{Errc::not_found, "this site keeps no samples",
                                  "samples.store in batond.toml says where they would be", 0});
    const auto answer = [&services = context_.services, call](const Result<net::Response>& result) {
        services.clock.post([&services, call, result] {
            if (result)
                return call->answer(*result);
            if (call->over_others() || !is_fault(result.error()))
                return call->answer(result.error());
            services.log(result.error().in("reading samples").message());
            call->answer(Error{Errc::unavailable, "samples cannot be read now",
                               "tell the administrator; the log says why", 0});
        });
    };
    const bool taken =
        kept->read([answer, question = std::move(question)](
                       Result<std::reference_wrapper<history::Samples>> samples) -> bool {
            const auto result = samples ? question(samples->get())
                                        : Result<net::Response>(tl::unexpected(samples.error()));
            answer(result);
            return result || !is_fault(result.error());
        });
    if (!taken)
        call->answer(Error{Errc::busy, "too many ask for samples at once",
                           "try again in a moment, or ask for less", 0});
}

/// A user's own sessions, closed ones as well; operators see everything.
Result<history::Visible> HistoryRoutes::visible_to(const CallPtr& call) const {
    if (call->over_others())
        return history::Visible{};
    auto sessions = context_.services.store.sessions(true);
    if (!sessions)
        return tl::unexpected(sessions.error());
    std::set<std::string> own;
    for (const store::SessionRow& row : *sessions)
        if (row.user == call->caller.user)
            own.insert(row.id.value);
    return history::Visible{std::move(own)};
}

Result<history::Span> HistoryRoutes::span_of(const CallPtr& call, const std::string& usual) const {
    const net::Request& request = call->request;
    const auto now = std::chrono::floor<std::chrono::seconds>(context_.services.clock.wall());
    return history::parse_span(
        {word(request, "last", usual), word(request, "until"), word(request, "every")},
        now.time_since_epoch().count());
}

void HistoryRoutes::list(const CallPtr& call) const {
    if (auto fine = only_query(call->request.query, {}); !fine)
        return call->answer(fine.error());
    ask(call, [](history::Samples& samples) -> Result<net::Response> {
        const auto subjects = samples.subjects();
        if (!subjects)
            return tl::unexpected(subjects.error());
        const auto time = [](history::Seconds at) {
            return to_json(WallTime(std::chrono::seconds(at)));
        };
        json::array all;
        for (const history::Subject& one : *subjects) {
            const bool host = one.kind == history::Kind::host;
            json::object object{{"kind", host ? "host" : "desktop"},
                                {host ? "address" : "uuid", one.key},
                                {"name", one.name},
                                {"state", one.state},
                                {"first_seen", time(one.first_seen)},
                                {"last_seen", time(one.last_seen)}};
            if (!host) {
                object["host_address"] = one.host;
                object["desktop"] =
                    one.handle.empty() ? json::value(nullptr) : json::value(one.handle);
            }
            all.push_back(std::move(object));
        }
        return as_json(json::object{{"subjects", std::move(all)}});
    });
}

void HistoryRoutes::show(const CallPtr& call) const {
    if (auto fine = only_query(call->request.query, {"last", "until", "every", "format"}); !fine)
        return call->answer(fine.error());
    const std::string format = word(call->request, "format", "json");
    if (format != "json" && format != "csv")
        return call->answer(Error{Errc::invalid_argument, "format is neither json nor csv", "", 0});
    const auto span = span_of(call, "1h");
    if (!span)
        return call->answer(span.error());
    if (span->most_points() > most_points)
        return call->answer(
            Error{Errc::invalid_argument,
                  fmt::format("that may be {} points, and one answer has at most {}",
                              span->most_points(), most_points),
                  "ask for less at once, or for every=1m or every=1h", 0});
    const auto visible = visible_to(call);
    if (!visible)
        return call->answer(visible.error());
    ask(call,
        [who = call->parameters[0], span = *span, visible = *visible,
         format](history::Samples& samples) -> Result<net::Response> {
            const auto series = history::series_of(samples, who, span, visible);
            if (!series)
                return tl::unexpected(series.error());
            if (format == "json")
                return as_json(history::to_json(*series));
            net::Response response;
            response.content_type = "text/csv; charset=utf-8";
            response.body = history::to_csv(*series);
            return response;
        });
}

/// "512,1024": MiB, ascending.
Result<std::vector<Mebibytes>> sizes_from(const std::string& text) {
    std::vector<Mebibytes> sizes;
    const char* at = text.data();
    const char* const end = text.data() + text.size();
    while (at != end) {
        std::int64_t count = 0;
        const auto [rest, error] = std::from_chars(at, end, count);
        if (error != std::errc{} || count < 1 || count > (std::int64_t{1} << 24) ||
            (rest != end && (*rest != ',' || rest + 1 == end)) || sizes.size() == most_sizes ||
            (!sizes.empty() && sizes.back().count >= count))
            return fail(Errc::invalid_argument, "sizes are not ascending numbers of MiB",
                        "write them like 512,1024,2048; 16 at most");
        sizes.emplace_back(count);
        at = rest == end ? end : rest + 1;
    }
    return sizes;
}

Result<history::AdviceWanted> advice_wanted(const net::Request& request) {
    history::AdviceWanted wanted;
    wanted.session = word(request, "session");
    if (const std::string sizes = word(request, "sizes"); !sizes.empty()) {
        auto read = sizes_from(sizes);
        if (!read)
            return tl::unexpected(read.error());
        wanted.sizes = std::move(*read);
    }
    if (const std::string curve = word(request, "curve"); !curve.empty()) {
        auto read = monitor::parse_curve(curve);
        if (!read)
            return tl::unexpected(read.error());
        if (const auto sound = monitor::from_curve(*read, Mebibytes(0), 0); !sound)
            return tl::unexpected(sound.error());
        wanted.curve = std::move(*read);
    }
    const std::string tolerance = word(request, "tolerance", "5");
    double percent = 0;
    const char* const end = tolerance.data() + tolerance.size();
    const auto [rest, error] = std::from_chars(tolerance.data(), end, percent);
    if (error != std::errc{} || rest != end || !(percent >= 0 && percent <= 100))
        return fail(Errc::invalid_argument, "tolerance is not 0 to 100 percent");
    wanted.tolerance = percent / 100;
    return wanted;
}

void HistoryRoutes::advise(const CallPtr& call) const {
    if (auto fine = only_query(call->request.query, {"last", "until", "every", "session", "sizes",
                                                     "curve", "tolerance"});
        !fine)
        return call->answer(fine.error());
    auto wanted = advice_wanted(call->request);
    if (!wanted)
        return call->answer(wanted.error());
    const auto span = span_of(call, "30d");
    if (!span)
        return call->answer(span.error());
    ask(call,
        [wanted = std::move(*wanted),
         span = *span](history::Samples& samples) -> Result<net::Response> {
            const auto all = history::advise(samples, wanted, span);
            if (!all)
                return tl::unexpected(all.error());
            return as_json(history::to_json(*all));
        });
}

} // namespace

void add_history_routes(Context& context, Handlers& handlers) {
    auto routes = std::make_shared<HistoryRoutes>(context);
    handlers[RouteId::history_list] = [routes](const CallPtr& call) { routes->list(call); };
    handlers[RouteId::history_show] = [routes](const CallPtr& call) { routes->show(call); };
    handlers[RouteId::advice] = [routes](const CallPtr& call) { routes->advise(call); };
}

} // namespace baton::api
