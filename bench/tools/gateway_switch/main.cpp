/// One switch behind a gateway, and one by NAT, in turns, between screens that draw all the time:
/// what bench/gateway_switch_vs_nat.py measures. Runs in `boot` of
/// tests/support/with-routing-network. gateway_switch ROUNDS: prints one JSON object of samples in
/// milliseconds.
#include "gateway_way.h"
#include "nat_way.h"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <csignal>
#include <exception>
#include <random>
#include <thread>

int main(int argc, char** argv) {
    using namespace baton::switching;
    std::signal(SIGPIPE, SIG_IGN);
    try {
        const int rounds = argc > 1 ? std::stoi(argv[1]) : 200;
        const Certificates certificates;
        GatewayWay gateway(certificates);
        NatWay nat(certificates);
        boost::json::array frame_to_frame;
        boost::json::array cut_to_frame;
        boost::json::array by_nat;
        std::mt19937 dice(1);
        const auto dwell = [&dice] { // so that no switch keeps step with a screen's clock
            std::this_thread::sleep_for(std::chrono::milliseconds(80 + dice() % 80));
        };
        constexpr int block = 20;
        constexpr int nat_block = 6; // each of which takes ten times as long
        nat.draw(false);
        for (int round = 0; round < rounds; round += block) {
            for (int i = 0; i < block + 1; ++i) { // the first one of each warms up
                gateway.prepare();
                dwell();
                const auto ours = gateway.change();
                if (i == 0)
                    continue;
                frame_to_frame.emplace_back(ours.frame_to_frame_ms);
                cut_to_frame.emplace_back(ours.cut_to_frame_ms);
            }
            gateway.draw(false);
            nat.draw(true);
            for (int i = 0; i < nat_block + 1; ++i) {
                dwell();
                const double peer = nat.change();
                if (i > 0)
                    by_nat.emplace_back(peer);
            }
            nat.draw(false);
            gateway.draw(true);
        }
        fmt::print("{}\n",
                   boost::json::serialize(boost::json::object{{"frame_to_frame_ms", frame_to_frame},
                                                              {"cut_to_frame_ms", cut_to_frame},
                                                              {"nat_ms", by_nat}}));
        return 0;
    } catch (const std::exception& error) {
        fmt::print(stderr, "gateway_switch: {}\n", error.what());
        return 1;
    }
}
