/// What a desk's part of a handoff costs: the lease moves from one host to another. And what a new
/// desk costs. See bench/README.md for the records that are printed.
#include "desk/create.h"
#include "desk/image.h"
#include "deskserver/server.h"
#include "net/pki.h"
#include "process/child.h"
#include "process/run.h"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <poll.h>
#include <string>
#include <unistd.h>
#include <vector>

namespace {

using namespace baton;
namespace fs = std::filesystem;

constexpr int rounds = 21;

/// The value, or the end of the bench with the reason.
template <class T>
T must(Result<T> result) {
    if (!result) {
        fmt::print(stderr, "{}\n", result.error().message());
        std::exit(1); // NOLINT(concurrency-mt-unsafe): nothing else runs that could be disturbed
    }
    if constexpr (!std::is_void_v<T>)
        return std::move(*result);
}

double milliseconds_of(const std::function<void()>& work) {
    const auto begin = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin)
        .count();
}

struct Samples {
    boost::json::array ours;
    boost::json::array peer;
};

void print(const char* name, const Samples& samples, const char* peer, const char* how) {
    const boost::json::object record{
        {"name", name}, {"ours", samples.ours}, {"peer", samples.peer}, {"peer_name", peer},
        {"unit", "ms"}, {"better", "lower"},    {"limit", nullptr},     {"how", how}};
    fmt::print("{}\n", boost::json::serialize(record));
}

/// A folder, a CA, a desk server; all gone at the end.
class Site {
  public:
    Site() {
        std::string name = (fs::temp_directory_path() / "baton-bench-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr)
            must(Result<void>(fail_errno(errno, "cannot make a folder")));
        folder_ = name;
        const auto now = desk::wall_now();
        const auto authority = must(net::Authority::create("bench", now));
        must(net::keep_certificate(authority, folder_ + "/tls", "server",
                                   {"deskd", {"127.0.0.1"}, true, false}, now));
        deskserver::Settings settings;
        settings.desks = folder_ + "/desks";
        settings.runtime = folder_ + "/run";
        settings.certificate = folder_ + "/tls/server-cert.pem";
        settings.key = folder_ + "/tls/server-key.pem";
        settings.authority = folder_ + "/tls/ca-cert.pem";
        settings.end_exports_at_exit = true;
        server = must(deskserver::DeskServer::open(settings, {}));
    }

    ~Site() {
        server.reset();
        fs::remove_all(folder_);
    }

    Site(const Site&) = delete;
    Site& operator=(const Site&) = delete;

    [[nodiscard]] std::string operator/(const std::string& name) const {
        return folder_ + "/" + name;
    }

    std::unique_ptr<deskserver::DeskServer> server;

  private:
    std::string folder_;
};

/// From its start to the first word of its monitor. With the desk server's TLS folder: without its
/// Diffie-Hellman parameters, a start was seen to take from half a second to 24 on a busy machine.
void start_plain_daemon(const Site& site) {
    const auto daemon = must(process::Child::start(
        must(process::find_program("qemu-storage-daemon")),
        {"qemu-storage-daemon", "--object",
         "tls-creds-x509,id=tls,endpoint=server,verify-peer=on,dir=" + (site / "run/tls"),
         "--chardev", "stdio,id=m", "--monitor", "m"},
        {}));
    pollfd greeting{daemon.output.get(), POLLIN, 0};
    if (::poll(&greeting, 1, 30'000) != 1)
        must(Result<void>(fail(Errc::timeout, "the storage daemon does not start")));
}

Samples move_leases(Site& site) {
    const DeskName kim("kim");
    must(site.server->create(kim, "kim", desk::default_size.bytes()));
    FencingNumber fence{1};
    must(site.server->lease(kim, fence, HostId("host1")));
    Samples samples;
    for (int round = 0; round < rounds; ++round) {
        fence = fence.next();
        const HostId holder(round % 2 == 0 ? "host2" : "host1");
        samples.ours.emplace_back(
            milliseconds_of([&] { must(site.server->lease(kim, fence, holder)); }));
        samples.peer.emplace_back(milliseconds_of([&] { start_plain_daemon(site); }));
    }
    return samples;
}

Samples make_desks(const Site& site) {
    Samples samples;
    for (int round = 0; round < rounds; ++round) {
        desk::CreateOrder order;
        order.path = site / "new.desk";
        order.owner = "kim";
        samples.ours.emplace_back(milliseconds_of([&] { must(desk::create(order)); }));
        fs::remove(order.path);
        process::Command plain;
        plain.words = {"mke2fs", "-q", "-F", "-t", "ext4", site / "plain", "32G"};
        samples.peer.emplace_back(
            milliseconds_of([&] { must(process::run_checked(plain, "making a file system")); }));
        fs::remove(site / "plain");
    }
    return samples;
}

} // namespace

int main() {
    Site site;
    print("desk_lease_move", move_leases(site), "a plain storage daemon's start",
          "the lease of a desk moves to the other host: old export closed and its process ended, "
          "header durable, new storage daemon started and exporting; against the start of a bare "
          "qemu-storage-daemon with the same TLS folder until its monitor speaks");
    print("desk_lease_create", make_desks(site), "mke2fs alone",
          "a new desk of 32 GiB, with folders, home, header, durable and named; against mke2fs "
          "with its defaults of a sparse file of that size, not made durable");
    return 0;
}
