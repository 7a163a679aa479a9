#include "player/desk_disk.h"

#include "desk/encrypt.h"
#include "process/run.h"

#include <boost/json.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <sched.h>
#include <string_view>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

namespace baton::player {

namespace {

namespace json = boost::json;
using process::Descriptor;

/// The port that IANA gave to NBD.
constexpr std::uint16_t nbd_port = 10809;

/// A folder that every kernel with FUSE has and nobody keeps files in; covered by a memory file
/// system in this program's own mount namespace.
constexpr const char* covered = "/sys/fs/fuse/connections";

/// A server that is gone is waited for that long; then everybody inside gets errors.
constexpr int seconds_to_reconnect = 10;

constexpr std::string_view desk_magic = "BATONDSK";

std::string first_bytes(const std::string& path, std::size_t count) {
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    std::string bytes(count, '\0');
    const auto n = file.open() ? ::pread(file.get(), bytes.data(), count, 0) : 0;
    bytes.resize(static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
    return bytes;
}

Result<DeskPlace> server_place(const std::string& desk, std::string_view rest) {
    const auto refuse = [&](const std::string& why) {
        return fail(Errc::invalid_argument, "'" + desk + "' is no desk at a server: " + why,
                    "write nbds://HOST:PORT/EXPORT");
    };
    DeskPlace place;
    place.kind = DeskPlace::Kind::server;
    place.text = desk;
    const auto slash = rest.find('/');
    if (slash == std::string_view::npos || slash + 1 == rest.size())
        return refuse("it names no export");
    place.export_name = rest.substr(slash + 1);
    auto where = rest.substr(0, slash);
    std::string_view port;
    if (where.starts_with('[')) { // an IPv6 address
        const auto end = where.find(']');
        if (end == std::string_view::npos)
            return refuse("its address does not end");
        place.host = where.substr(1, end - 1);
        port = where.substr(end + 1);
    } else {
        const auto colon = std::min(where.find(':'), where.size());
        place.host = where.substr(0, colon);
        port = where.substr(colon);
    }
    place.port = nbd_port;
    if (!port.empty()) {
        const auto* last = port.data() + port.size();
        const auto [end, error] = std::from_chars(port.data() + 1, last, place.port);
        if (port.front() != ':' || error != std::errc{} || end != last || place.port == 0)
            return refuse("its port is no number up to 65535");
    }
    if (place.host.empty())
        return refuse("it names no server");
    return place;
}

std::vector<std::string> device_words(const json::object& device) {
    return {"--blockdev", json::serialize(device)};
}

std::string at_descriptor(int number) {
    return "/proc/self/fd/" + std::to_string(number);
}

json::object layered(const json::object& more) {
    json::object device{{"driver", "qcow2"},
                        {"node-name", "shown"},
                        {"file", json::object{{"driver", "file"}, {"filename", at_descriptor(4)}}}};
    device.insert(more.begin(), more.end());
    return device;
}

/// QEMU 7.2's own client for the web loses a wakeup now and then and waits for ever.
std::vector<std::string> web_source(const std::string& address) {
    return {"nbdkit",         "--readonly", "--exit-with-parent", "--filter=retry", "curl",
            "url=" + address, "timeout=30", "retries=2",          "retry-delay=2"};
}

/// The overlay of an image on a web server, made where there is none, and of that image if there
/// is one.
Result<void> prepare_overlay(const DeskPlace& place, const std::string& overlay) {
    if (overlay.empty())
        return fail(Errc::invalid_argument,
                    place.text + " can only be read: what is written has to go elsewhere",
                    "name a file for it: --overlay ./FILE; it holds this person's data from then "
                    "on");
    process::Command command;
    if (::access(overlay.c_str(), F_OK) != 0) {
        auto words = web_source(place.text);
        words.insert(words.begin() + 1, {"-U", "-"});
        words.insert(words.end(), {"--run", "exec qemu-img info --output=json -f raw \"$uri\""});
        command.words = words;
        command.deadline = std::chrono::seconds(60);
        const auto told = process::run_checked(command, "reaching " + place.text);
        if (!told)
            return tl::unexpected(show_error("the desk " + place.text, told.error().what, 0));
        boost::system::error_code error;
        const auto info = json::parse(told->out, error);
        const auto* size =
            error || !info.is_object() ? nullptr : info.get_object().if_contains("virtual-size");
        if (size == nullptr || !size->is_number())
            return fail(Errc::unavailable, place.text + " does not say how long it is",
                        "its web server must give parts of files (Range)");
        command.words = {"qemu-img", "create", "-q",
                         "-u",       "-f",     "qcow2",
                         "-F",       "raw",    "-b",
                         place.text, overlay,  std::to_string(size->to_number<std::int64_t>())};
        auto made = process::run_checked(command, "making the overlay " + overlay);
        return made ? Result<void>{} : tl::unexpected(made.error());
    }
    command.words = {"qemu-img", "info", "--output=json", "-U", overlay};
    const auto told = process::run_checked(command, "looking at the overlay " + overlay);
    if (!told)
        return tl::unexpected(told.error());
    boost::system::error_code error;
    const auto info = json::parse(told->out, error);
    const auto* of =
        error || !info.is_object() ? nullptr : info.get_object().if_contains("backing-filename");
    if (of != nullptr && of->is_string() && of->get_string() == place.text)
        return {};
    return fail(Errc::conflict, overlay + " is no overlay of " + place.text,
                "name another file, which is then made, or the address that it belongs to");
}

Result<Descriptor> in_memory(const std::string& text) {
    Descriptor file(::memfd_create("key", MFD_CLOEXEC));
    if (!file.open() ||
        ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
        return fail_errno(errno, "cannot pass the passphrase on");
    ::lseek(file.get(), 0, SEEK_SET);
    return file;
}

/// An empty file to show the disk over, seen by nobody else.
Result<std::string> covered_place() {
    if (::mount("none", covered, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") != 0)
        return fail(Errc::unsupported, "this PC has no FUSE", "load it: modprobe fuse", errno);
    std::string place = std::string(covered) + "/desk";
    const Descriptor file(::open(place.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    if (!file.open())
        return fail_errno(errno, "cannot make a place for the desk");
    return place;
}

} // namespace

Result<DeskPlace> place_of(const std::string& desk) {
    DeskPlace place;
    place.text = desk;
    if (desk.starts_with("nbds://"))
        return server_place(desk, std::string_view(desk).substr(7));
    if (desk.starts_with("https://")) {
        place.kind = DeskPlace::Kind::web;
        return place;
    }
    for (const char* open : {"nbd://", "http://"})
        if (desk.starts_with(open))
            return fail(Errc::invalid_argument, "a desk does not travel in the open: " + desk,
                        "say nbds:// or https://");
    if (desk::looks_encrypted(desk))
        place.kind = DeskPlace::Kind::encrypted;
    return place;
}

ShowOrder show_order(const DeskPlace& place, const DiskOrder& order) {
    ShowOrder show;
    show.what = "the desk " + place.text;
    show.writable = true;
    const auto add = [&](std::vector<std::string> words) {
        show.words.insert(show.words.end(), words.begin(), words.end());
    };
    switch (place.kind) {
    case DeskPlace::Kind::file:
        break;
    case DeskPlace::Kind::encrypted:
        add({"--object", "secret,id=key,file=" + at_descriptor(5)});
        add(device_words(
            layered({{"encrypt", json::object{{"format", "luks"}, {"key-secret", "key"}}},
                     {"backing", nullptr}})));
        show.place = place.text;
        break;
    case DeskPlace::Kind::web:
        show.source = web_source(place.text);
        show.source.insert(show.source.begin() + 1, "--single");
        add(device_words({{"driver", "nbd"},
                          {"node-name", "far"},
                          {"server", json::object{{"type", "fd"}, {"str", "5"}}},
                          {"read-only", true}}));
        add(device_words(layered({{"backing", "far"}})));
        show.place = order.overlay;
        break;
    case DeskPlace::Kind::server:
        add({"--object", json::serialize(json::object{{"qom-type", "tls-creds-x509"},
                                                      {"id", "tls"},
                                                      {"endpoint", "client"},
                                                      {"dir", order.tls},
                                                      {"verify-peer", true}})});
        add(device_words({{"driver", "nbd"},
                          {"node-name", "shown"},
                          {"server", json::object{{"type", "inet"},
                                                  {"host", place.host},
                                                  {"port", std::to_string(place.port)}}},
                          {"export", place.export_name},
                          {"tls-creds", "tls"},
                          {"tls-hostname", place.host},
                          {"reconnect-delay", seconds_to_reconnect}}));
        show.place = std::string(covered) + "/desk";
        break;
    }
    return show;
}

Result<DeskDisk> DeskDisk::open(const DeskPlace& place, const DiskOrder& order,
                                std::chrono::milliseconds deadline) {
    if (place.kind == DeskPlace::Kind::web)
        BATON_TRY(prepare_overlay(place, order.overlay));
    auto show = show_order(place, order);
    Descriptor file;
    Descriptor key;
    if (place.kind == DeskPlace::Kind::server) {
        if (auto made = covered_place(); !made)
            return tl::unexpected(made.error());
    } else {
        file = Descriptor(::open(show.place.c_str(), O_RDWR | O_CLOEXEC));
        if (!file.open())
            return fail_errno(errno, "cannot open " + show.place);
        BATON_TRY(desk::check_qcow2(file.get(), place.kind == DeskPlace::Kind::web, show.place));
        show.files = {file.get()};
    }
    if (place.kind == DeskPlace::Kind::encrypted) {
        const auto passphrase = order.passphrase();
        if (!passphrase)
            return tl::unexpected(passphrase.error());
        auto kept = in_memory(*passphrase);
        if (!kept)
            return tl::unexpected(kept.error());
        key = std::move(*kept);
        show.files.push_back(key.get());
    }
    auto shown = ShownDisk::show(show, deadline);
    if (!shown)
        return tl::unexpected(shown.error());
    DeskDisk disk;
    disk.path_ = show.place;
    disk.without_header_ = place.kind == DeskPlace::Kind::server &&
                           first_bytes(show.place, desk_magic.size()) != desk_magic;
    disk.shown_.emplace(std::move(*shown));
    return disk;
}

Result<void> leave_mount_namespace() {
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount("none", "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0)
        return fail_errno(errno, "cannot make a mount namespace");
    return {};
}

} // namespace baton::player
