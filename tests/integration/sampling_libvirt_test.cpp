/// The collector beside a real libvirtd: followed by events, measured without it, restarted under
/// it, stopped under it. And any other driver: libvirt's own test driver with a thousand VMs.
#include "hypervisor/libvirt_handles.h"
#include "monitor/codec.h"
#include "process/run.h"
#include "sampling/collector.h"
#include "support/temporary_directory.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <thread>

namespace baton::sampling {
namespace {

using namespace std::chrono_literals;
using monitor::DesktopReading;
using monitor::DomainState;
using monitor::Reading;
using SteadyClock = std::chrono::steady_clock;

std::string environment(const char* name) {
    const char* value = std::getenv(name);
    return value != nullptr ? value : "";
}

CollectorSettings settings(const std::string& uri) {
    CollectorSettings wanted;
    wanted.host = HostId("here");
    wanted.libvirt_uri = uri;
    wanted.fast_period = 100ms;
    wanted.slow_period = 1'000ms;
    wanted.disks_every = 1;
    return wanted;
}

/// Collects until `holds`, or until the deadline; the last reading.
template <class Holds>
const Reading& collect_until(Collector& collector, Holds holds,
                             std::chrono::seconds deadline = 60s) {
    const auto until = SteadyClock::now() + deadline;
    const Reading* reading = &collector.collect();
    while (!holds(*reading) && SteadyClock::now() < until) {
        std::this_thread::sleep_for(100ms); // the pace of measuring, not a wait for a state
        reading = &collector.collect();
    }
    EXPECT_TRUE(holds(*reading)) << "after " << deadline.count() << " s";
    return *reading;
}

auto has_desktops(std::size_t count) {
    return [count](const Reading& reading) { return reading.desktops.size() == count; };
}

const DesktopReading* find(const Reading& reading, const std::string& name) {
    for (const DesktopReading& one : reading.desktops)
        if (one.who.name == name)
            return &one;
    return nullptr;
}

/// A tiny machine that does nothing: no disk with an operating system, paused or running firmware.
std::string domain_xml(const std::string& name) {
    return fmt::format(
        "<domain type='qemu'><name>{}</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>"
        "<os><type arch='x86_64' machine='pc'>hvm</type></os><devices>"
        "<emulator>/usr/bin/qemu-system-x86_64</emulator>"
        "<controller type='usb' model='none'/>"
        "<memballoon model='virtio'><stats period='1'/></memballoon></devices></domain>",
        name);
}

class BesideLibvirt : public ::testing::Test {
  protected:
    void SetUp() override {
        uri_ = environment("BATON_LIBVIRT_URI");
        ASSERT_FALSE(uri_.empty()) << "run this through ctest, which starts lab/with-libvirtd";
        connection_ = virConnectOpen(uri_.c_str());
        ASSERT_NE(connection_, nullptr);
    }

    void TearDown() override {
        for (virDomainPtr domain : domains_) {
            virDomainDestroy(domain);
            virDomainFree(domain);
        }
        if (connection_ != nullptr)
            virConnectClose(connection_);
    }

    virDomainPtr start(const std::string& name, unsigned flags = 0) {
        virDomainPtr domain = virDomainCreateXML(connection_, domain_xml(name).c_str(), flags);
        EXPECT_NE(domain, nullptr) << virGetLastErrorMessage();
        domains_.push_back(domain);
        return domain;
    }

