/// A host that has joined, as baton-hostd serves it: its agent over the real link. Its desktops are
/// simulated, and its monitor reads what standard input says: "cpu PERCENT" is one reading of the
/// host. Ends with standard input.
///
///   measured_host STATE_DIR CONTROLLER_URL NAME
#include "handoff/loop.h"
#include "hostlink/agent.h"
#include "hostlink/protocol.h"
#include "hypervisor/simulated.h"

#include <fmt/format.h>

#include <chrono>
#include <iostream>
#include <string>

namespace {

using namespace baton;

class AnyImage : public hostlink::ImageSource {
  public:
    Result<osimage::LocalImage> ensure(const OsImageId& id) override {
        osimage::LocalImage image;
        image.id = id;
        image.has_guest_agent = true;
        return image;
    }
};

monitor::Reading reading(const std::string& host, double cpu) {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    monitor::Reading one;
    one.host = HostId(host);
    one.wall =
        std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
    one.at = {std::chrono::duration_cast<std::chrono::nanoseconds>(now).count()};
    one.rates.seconds = 1;
    one.rates.processors = 4;
    one.rates.cpu_percent.corrected = cpu;
    return one;
}

int run(const std::string& state, const std::string& url, const std::string& name) {
    hypervisor::SimulatedSettings settings;
    settings.memory = 8_GiB;
    const auto hypervisor = hypervisor::make_simulated(settings);
    AnyImage images;
    handoff::Loop loop;
    handoff::Pool pool(2);
    handoff::InOrder in_order(pool);
    const auto workers = [&in_order](const std::string& key, std::function<void()> work) {
        in_order.run(key, std::move(work));
    };
    hostlink::AgentSettings own;
    own.facts = {HostId(name), "127.0.0.1", 8_GiB, 4, {false, "simulated"}, "test"};
    auto agent = hostlink::Agent::make({*hypervisor, images, loop, workers, workers}, own);
    net::ClientSettings controller;
    controller.url = url;
    const std::string pki = state + "/pki/";
    controller.tls = {pki + "client-cert.pem", pki + "client-key.pem", pki + "ca-cert.pem"};
    auto dialer = net::Dialer::start(
        [&agent](auto link, auto ended) { agent->serve(std::move(link), std::move(ended)); },
        [controller] { return net::connect_websocket(controller, std::string(hostlink::target)); });
    std::string word;
    double cpu = 0;
    while (std::cin >> word >> cpu)
        agent->report(reading(name, cpu));
    dialer.reset();
    loop.run_and_wait([&agent] { agent.reset(); });
    pool.stop();
    loop.stop();
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 4) {
        fmt::print(stderr, "measured_host STATE_DIR CONTROLLER_URL NAME\n");
        return 2;
    }
    return run(argv[1], argv[2], argv[3]);
}
