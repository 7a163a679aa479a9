/// history_filler FILE SECONDS: a samples database with a host, two desktops and three sessions,
/// for tests of what reads it.
#include "history/recorder.h"
#include "support/readings.h"

#include <cstdio>
#include <cstdlib>

int main(int argc, char** argv) {
    if (argc != 3)
        return 2;
    constexpr baton::history::Seconds start = 1'700'000'040;
    auto samples = baton::history::open_sqlite(argv[1]);
    if (!samples) {
        std::fprintf(stderr, "%s\n", samples.error().message().c_str());
        return 1;
    }
    const auto end = start + std::atoi(argv[2]);
    for (auto at = start; at < end; ++at) {
        auto reading = baton::testing::reading_at(at, 2);
        for (auto& desktop : reading.desktops)
            desktop.rates.memory_given_bytes = 2147483648.0;
        // one desktop, two people, one after the other
        reading.desktops.back().who.session =
            baton::SessionId(at < start + (end - start) / 2 ? "s-lee" : "s-park");
        const auto batch = baton::history::samples_of(**samples, reading);
        if (!batch || !(*samples)->append(*batch))
            return 1;
    }
    const bool done =
        (*samples)->annotate({"s-kim", "kim", "tiny-1", start}) && (*samples)->tend(end + 3, 100);
    return done ? 0 : 1;
}