    std::string uri_;
    virConnectPtr connection_ = nullptr;
    std::vector<virDomainPtr> domains_;
};

TEST_F(BesideLibvirt, FollowsDomainsByTheirEvents) {
    start("early", VIR_DOMAIN_START_PAUSED);
    Collector collector(settings(uri_));
    collect_until(collector, has_desktops(1));
    virDomainPtr late = start("late");
    const Reading& both = collect_until(collector, [](const Reading& reading) {
        const auto* one = find(reading, "late");
        return reading.desktops.size() == 2 && one != nullptr && one->rates.cpu_percent.corrected;
    });
    EXPECT_EQ(find(both, "early")->who.state, DomainState::paused);
    EXPECT_EQ(find(both, "late")->who.state, DomainState::running);
    EXPECT_EQ(find(both, "late")->who.given, Mebibytes(32));
    EXPECT_GT(find(both, "late")->rates.rss_bytes.value_or(0), 1'000'000);
    ASSERT_EQ(virDomainDestroy(late), 0);
    collect_until(collector, has_desktops(1));
}

TEST_F(BesideLibvirt, AsksTheHypervisorSlowly) {
    start("one");
    Collector collector(settings(uri_));
    const Reading& reading = collect_until(collector, [](const Reading& now) {
        const auto* one = find(now, "one");
        return one != nullptr && one->rates.memory_given_bytes.has_value();
    });
    EXPECT_EQ(find(reading, "one")->rates.memory_given_bytes, 32.0 * 1024 * 1024);
    // there is no guest to say anything
    EXPECT_EQ(find(reading, "one")->rates.memory.corrected, std::nullopt);
}

TEST_F(BesideLibvirt, MeasuresOnWhileLibvirtdHangs) {
    start("one");
    Collector collector(settings(uri_));
    collect_until(collector, [](const Reading& now) {
        const auto* one = find(now, "one");
        return one != nullptr && one->rates.memory_given_bytes.has_value();
    });
    pid_t daemon = 0;
    std::ifstream(environment("BATON_LIBVIRTD_PID_FILE")) >> daemon;
    ASSERT_GT(daemon, 1);
    ASSERT_EQ(::kill(daemon, SIGSTOP), 0);
    // the fast tier goes on; what only libvirt can tell becomes a gap
    const Reading& reading = collect_until(collector, [](const Reading& now) {
        const auto* one = find(now, "one");
        return one != nullptr && !one->rates.memory_given_bytes;
    });
    const auto* one = find(reading, "one");
    const bool measured = one != nullptr && one->rates.cpu_percent.corrected.has_value();
    const auto begun = SteadyClock::now();
    collector.collect();
    const auto took = SteadyClock::now() - begun;
    ASSERT_EQ(::kill(daemon, SIGCONT), 0);
    EXPECT_TRUE(measured);
    EXPECT_LT(took, 10s); // it did not wait for the answer, which would never have come
    collect_until(collector, [](const Reading& now) {
        const auto* back = find(now, "one");
        return back != nullptr && back->rates.memory_given_bytes.has_value();
    });
}

TEST_F(BesideLibvirt, AVmThatIsKilledIsGoneAtTheNextReading) {
    virDomainPtr domain = start("one");
    Collector collector(settings(uri_));
    collect_until(collector, has_desktops(1));
    ASSERT_EQ(virDomainDestroy(domain), 0); // returns when the process has ended
    EXPECT_TRUE(collector.collect().desktops.empty());
}

TEST(AnyOtherDriver, IsAskedForEverythingAtOnce) {
    baton::testing::TemporaryDirectory folder;
    {
        std::ofstream node(folder.file("node.xml"));
        node << "<node>";
        for (int i = 0; i < 1000; ++i)
            node << fmt::format("<domain type='test'><name>vm{:04}</name>"
                                "<memory>65536</memory><vcpu>2</vcpu>"
                                "<os><type>hvm</type></os></domain>",
                                i);
        node << "</node>";
    }
    Collector collector(settings("test://" + folder.file("node.xml")));
    const Reading& reading = collect_until(collector, [](const Reading& now) {
        return now.desktops.size() == 1000 &&
               std::ranges::all_of(now.desktops, [](const DesktopReading& one) {
                   return one.rates.cpu_percent.paper.has_value();
               });
    });
    EXPECT_EQ(reading.desktops[0].who.vcpus, 2U);
    EXPECT_EQ(reading.desktops[0].rates.memory_given_bytes, 64.0 * 1024 * 1024);
    // what that driver does not tell is no value
    EXPECT_EQ(reading.desktops[0].rates.disk_bytes.corrected, std::nullopt);
    EXPECT_EQ(reading.desktops[0].rates.cpu_percent.corrected, std::nullopt);
}

TEST(NoLibvirtd, LeavesTheHost) {
    std::string why;
    auto wanted = settings("qemu+unix:///system?socket=/nowhere/libvirt-sock");
    wanted.connection = [&](bool connected, const std::string& reason) {
        why = connected ? "connected" : reason;
    };
    Collector collector(wanted);
    const Reading& reading = collect_until(collector, [&](const Reading&) { return !why.empty(); });
    EXPECT_NE(why.find("/nowhere/libvirt-sock"), std::string::npos) << why;
    EXPECT_TRUE(reading.rates.memory_percent.corrected.has_value());
    EXPECT_TRUE(reading.desktops.empty());
}

} // namespace
} // namespace baton::sampling
