#include "hypervisor_contract/libvirt_world.h"
#include "process/run.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <signal.h>

/// The desk over NBD with TLS, as between hosts and the desk server. BATON_TEST_PKI is the folder
/// that tests/integration/with_test_pki made and gave to libvirtd.
namespace baton::hypervisor::contract {

namespace {

process::Finished run(const std::vector<std::string>& words) {
    process::Command command;
    command.words = words;
    const auto done = process::run(command);
    return done ? *done : process::Finished{-1, {}, done.error().message()};
}

/// A desk server's process; ended with the test.
class Server {
  public:
    Server(const std::string& pki, const std::string& disk, std::uint16_t port)
        : pid_file_(disk + ".pid") {
        run({"truncate", "-s", "8M", disk});
        const auto done =
            run({"qemu-nbd", "--fork", "--persistent", "--pid-file", pid_file_, "--object",
                 "tls-creds-x509,id=tls,endpoint=server,verify-peer=on,dir=" + pki, "--tls-creds",
                 "tls", "--bind", "127.0.0.1", "--port", std::to_string(port), "--export-name",
                 "desk", "--format", "raw", disk});
        EXPECT_EQ(done.status, 0) << done.error;
    }

    ~Server() {
        std::ifstream file(pid_file_);
        pid_t pid = 0;
        if (file >> pid && pid > 1)
            ::kill(pid, SIGKILL);
    }

    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

  private:
    std::string pid_file_;
};

DeskDisk disk(std::uint16_t port, bool tls) {
    DeskDisk disk;
    disk.tls = tls;
    disk.source.fence = FencingNumber{1};
    disk.source.server = Endpoint{"127.0.0.1", port};
    disk.source.export_name = "desk";
    return disk;
}

} // namespace

TEST(LibvirtTls, OnlyAServerOfOurAuthorityIsTrustedAndOnlyOverTls) {
    const char* pki = std::getenv("BATON_TEST_PKI");
    ASSERT_NE(pki, nullptr) << "run this through ctest";
    LibvirtWorld world;
    const DesktopSpec spec = world.spec("tls");
    const auto started = world.hypervisor().start(spec);
    ASSERT_TRUE(started) << started.error().message();
    const Server ours(std::string(pki) + "/server", world.desk_file(1), 20'001);
    const Server stranger(std::string(pki) + "/stranger", world.desk_file(2), 20'002);

    EXPECT_FALSE(world.hypervisor().attach_disk(spec.id, disk(20'001, false)))
        << "the server takes nobody without TLS";
    const auto fooled = world.hypervisor().attach_disk(spec.id, disk(20'002, true));
    ASSERT_FALSE(fooled) << "its certificate is of another authority";
    EXPECT_FALSE(world.hypervisor().list()->front().desk_attached);

    const auto attached = world.hypervisor().attach_disk(spec.id, disk(20'001, true));
    ASSERT_TRUE(attached) << attached.error().message();
    EXPECT_TRUE(world.hypervisor().list()->front().desk_attached);
    ASSERT_TRUE(world.wait_ready(spec.id));
    ASSERT_TRUE(world.hypervisor().detach_disk(spec.id));
    EXPECT_TRUE(world.events().wait(
        [](const Event& event) { return std::holds_alternative<DiskDetached>(event); },
        World::patience));
}

} // namespace baton::hypervisor::contract
