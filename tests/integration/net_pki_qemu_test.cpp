// The built-in CA's certificates as QEMU (gnutls) judges them: an NBD export over TLS.
#include "net/pki.h"
#include "support/temporary_directory.h"

#include <gtest/gtest.h>

#include <chrono>
#include <fcntl.h>
#include <fstream>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace baton::net {
namespace {

using baton::testing::TemporaryDirectory;

/// Runs a program to its end; its output goes to `log`.
int run(std::vector<std::string> arguments, const std::string& log) {
    std::vector<char*> raw;
    for (auto& argument : arguments)
        raw.push_back(argument.data());
    raw.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    pid_t child = 0;
    const int error = ::posix_spawnp(&child, raw[0], &actions, nullptr, raw.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0)
        return -1;
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

std::string content(const std::string& path) {
    return read_small_file(path).value_or("");
}

class Nbd : public ::testing::Test {
  protected:
    /// `qemu-nbd --fork` returns when it listens, and ends with its last client.
    int export_disk(const std::string& tls) {
        return run({"qemu-nbd", "--fork", "--pid-file", folder_.file("pid"), "--object",
                    "tls-creds-x509,id=t,endpoint=server,verify-peer=on,dir=" + tls, "--tls-creds",
                    "t", "-f", "raw", "-k", folder_.file("nbd.sock"), folder_.file("disk")},
                   log_);
    }

    /// "" = opened, otherwise what qemu-img said.
    std::string open_disk(const std::string& tls) {
        const int status =
            run({"qemu-img", "info", "--object", "tls-creds-x509,id=c,endpoint=client,dir=" + tls,
                 "--image-opts",
                 "driver=nbd,server.type=unix,server.path=" + folder_.file("nbd.sock") +
                     ",tls-creds=c,tls-hostname=10.0.0.9"},
                folder_.file("info"));
        return status == 0
                   ? ""
                   : "status " + std::to_string(status) + ": " + content(folder_.file("info"));
    }

    void SetUp() override {
        std::ofstream(folder_.file("disk")) << std::string(1024 * 1024, '\0');
        CertificateOrder server;
        server.common_name = "deskd";
        server.names = {"10.0.0.9"};
        server.server = true;
        CertificateOrder client;
        client.common_name = "host1";
        client.client = true;
        ASSERT_TRUE(keep_certificate(ours_, folder_.file("server"), "server", server, now_));
        ASSERT_TRUE(keep_certificate(ours_, folder_.file("client"), "client", client, now_));
        ASSERT_TRUE(keep_certificate(other_, folder_.file("stranger"), "client", client, now_));
        // The stranger knows the right CA; only its own certificate is another's.
        ASSERT_TRUE(
            write_private_file(folder_.file("stranger/ca-cert.pem"), ours_.certificate_pem()));
    }

    void TearDown() override {
        const auto pid = content(folder_.file("pid"));
        if (!pid.empty())
            ::kill(std::stoi(pid), SIGKILL); // gone already, if its client came
    }

    TemporaryDirectory folder_;
    std::string log_ = folder_.file("log");
    WallTime now_ = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
    Authority ours_ = Authority::create("Baton CA", now_).value();
    Authority other_ = Authority::create("Baton CA", now_).value();
};

TEST_F(Nbd, QemuAcceptsOurCertificatesOnBothSides) {
    ASSERT_EQ(export_disk(folder_.file("server")), 0) << content(log_);
    EXPECT_EQ(open_disk(folder_.file("client")), "");
}

TEST_F(Nbd, QemuRefusesAClientOfAnotherCa) {
    ASSERT_EQ(export_disk(folder_.file("server")), 0) << content(log_);
    EXPECT_NE(open_disk(folder_.file("stranger")), "");
}

} // namespace
} // namespace baton::net
