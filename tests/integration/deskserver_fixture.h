#pragma once

#include "deskserver/server.h"
#include "net/pki.h"
#include "process/child.h"
#include "process/run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <csignal>
#include <filesystem>
#include <mutex>
#include <poll.h>
#include <string>
#include <unistd.h>
#include <vector>

/// A desk server over throw-away folders with a throw-away CA, and holders of desks as QEMU's own
/// NBD client over TLS.
namespace baton::deskserver {

namespace fs = std::filesystem;

inline WallTime test_now() {
    return std::chrono::time_point_cast<std::chrono::milliseconds>(
        std::chrono::system_clock::now());
}

/// A folder that is gone with the test.
class TestFolder {
  public:
    TestFolder() {
        std::string name = (fs::temp_directory_path() / "baton-deskd-XXXXXX").string();
        path_ = ::mkdtemp(name.data());
    }

    ~TestFolder() {
        std::error_code ignored;
        fs::remove_all(path_, ignored);
    }

    TestFolder(const TestFolder&) = delete;
    TestFolder& operator=(const TestFolder&) = delete;

    [[nodiscard]] std::string operator/(const std::string& name) const {
        return path_ + "/" + name;
    }

  private:
    std::string path_;
};

/// One CA per test program; making keys takes a while.
inline const net::Authority& test_authority() {
    static const auto authority = net::Authority::create("Baton CA of a test", test_now()).value();
    return authority;
}

/// <folder>/<name>/{ca-cert,client-cert,client-key}.pem, the same as server-*: for either side.
inline std::string make_certificates(const TestFolder& folder, const std::string& name) {
    const auto path = folder / ("tls-" + name);
    const net::CertificateOrder order{name, {"127.0.0.1", "localhost"}, true, true};
    for (const auto* role : {"client", "server"})
        EXPECT_TRUE(net::keep_certificate(test_authority(), path, role, order, test_now()));
    return path;
}

/// The incidents of a server, in order.
class Incidents {
  public:
    void add(const Incident& incident) {
        const std::lock_guard lock(mutex_);
        seen_.push_back(incident);
        changed_.notify_all();
    }

    /// Waits until one of that kind came; each counts once. Its text.
    std::string wait(Incident::Kind kind) {
        std::unique_lock lock(mutex_);
        std::string text;
        const bool came = changed_.wait_for(lock, std::chrono::seconds(30), [&] {
            for (auto it = seen_.begin(); it != seen_.end(); ++it)
                if (it->kind == kind) {
                    text = it->text;
                    seen_.erase(it);
                    return true;
                }
            return false;
        });
        EXPECT_TRUE(came) << "no incident of kind " << static_cast<int>(kind) << " but "
                          << others();
        return text;
    }

    std::vector<Incident> all() {
        const std::lock_guard lock(mutex_);
        return seen_;
    }

  private:
    std::string others() const {
        std::string text = std::to_string(seen_.size()) + " others";
        for (const auto& incident : seen_)
            text += "\n  kind " + std::to_string(static_cast<int>(incident.kind)) + ": " +
                    incident.text;
        return text;
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<Incident> seen_;
};

/// A host that has a desk's disk open: qemu-io, told line by line.
class Holder {
  public:
    Holder(const DeskExport& desk, const std::string& tls)
        : child_(
              process::Child::start(process::find_program("qemu-io").value(), words(desk, tls), {})
                  .value()) {
        said_ = read_until({"qemu-io>", "rror", "denied", "ailed"});
    }

    static std::vector<std::string> words(const DeskExport& desk, const std::string& tls) {
        return {"qemu-io", "--object", "tls-creds-x509,id=t,endpoint=client,dir=" + tls,
                "--image-opts",
                "driver=nbd,server.type=inet,server.host=" + desk.server.address +
                    ",server.port=" + std::to_string(desk.server.port) +
                    ",export=" + desk.export_name + ",tls-creds=t"};
    }

    /// Whether the server let it in.
    [[nodiscard]] bool connected() const { return said_.find("qemu-io>") != std::string::npos; }

