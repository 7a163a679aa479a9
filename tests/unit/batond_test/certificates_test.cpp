#include "programs/batond/certificates.h"
#include "store/memory.h"
#include "support/simulated_clock.h"
#include "support/temporary_directory.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <vector>

// Certificates over a year of simulated time, while batond runs.
namespace baton::controller {
namespace {

using namespace std::chrono_literals;

struct CertificatesTest : ::testing::Test {
    testing::TemporaryDirectory folder;
    store::MemoryStore store;
    testing::SimulatedClock clock;
    net::Authority authority = net::Authority::create("Baton CA of boot1", clock.wall()).value();
    std::vector<std::string> complaints;
    CertificateKeeper keeper =
        keeper_of({{"api", "server", {"boot1", {"localhost"}, true, false}},
                   {"controller", "client", {"controller", {}, false, true}}});

    CertificateKeeper keeper_of(std::vector<SiteCertificate> wanted) {
        return {authority,
                folder.file("pki"),
                std::move(wanted),
                {store, clock, [] {},
                 [this](const Error& error) { complaints.push_back(error.message()); }}};
    }

    void run(std::chrono::nanoseconds time) {
        const auto until = clock.monotonic() + time;
        while (clock.run_one(until)) {
        }
        clock.advance_to(until);
    }

    /// The same to the wall clock, in which certificates live: two days are gone through, not every
    /// hour of a year.
    void let_pass(std::chrono::nanoseconds time) {
        clock.jump_wall(std::chrono::duration_cast<std::chrono::milliseconds>(time - 48h));
        run(48h);
    }

    std::string file(const std::string& name) {
        return net::read_small_file(folder.file("pki/" + name)).value();
    }

    std::vector<store::EventRow> events(std::string_view kind) {
        auto all = store.events(0, 10'000).value();
        std::erase_if(all, [&](const store::EventRow& row) { return row.kind != kind; });
        return all;
    }

    void join(const HostId& host) {
        const auto request = net::make_signing_request(host.value).value();
        const auto certificate = keeper.sign_host(host, request.csr_pem).value();
        store::Change change;
        store::HostRow row;
        row.id = host;
        row.joined = true;
        row.certificate_sha256 = net::inspect_certificate(certificate)->sha256;
        change.hosts = {row};
        ASSERT_TRUE(store.commit(change));
    }
};

TEST_F(CertificatesTest, AreRenewedWhileItRunsAndKeepTheirKeys) {
    ASSERT_EQ(keeper.keep()->size(), 2U);
    const auto first = file("api/server-cert.pem");
    const auto key = file("api/server-key.pem");
    keeper.begin();
    let_pass(334 * 24h);
    EXPECT_EQ(file("api/server-cert.pem"), first);
    EXPECT_TRUE(events("certificate.renewed").empty());
    run(2 * 24h);
    EXPECT_NE(file("api/server-cert.pem"), first);
    EXPECT_TRUE(
        net::check_certificate(file("api/server-cert.pem"), key, authority.certificate_pem()));
    const auto told = events("certificate.renewed");
    ASSERT_EQ(told.size(), 2U);
    EXPECT_NE(told[0].text.find("api/server-cert.pem"), std::string::npos) << told[0].text;
    for (int year = 0; year < 3; ++year) {
        let_pass(365 * 24h);
        EXPECT_GE(net::inspect_certificate(file("api/server-cert.pem"))->not_after,
                  clock.wall() + net::certificate_renewal - 24h);
    }
    EXPECT_TRUE(complaints.empty());
}

TEST_F(CertificatesTest, OneThatCannotBeRenewedStaysIsSaidOnceADayAndTriedAgain) {
    ASSERT_TRUE(keeper.keep());
    const auto first = file("api/server-cert.pem");
    keeper.begin();
    let_pass(334 * 24h);
    std::filesystem::remove(folder.file("pki/api/ca-cert.pem"));
    std::filesystem::create_directory(folder.file("pki/api/ca-cert.pem")); // stops root too
    run(49h);
    ASSERT_EQ(complaints.size(), 3U);
    EXPECT_NE(complaints[0].find("renewing " + folder.file("pki/api/server-cert.pem")),
              std::string::npos)
        << complaints[0];
    EXPECT_EQ(file("api/server-cert.pem"), first);
    EXPECT_EQ(events("certificate.renewed").size(), 1U) << "the controller's stands on its own";
    std::filesystem::remove(folder.file("pki/api/ca-cert.pem"));
    run(1h);
    EXPECT_EQ(events("certificate.renewed").size(), 2U);
    EXPECT_NE(file("api/server-cert.pem"), first);
    EXPECT_EQ(complaints.size(), 3U);
}

TEST_F(CertificatesTest, AClockThatJumpsCostsAnHour) {
    ASSERT_TRUE(keeper.keep());
    keeper.begin();
    const auto good_now = [&] {
        const auto info = net::inspect_certificate(file("api/server-cert.pem")).value();
        return info.not_before <= clock.wall() &&
               info.not_after >= clock.wall() + net::certificate_renewal;
    };
    for (const auto jump : {-72h, 24h, 800 * 24h, -800 * 24h}) {
        clock.jump_wall(jump);
        run(1h);
        EXPECT_TRUE(good_now()) << jump.count() << " h";
    }
    EXPECT_EQ(events("certificate.renewed").size(), 6U) << "not where it jumped by a day";
    EXPECT_TRUE(complaints.empty());
}

TEST_F(CertificatesTest, AHostsIsWarnedOfOnceADayFromThirtyDaysAhead) {
    CertificateKeeper hosts = keeper_of({}); // nothing of the site's own costs time here
    join(HostId("host1"));
    hosts.begin();
    let_pass(100 * 24h);
    join(HostId("host2"));
    let_pass((365 - 30 - 100) * 24h - 1h);
    EXPECT_TRUE(events("host.certificate_expires").empty());
    run(25h);
    auto warned = events("host.certificate_expires");
    ASSERT_EQ(warned.size(), 1U);
    EXPECT_EQ(warned[0].subject, "host1");
    EXPECT_NE(warned[0].text.find("in 29 days"), std::string::npos) << warned[0].text;
    hosts.begin(); // as a restart does
    EXPECT_EQ(events("host.certificate_expires").size(), 1U) << "not twice a day";
    join(HostId("host1")); // anew
    let_pass(40 * 24h);
    EXPECT_EQ(events("host.certificate_expires").size(), 1U);
    let_pass((435 - 376) * 24h);
    run(11 * 24h);
    let_pass(30 * 24h);
    warned = events("host.certificate_expires");
    ASSERT_GT(warned.size(), 10U);
    EXPECT_EQ(warned.back().subject, "host2");
    EXPECT_NE(warned.back().text.find("has ended on"), std::string::npos) << warned.back().text;
}

TEST_F(CertificatesTest, AHostOfBeforeThisWasWrittenDownIsLeftAlone) {
    store::Change change;
    store::HostRow row;
    row.id = HostId("host1");
    row.joined = true;
    row.certificate_sha256 = "ab";
    change.hosts = {row};
    ASSERT_TRUE(store.commit(change));
    keeper.begin();
    let_pass(400 * 24h);
    EXPECT_TRUE(events("host.certificate_expires").empty());
    EXPECT_TRUE(complaints.empty());
}

} // namespace
} // namespace baton::controller
