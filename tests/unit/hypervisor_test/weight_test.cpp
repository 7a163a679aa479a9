#include "hypervisor/cpu_weight.h"
#include "hypervisor/simulated.h"

#include <gtest/gtest.h>

namespace baton::hypervisor {
namespace {

TEST(CpuWeight, IsAWeightInVersion2AndSharesInVersion1) {
    EXPECT_EQ(cpu_shares(100, false), 100U);
    EXPECT_EQ(cpu_shares(10'000, false), 10'000U);
    EXPECT_EQ(cpu_shares(100, true), 1024U); // what every group begins with
    EXPECT_EQ(cpu_shares(250, true), 2560U);
    EXPECT_EQ(cpu_shares(1, true), 10U);
    EXPECT_EQ(cpu_shares(10'000, true), 102'400U); // of 262144
}

TEST(CpuWeight, ASimulatedHostSetsThemOrSaysWhyNot) {
    SimulatedSettings settings;
    DesktopSpec spec;
    spec.id = DesktopId("d-1");
    spec.image.id = OsImageId("tiny-1");
    spec.memory = 256_MiB;
    spec.screen_password = "s3cr3t";
    const auto able = make_simulated(settings);
    ASSERT_TRUE(able->start(spec));
    ASSERT_TRUE(able->set_cpu_weight(spec.id, 250));
    EXPECT_EQ(able->view().at(0).cpu_weight, 250U);
    settings.no_cpu_weights = "no control groups";
    const auto unable = make_simulated(settings);
    ASSERT_TRUE(unable->start(spec));
    const auto refused = unable->set_cpu_weight(spec.id, 250);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::unsupported);
    EXPECT_EQ(unable->view().at(0).cpu_weight, 100U);
}

} // namespace
} // namespace baton::hypervisor