    /// What it says to the command, up to its next prompt.
    std::string tell(const std::string& line) {
        const std::string text = line + "\n";
        EXPECT_EQ(::write(child_.input.get(), text.data(), text.size()),
                  static_cast<ssize_t>(text.size()));
        return read_until({"qemu-io>"});
    }

    void write(const std::string& pattern, const std::string& offset, const std::string& length) {
        EXPECT_THAT(tell("write -P " + pattern + " " + offset + " " + length),
                    testing::HasSubstr("wrote"));
    }

    bool reads(const std::string& pattern, const std::string& offset, const std::string& length) {
        const auto said = tell("read -P " + pattern + " " + offset + " " + length);
        return said.find("read ") != std::string::npos &&
               said.find("verification failed") == std::string::npos &&
               said.find("error") == std::string::npos;
    }

  private:
    std::string read_until(const std::vector<std::string>& marks) {
        std::string text;
        while (true) {
            pollfd set[2] = {{child_.output.get(), POLLIN, 0}, {child_.error.get(), POLLIN, 0}};
            if (::poll(set, 2, 30'000) <= 0) {
                ADD_FAILURE() << "qemu-io is silent; it said: " << text;
                return text;
            }
            bool over = true;
            for (const auto& one : set) {
                char buffer[4096];
                const ssize_t n =
                    (one.revents & POLLIN) != 0 ? ::read(one.fd, buffer, sizeof buffer) : 0;
                if (n > 0) {
                    text.append(buffer, static_cast<std::size_t>(n));
                    over = false;
                }
            }
            for (const auto& mark : marks)
                if (text.find(mark) != std::string::npos)
                    return text;
            if (over)
                return text;
        }
    }

    process::Child child_;
    std::string said_;
};

class ServerTest : public testing::Test {
  protected:
    ServerTest() {
        settings_.desks = folder_ / "desks";
        settings_.runtime = folder_ / "run";
        const auto tls = make_certificates(folder_, "deskd");
        settings_.certificate = tls + "/server-cert.pem";
        settings_.key = tls + "/server-key.pem";
        settings_.authority = tls + "/ca-cert.pem";
        settings_.low_space_bytes = 0;
        host1_ = make_certificates(folder_, "host1");
        host2_ = make_certificates(folder_, "host2");
        settings_.end_exports_at_exit = true;
    }

    ~ServerTest() override {
        // whatever a test did and wherever it stopped: no storage daemon of it stays
        server_.reset();
        settings_.end_exports_at_exit = true;
        bool left = false;
        for (const auto& entry : fs::directory_iterator(settings_.runtime))
            left = left || entry.path().extension() == ".json";
        if (left)
            open();
    }

    void open() {
        auto opened = DeskServer::open(settings_, [this](const Incident& it) { seen_.add(it); });
        ASSERT_TRUE(opened) << opened.error().message();
        server_ = std::move(*opened);
    }

    /// As at kill -9: its threads end, its storage daemons go on.
    void die() {
        settings_.end_exports_at_exit = true;
        server_.reset();
    }

    /// A server that, when it dies, leaves its exports.
    void open_mortal() {
        settings_.end_exports_at_exit = false;
        open();
        settings_.end_exports_at_exit = true;
    }

    void create(const std::string& name, Mebibytes size = 256_MiB) {
        const auto made = server_->create(DeskName(name), "kim", size.bytes());
        ASSERT_TRUE(made) << made.error().message();
    }

    DeskExport lease(const std::string& name, std::uint64_t fence, const std::string& host) {
        auto leased = server_->lease(DeskName(name), FencingNumber{fence}, HostId(host));
        EXPECT_TRUE(leased) << leased.error().message();
        return leased.value_or(DeskExport{});
    }

    Errc lease_error(const std::string& name, std::uint64_t fence, const std::string& host) {
        const auto leased = server_->lease(DeskName(name), FencingNumber{fence}, HostId(host));
        EXPECT_FALSE(leased);
        return leased ? Errc::internal : leased.error().code;
    }

    pid_t process_of(const std::string& name) {
        return server_->show(DeskName(name)).value().exported.value().process;
    }

    TestFolder folder_;
    Settings settings_;
    std::string host1_;
    std::string host2_;
    Incidents seen_;
    std::unique_ptr<DeskServer> server_;
};

} // namespace baton::deskserver
