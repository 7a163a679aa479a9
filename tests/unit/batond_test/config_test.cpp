#include "programs/batond/config.h"
#include "programs/batond/loop.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <future>
#include <sstream>

namespace baton::controller {
namespace {

std::string file(const std::string& path) {
    std::ifstream stream(std::string(BATON_SOURCE) + "/" + path);
    std::ostringstream text;
    text << stream.rdbuf();
    return text.str();
}

std::string complaint(const std::string& text) {
    const auto config = parse_config(text, "batond.toml");
    return config ? "fine" : config.error().what;
}

TEST(BatondConfig, TheSampleSaysEveryKeyAndItsDefault) {
    const std::string sample = file("packaging/batond.toml");
    const auto config = parse_config(sample, "packaging/batond.toml");
    ASSERT_TRUE(config) << config.error().message();
    const Config otherwise;
    EXPECT_EQ(config->addresses, otherwise.addresses);
    EXPECT_EQ(config->port, otherwise.port);
    EXPECT_EQ(config->local_socket, otherwise.local_socket);
    EXPECT_EQ(config->state_dir, otherwise.state_dir);
    EXPECT_EQ(config->desk_server, otherwise.desk_server);
    EXPECT_EQ(config->desk_size_bytes, otherwise.desk_size_bytes);
    EXPECT_EQ(config->helper_socket, otherwise.helper_socket);
    EXPECT_EQ(config->host_reserve, otherwise.host_reserve);
    EXPECT_EQ(config->host_reserve_percent, otherwise.host_reserve_percent);
    EXPECT_EQ(config->login_life, otherwise.login_life);
    EXPECT_EQ(config->invitation_life, otherwise.invitation_life);
    EXPECT_EQ(config->simulated_boot, otherwise.simulated_boot);
    EXPECT_EQ(config->retention, otherwise.retention);
    EXPECT_EQ(config->samples_store, otherwise.samples_store);
    EXPECT_EQ(config->samples_waiting, otherwise.samples_waiting);
    const history::Retention kept;
    EXPECT_EQ(config->samples.seconds, kept.seconds);
    EXPECT_EQ(config->samples.minutes, kept.minutes);
    EXPECT_EQ(config->samples.hours, kept.hours);
    EXPECT_EQ(config->samples.most_bytes, kept.most_bytes);
    const handoff::EngineSettings usual;
    EXPECT_EQ(config->engine.sizes.largest, usual.sizes.largest);
    EXPECT_EQ(config->engine.sizes.levels, usual.sizes.levels);
    EXPECT_EQ(config->engine.policy, usual.policy);
    EXPECT_EQ(config->engine.grace, usual.grace);
    EXPECT_EQ(config->engine.not_now_delay, usual.not_now_delay);
    EXPECT_EQ(config->engine.close_grace, usual.close_grace);
    EXPECT_EQ(config->engine.waiting_deadline, usual.waiting_deadline);
    EXPECT_EQ(config->engine.ready_deadline, usual.ready_deadline);
    EXPECT_EQ(config->engine.host_lost_after, usual.host_lost_after);
    EXPECT_EQ(config->engine.screen_password_life, usual.screen_password_life);
    EXPECT_EQ(config->route, std::nullopt);
    EXPECT_EQ(config->engine.first_listen_port, usual.first_listen_port);
    EXPECT_EQ(config->engine.last_listen_port, usual.last_listen_port);
    std::string section;
    std::set<std::string> said;
    std::istringstream lines(sample);
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with('['))
            section = line.substr(1, line.find(']') - 1);
        else if (!line.starts_with('#') && line.find(" = ") != std::string::npos)
            said.insert(section + "." + line.substr(0, line.find(' ')));
    }
    for (const std::string& key : config_keys())
        EXPECT_TRUE(said.contains(key)) << key << " is not in packaging/batond.toml";
}

