// baton-deskd, the program: started, killed, started again; its complaints.
#include "deskserver/client.h"
#include "integration/deskserver_fixture.h"

#include <fstream>

namespace baton::deskserver {
namespace {

using testing::HasSubstr;

class DeskdTest : public testing::Test {
  protected:
    DeskdTest() {
        tls_ = make_certificates(folder_, "deskd");
        controller_ = make_certificates(folder_, "controller");
        host_ = make_certificates(folder_, "host1");
        configure("");
    }

    ~DeskdTest() override {
        // ends the exports too, those of a killed program as well
        child_.reset();
        configure("end_at_exit = true\n");
        start();
        if (client_)
            child_->kill_group();
    }

    void configure(const std::string& exports) {
        std::ofstream(folder_ / "deskd.toml")
            << "[listen]\naddress = '127.0.0.1'\nport = 0\n[tls]\ncertificate = '" << tls_
            << "/server-cert.pem'\nkey = '" << tls_ << "/server-key.pem'\nauthority = '" << tls_
            << "/ca-cert.pem'\n[desks]\nfolder = '" << (folder_ / "desks")
            << "'\n[exports]\nruntime = '" << (folder_ / "run") << "'\n"
            << exports;
    }

    void start() {
        auto child = process::Child::start(BATON_DESKD,
                                           {"baton-deskd", "--config", folder_ / "deskd.toml"}, {});
        ASSERT_TRUE(child) << child.error().message();
        child_ = std::make_unique<process::Child>(std::move(*child));
        std::string said;
        while (said.find('\n') == std::string::npos) {
            pollfd wait{child_->output.get(), POLLIN, 0};
            ASSERT_EQ(::poll(&wait, 1, 20'000), 1) << "baton-deskd does not come up";
            char buffer[512];
            const ssize_t n = ::read(child_->output.get(), buffer, sizeof buffer);
            ASSERT_GT(n, 0) << "baton-deskd ended: " << errors();
            said.append(buffer, static_cast<std::size_t>(n));
        }
        const std::string mark = "listening on ";
        ASSERT_EQ(said.find(mark), 0U) << said;
        net::ClientSettings settings;
        settings.url = said.substr(mark.size(), said.find('\n') - mark.size());
        settings.tls = {controller_ + "/client-cert.pem", controller_ + "/client-key.pem",
                        controller_ + "/ca-cert.pem"};
        client_ = std::make_unique<Client>(Client::make(settings).value());
    }

    std::string errors() {
        char buffer[4096];
        const ssize_t n = ::read(child_->error.get(), buffer, sizeof buffer);
        return n > 0 ? std::string(buffer, static_cast<std::size_t>(n)) : std::string();
    }

    Result<process::Finished> run(const std::vector<std::string>& arguments) {
        process::Command command;
        command.words = {BATON_DESKD};
        command.words.insert(command.words.end(), arguments.begin(), arguments.end());
        return process::run(command);
    }

    TestFolder folder_;
    std::string tls_;
    std::string controller_;
    std::string host_;
    std::unique_ptr<process::Child> child_;
    std::unique_ptr<Client> client_;
};

TEST_F(DeskdTest, KilledAndStartedAgainItFindsItsExports) {
    start();
    const DeskName kim("kim");
    ASSERT_TRUE(client_->create(kim, "kim", (256_MiB).bytes()));
    const auto leased = client_->lease(kim, FencingNumber{1}, HostId("host1"));
    ASSERT_TRUE(leased) << leased.error().message();
    Holder holder(*leased, host_);
    ASSERT_TRUE(holder.connected());
    const auto daemon = client_->show(kim).value().exported->process;

    ::kill(child_->pid(), SIGKILL);
    child_->wait();
    holder.write("0x41", "10M", "4k");
    EXPECT_EQ(client_->lease(kim, FencingNumber{2}, HostId("host2")).error().code,
              Errc::unavailable);

    start();
    EXPECT_EQ(client_->show(kim).value().exported->process, daemon) << "adopted";
    EXPECT_EQ(client_->lease(kim, FencingNumber{1}, HostId("host1")).value(), *leased);
    EXPECT_TRUE(holder.reads("0x41", "10M", "4k"));

    // and both killed at once: what the lease says is served again
    ::kill(child_->pid(), SIGKILL);
    ::kill(daemon, SIGKILL);
    child_->wait();
    start();
    EXPECT_NE(client_->show(kim).value().exported->process, daemon);
    EXPECT_EQ(client_->lease(kim, FencingNumber{1}, HostId("host1")).value(), *leased);
    EXPECT_TRUE(Holder(*leased, host_).connected());
}

TEST_F(DeskdTest, AskedToEndItLeavesItsExportsAloneUnlessTold) {
    start();
    const DeskName kim("kim");
    ASSERT_TRUE(client_->create(kim, "kim", (256_MiB).bytes()));
    const auto leased = client_->lease(kim, FencingNumber{1}, HostId("host1")).value();
    ::kill(child_->pid(), SIGTERM);
    EXPECT_EQ(child_->wait(), 0);
    EXPECT_TRUE(Holder(leased, host_).connected());
    configure("end_at_exit = true\n");
    start();
    ::kill(child_->pid(), SIGTERM);
    EXPECT_EQ(child_->wait(), 0);
    EXPECT_FALSE(Holder(leased, host_).connected());
}

TEST_F(DeskdTest, ComplainsWithASentence) {
    auto said = run({"--config", "/no/such/file.toml"}).value();
    EXPECT_NE(said.status, 0);
    EXPECT_THAT(said.error, HasSubstr("/no/such/file.toml"));
    said = run({"--nonsense"}).value();
    EXPECT_EQ(said.status, 2);
    said = run({"--help"}).value();
    EXPECT_EQ(said.status, 0);
    EXPECT_THAT(said.out, HasSubstr("--config"));
    EXPECT_EQ(run({"--config", folder_ / "deskd.toml", "--check"}).value().status, 0);

    configure("address = '203.0.113.77'\n");
    start();
    ASSERT_TRUE(client_->create(DeskName("kim"), "kim", (256_MiB).bytes()));
    const auto leased = client_->lease(DeskName("kim"), FencingNumber{1}, HostId("host1"));
    ASSERT_FALSE(leased);
    EXPECT_THAT(leased.error().message(), HasSubstr("203.0.113.77"));
    said = run({"--config", folder_ / "deskd.toml"}).value();
    EXPECT_EQ(said.status, 1);
    EXPECT_THAT(said.error, HasSubstr("another desk server keeps the desks"));

    configure("program = 'no-such-storage-daemon'\n");
    said = run({"--config", folder_ / "deskd.toml"}).value();
    EXPECT_EQ(said.status, 1);
    EXPECT_THAT(said.error, HasSubstr("no-such-storage-daemon"));
}

} // namespace
} // namespace baton::deskserver
