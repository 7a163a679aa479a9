/// What viewers cost who do nothing.
#include "fake_relay.h"
#include "fake_screen.h"
#include "peer.h"

#include <fmt/format.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <malloc.h>
#include <sys/wait.h>
#include <unistd.h>

namespace baton::gateway {
namespace {

/// Runs in a process of its own, so that only the gateway is measured here: says a number when it
/// is ready, and ends with its owner.
class Helper {
  public:
    /// `work` gets the ends of two pipes: what it is told, and where it answers.
    explicit Helper(const std::function<void(int told, int says)>& work) {
        std::array<int, 2> down{};
        std::array<int, 2> up{};
        if (::pipe(down.data()) != 0 || ::pipe(up.data()) != 0)
            throw std::runtime_error("no pipes");
        pid_ = ::fork();
        if (pid_ == 0) {
            ::close(down[1]);
            ::close(up[0]);
            work(down[0], up[1]);
            ::_exit(0);
        }
        ::close(down[0]);
        ::close(up[1]);
        to_ = process::Descriptor(down[1]);
        from_ = process::Descriptor(up[0]);
    }

    ~Helper() {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }

    Helper(const Helper&) = delete;
    Helper& operator=(const Helper&) = delete;

    void tell(std::uint16_t number) const {
        ASSERT_EQ(::write(to_.get(), &number, sizeof number), sizeof number);
    }

    /// 0: it has failed.
    [[nodiscard]] std::uint16_t answer() const {
        std::uint16_t number = 0;
        return ::read(from_.get(), &number, sizeof number) == sizeof number ? number : 0;
    }

  private:
    pid_t pid_ = -1;
    process::Descriptor to_;
    process::Descriptor from_;
};

void say(int pipe, std::uint16_t number) {
    if (::write(pipe, &number, sizeof number) != sizeof number)
        ::_exit(1);
}

std::uint16_t heard(int pipe) {
    std::uint16_t number = 0;
    if (::read(pipe, &number, sizeof number) != sizeof number)
        ::_exit(1);
    return number;
}

/// How often threads of this process but this one have woken up.
std::uint64_t wake_ups() {
    std::uint64_t all = 0;
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
        if (task.path().filename() == std::to_string(::getpid()))
            continue;
        std::ifstream status(task.path() / "status");
        for (std::string word; status >> word;)
            if (word == "voluntary_ctxt_switches:") {
                std::uint64_t count = 0;
                status >> count;
                all += count;
            }
    }
    return all;
}

std::size_t heap_bytes() {
    const auto info = ::mallinfo2();
    return info.uordblks + info.hblkhd;
}

/// With TLS to the viewer alone, and with TLS to the host's relay as well (OpenSSL wants some 17
/// KiB for each).
struct Way {
    bool by_relay;
    std::size_t most_bytes;
};

class GatewayIdle : public ::testing::TestWithParam<Way> {};

TEST_P(GatewayIdle, AViewerCostsLittleMemoryAndNoWakeUps) {
    constexpr std::uint16_t viewers = 64;
    const testing::TemporaryDirectory folder;
    const auto certificates = std::make_shared<const Certificates>();
    const Helper host([&](int, int says) {
        const FakeScreen screen(folder.file("screen"), red);
        const FakeRelay relay(certificates->server(), screen.address());
        say(says, relay.place({}).relay.port);
        ::pause();
    });
    const Helper people([&](int told, int says) {
        const std::uint16_t port = heard(told);
        std::list<Onlooker> all;
        for (int i = 0; i < viewers; ++i) {
            all.emplace_back(certificates->folder.file("ca-cert.pem"), port, "kim", "s3cret-7");
            if (!all.back().look_until([&] { return all.back().picture().at(0, 0) == red; }))
                ::_exit(1);
            say(says, 1);
        }
        ::pause();
    });
    Site site({}, GetParam().by_relay, certificates);
    const std::uint16_t relay = host.answer();
    const Screen place = GetParam().by_relay
                             ? Screen{DesktopId("d-1"), {"127.0.0.1", relay}, FakeRelay::ticket()}
                             : screen_at("d-1", folder.file("screen"));
    site.director().add_user("kim", "s3cret-7", grant_for("s-1", place));
    people.tell(site.gateway().vnc_port());
    ASSERT_EQ(people.answer(), 1) << "the first one pays for what is made once";
    ASSERT_TRUE(eventually([&] { return site.watching(DesktopId("d-1")) == 1; }));
    const std::size_t before = heap_bytes();
    for (int i = 1; i < viewers; ++i)
        ASSERT_EQ(people.answer(), 1);
    ASSERT_TRUE(eventually([] { // the last requests have been passed on
        const auto then = wake_ups();
        std::this_thread::sleep_for(std::chrono::milliseconds(300));
        return then == wake_ups();
    }));
    const std::size_t each = (heap_bytes() - before) / (viewers - 1);
    fmt::print("an idle viewer{}: {} bytes\n", GetParam().by_relay ? " over a relay" : "", each);
    EXPECT_LT(each, GetParam().most_bytes);
    const auto then = wake_ups();
    std::this_thread::sleep_for(std::chrono::seconds(1));
    EXPECT_EQ(wake_ups(), then);
}

INSTANTIATE_TEST_SUITE_P(Ways, GatewayIdle,
                         ::testing::Values(Way{false, 32 * 1024}, Way{true, 52 * 1024}),
                         [](const auto& one) {
                             return std::string(one.param.by_relay ? "ByRelay" : "Direct");
                         });

} // namespace
} // namespace baton::gateway
