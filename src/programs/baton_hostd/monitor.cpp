#include "programs/baton_hostd/monitor.h"

#include "monitor/codec.h"
#include "monitor/prometheus.h"
#include "net/http.h"
#include "programs/baton_hostd/commands.h"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <string.h>

namespace baton::hostd {

namespace {

namespace json = boost::json;

class RunningMonitor : public Monitor {
  public:
    explicit RunningMonitor(MonitorSettings settings) : settings_(std::move(settings)) {}

    ~RunningMonitor() override {
        loop_.reset();
        server_.reset();
    }

    RunningMonitor(const RunningMonitor&) = delete;
    RunningMonitor& operator=(const RunningMonitor&) = delete;

    Result<void> begin() {
        if (!settings_.listen.empty())
            BATON_TRY(listen());
        settings_.collector.complain = [](const Error& error) {
            spdlog::warn("the monitor: {}", error.message());
        };
        settings_.collector.connection = [](bool connected, const std::string& why) {
            if (connected)
                spdlog::info("the monitor follows the hypervisor's VMs");
            else
                spdlog::warn("the monitor has no hypervisor: {}", why);
        };
        loop_ = std::make_unique<sampling::SamplingLoop>(
            settings_.collector,
            [this](const monitor::Reading& reading, const sampling::Collector& collector) {
                settings_.told(reading);
                questions_.answer_all(reading, collector);
            });
        return {};
    }

    [[nodiscard]] std::string url() const override { return url_; }

  private:
    Result<void> listen() {
        net::ServerSettings server;
        const std::string& text = settings_.listen;
        const auto colon = std::min(text.rfind(':'), text.size());
        server.address = text.substr(0, colon);
        const char* end = text.data() + text.size();
        const char* begin = std::min(text.data() + colon + 1, end);
        const auto [rest, error] = std::from_chars(begin, end, server.port);
        if (server.address.empty() || begin == end || rest != end || error != std::errc{})
            return fail(Errc::invalid_argument,
                        fmt::format("'{}' is no address to listen at", text),
                        "give an address and a port, like 127.0.0.1:9178");
        server.body_limit = 0;
        auto serving = net::serve(server, [this](const net::Request& request, net::Respond how) {
            answer(request, std::move(how));
        });
        if (!serving)
            return tl::unexpected(serving.error());
        server_ = std::move(*serving);
        url_ = fmt::format("http://{}:{}", settings_.listen.substr(0, colon), server_->port());
        return {};
    }

    void answer(const net::Request& request, net::Respond respond) {
        const bool metrics = request.path == "/metrics";
        if (!metrics && request.path != "/v1/readings")
            return respond(net::error_response(
                Error{Errc::not_found, "there is nothing here", "ask for /metrics", 0}));
        if (request.method != "GET")
            return respond(net::error_response(
                Error{Errc::unsupported, "only GET is understood here", "", 0}));
        questions_.ask([respond = std::move(respond), metrics](
                           const monitor::Reading& reading, const sampling::Collector& collector) {
            net::Response response;
            if (metrics) {
                response.content_type = monitor::Exposition::content_type;
                response.body = sampling::metrics_page(reading.host, collector);
            } else {
                json::object one = monitor::to_json(reading);
                one["time"] = monitor::utc_text(reading.wall);
                one["age_ms"] = 0;
                response.body =
                    json::serialize(json::object{{"readings", json::array{std::move(one)}}}) + '\n';
            }
            respond(std::move(response));
        });
    }

    MonitorSettings settings_;
    sampling::Questions questions_;
    std::unique_ptr<net::Server> server_;
    std::string url_;
    std::unique_ptr<sampling::SamplingLoop> loop_;
};

} // namespace

Result<std::unique_ptr<Monitor>> Monitor::start(MonitorSettings settings) {
    auto monitor = std::make_unique<RunningMonitor>(std::move(settings));
    BATON_TRY(monitor->begin());
    return monitor;
}

Result<void> monitor_only(const MonitorOptions& options) {
    const sigset_t signals = block_end_signals();
    spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%e %l %v");
    const auto name = own_name();
    if (!name)
        return tl::unexpected(name.error());
    MonitorSettings settings;
    settings.collector.host = HostId(*name);
    settings.collector.libvirt_uri =
        options.libvirt_uri.empty() ? default_libvirt_uri() : options.libvirt_uri;
    settings.collector.fast_period = std::chrono::milliseconds(options.interval_ms);
    settings.collector.slow_period = std::chrono::milliseconds(options.guest_interval_ms);
    settings.listen = options.listen;
    const auto monitor = Monitor::start(std::move(settings));
    if (!monitor)
        return tl::unexpected(monitor.error());
    fmt::print("measuring {}, {}\nmetrics at {}/metrics\n", *name,
               options.libvirt_uri.empty() ? default_libvirt_uri() : options.libvirt_uri,
               (*monitor)->url());
    std::fflush(stdout);
    int signal = 0;
    sigwait(&signals, &signal);
    spdlog::info("ending on {}", ::strsignal(signal)); // NOLINT(concurrency-mt-unsafe)
    return {};
}

} // namespace baton::hostd