TEST(BatondConfig, SamplesAreKeptWhereItSays) {
    const auto place = [](const std::string& store) {
        const auto config = parse_config(
            "[state]\ndir = \"/srv/baton\"\n[samples]\nstore = \"" + store + "\"\n", "batond.toml");
        return config ? config->samples_place() : config.error().what;
    };
    EXPECT_EQ(Config().samples_place(), "/var/lib/baton/samples.db");
    EXPECT_EQ(place("sqlite"), "/srv/baton/samples.db");
    EXPECT_EQ(place("sqlite:/data/samples.db"), "/data/samples.db");
    EXPECT_EQ(place("mysql://baton@db1/samples"), "mysql://baton@db1/samples");
    EXPECT_EQ(place("none"), "");
    for (const char* wrong :
         {"", "postgres://baton@db1/samples", "sqlite:samples.db", "mysql://db1"})
        EXPECT_NE(place(wrong).find("batond.toml:4: samples.store: "), std::string::npos) << wrong;
}

TEST(BatondConfig, SamplesAreKeptAsLongAsItSays) {
    const auto config = parse_config("[samples]\nseconds = \"1d\"\nminutes = \"7d\"\nhours = "
                                     "\"30d\"\nmost_size = \"1GiB\"\nmost_waiting = \"8MiB\"\n",
                                     "batond.toml");
    ASSERT_TRUE(config) << config.error().message();
    EXPECT_EQ(config->samples.seconds, std::chrono::hours(24));
    EXPECT_EQ(config->samples.hours, std::chrono::hours(24 * 30));
    EXPECT_EQ(config->samples.most_bytes, std::int64_t{1} << 30);
    EXPECT_EQ(config->samples_waiting, Mebibytes(8));
    EXPECT_NE(complaint("[samples]\nseconds = \"60d\"\n").find("samples.minutes"),
              std::string::npos);
    EXPECT_NE(complaint("[samples]\nseconds = \"1h\"\n").find("less than two hours"),
              std::string::npos);
    EXPECT_NE(complaint("[samples]\nmost_size = \"1MiB\"\n").find("samples.most_size"),
              std::string::npos);
}

TEST(BatondConfig, EveryKeyIsDocumented) {
    const std::string text = file("docs/configuration.md");
    for (const std::string& key : config_keys())
        EXPECT_NE(text.find("`" + key + "`"), std::string::npos) << key;
}

TEST(BatondConfig, MistakesAreNamedWithFileLineAndKey) {
    EXPECT_EQ(complaint("[listen]\n\nport = \"high\"\n"),
              "batond.toml:3: listen.port: is not a whole number from 0 to 65535");
    EXPECT_EQ(complaint("[listen]\nprot = 1\n"),
              "batond.toml:2: listen.prot: is not a key of Baton's");
    EXPECT_EQ(complaint("[lisen]\nport = 1\n"),
              "batond.toml:2: lisen.port: is not a key of Baton's");
    EXPECT_EQ(complaint("port = 1\n"), "batond.toml:1: port: is not a key of Baton's");
    EXPECT_NE(complaint("[handoff]\ngrace = \"soon\"").find("batond.toml:2: handoff.grace"),
              std::string::npos);
    EXPECT_NE(complaint("[allocation]\nlargest = \"4\"").find("no unit"), std::string::npos);
    EXPECT_NE(complaint("[allocation]\nlargest = \"100MiB\"\nlevels = 5").find("smallest size"),
              std::string::npos);
    EXPECT_NE(complaint("[allocation]\nlevels = 0").find("allocation.levels"), std::string::npos);
    EXPECT_NE(complaint("[routing]\nfirst_port = 7000\nlast_port = 6000").find("is before"),
              std::string::npos);
    EXPECT_NE(complaint("[process]\nlog_level = \"loud\"").find("debug"), std::string::npos);
    EXPECT_NE(complaint("[listen]\naddress = [1]").find("not text"), std::string::npos);
    EXPECT_NE(complaint("[listen").find("batond.toml:1"), std::string::npos);
    EXPECT_EQ(complaint(""), "fine");
    EXPECT_EQ(read_config("/nowhere/batond.toml").error().code, Errc::not_found);
}

RC_GTEST_PROP(BatondConfig, AnyBytesAreReadOrRefused, (const std::string& bytes)) {
    (void)parse_config(bytes, "x");
    (void)parse_duration(bytes);
}

TEST(BatondConfig, Durations) {
    using std::chrono::milliseconds;
    EXPECT_EQ(parse_duration("500ms").value(), milliseconds(500));
    EXPECT_EQ(parse_duration("5min").value(), milliseconds(300'000));
    EXPECT_EQ(parse_duration("0s").value(), milliseconds(0));
    for (const char* wrong : {"", "5", "s", "-1s", "5 s", "1m", "99999999999999d", "1e3s"})
        EXPECT_FALSE(parse_duration(wrong)) << wrong;
}

TEST(BatondConfig, HowLongHistoryIsKept) {
    using std::chrono::hours;
    EXPECT_EQ(parse_config("", "x")->retention, Retention{});
    const auto kept = [](const std::string& words) {
        return parse_config("[retention]\nevents = \"" + words + "\"", "x");
    };
    EXPECT_EQ(kept("36h")->retention.events, hours(36));
    EXPECT_EQ(kept("3650d")->retention.events, hours(87'600));
    EXPECT_EQ(kept("for ever")->retention.events, hours(0));
    for (const char* wrong : {"0s", "59min", "", "never", "4000d"})
        EXPECT_FALSE(kept(wrong)) << wrong;
    EXPECT_FALSE(parse_config("[retention]\nmost_events = 999", "x"));
    EXPECT_EQ(parse_config("[retention]\nsessions = \"30d\"", "x")->retention.sessions, hours(720));
}

TEST(BatondConfig, TheReserveIsTheLargerOfBoth) {
    const Config config;
    EXPECT_EQ(config.reserve(4_GiB), 1_GiB);
    EXPECT_EQ(config.reserve(100_GiB), 10_GiB);
    EXPECT_EQ(parse_config("[allocation]\nno_host_reserve = true", "x")->reserve(4_GiB),
              Mebibytes(0));
}

TEST(Loop, ActionsRunInOrderAndTimersWhenTheyAreDue) {
    std::vector<int> order; // outlives the loop's thread
    Loop loop;
    std::promise<void> done;
    const auto ran = [&](int which) {
        order.push_back(which);
        if (order.size() == 4)
            done.set_value();
    };
    loop.post([&] {
        loop.after(std::chrono::milliseconds(2), [&] { ran(3); });
        loop.after(std::chrono::nanoseconds(0), [&] { ran(2); });
        ran(0);
    });
    loop.post([&] { ran(1); });
    done.get_future().wait();
    loop.stop();
    ASSERT_EQ(order.size(), 4U);
    EXPECT_EQ(order.front(), 0);
    // the second action may come late from this thread, even after both timers
    EXPECT_LT(std::ranges::find(order, 2), std::ranges::find(order, 3));
    EXPECT_NE(std::ranges::find(order, 1), order.end());
}

TEST(Loop, ACancelledTimerNeverRuns) {
    std::atomic<bool> ran = false;
    Loop loop;
    loop.run_and_wait([&] {
        const auto timer = loop.after(std::chrono::milliseconds(1), [&] { ran = true; });
        loop.cancel(timer);
        loop.cancel(timer); // again, and of one that is unknown: nothing happens
    });
    std::promise<void> later;
    loop.after(std::chrono::milliseconds(5), [&] { later.set_value(); });
    later.get_future().wait();
    EXPECT_FALSE(ran);
}

TEST(Loop, AnActionMayOwnWhatCancelsATimer) {
    Loop loop;

    struct Canceller {
        Loop& loop;
        handoff::Clock::TimerId other;

        ~Canceller() { loop.cancel(other); }
    };

    const auto far = loop.after(std::chrono::hours(1), [] {});
    auto canceller = std::make_shared<Canceller>(loop, far);
    const auto owner = loop.after(std::chrono::hours(1), [canceller] {});
    canceller.reset();
    loop.cancel(owner);
    loop.run_and_wait([] {});
}

TEST(InOrder, CallsOfOneKeyRunInOrderAndKeysSideBySide) {
    Pool pool(4);
    InOrder in_order(pool);
    std::mutex mutex;
    std::map<std::string, std::vector<int>> ran;
    std::atomic<int> left = 300;
    std::promise<void> done;
    for (int i = 0; i < 100; ++i)
        for (const char* key : {"a", "b", "c"})
            in_order.run(key, [&, i, key] {
                {
                    const std::lock_guard lock(mutex);
                    ran[key].push_back(i);
                }
                if (--left == 0)
                    done.set_value();
            });
    done.get_future().wait();
    pool.stop();
    for (const auto& [key, numbers] : ran)
        EXPECT_TRUE(std::ranges::is_sorted(numbers)) << key;
}

} // namespace
} // namespace baton::controller
