#include "libvirt_world.h"

#include "hypervisor/domain_xml.h"
#include "process/child.h"
#include "process/run.h"

#include <charconv>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <poll.h>
#include <stdexcept>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>

namespace baton::hypervisor::contract {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

namespace {

std::string environment(const char* name) {
    const char* value = std::getenv(name);
    if (value == nullptr)
        throw std::runtime_error(std::string(name) +
                                 " is not set: run this test through ctest, which starts it with "
                                 "lab/with-libvirtd and builds the image");
    return value;
}

void must(const std::vector<std::string>& words) {
    process::Command command;
    command.words = words;
    const auto done = process::run_checked(command, "preparing the test");
    if (!done)
        throw std::runtime_error(done.error().message());
}

pid_t number_in(const std::string& path) {
    std::ifstream file(path);
    pid_t pid = 0;
    file >> pid;
    return pid;
}

} // namespace

LibvirtWorld::LibvirtWorld() {
    auto library = osimage::Library::open_folder(environment("BATON_IMAGES"));
    if (!library)
        throw std::runtime_error(library.error().message());
    const auto manifest = library->resolve("tiny");
    if (!manifest)
        throw std::runtime_error(manifest.error().message());
    auto image = library->open(manifest->id);
    if (!image)
        throw std::runtime_error(image.error().message());
    image_ = std::move(*image);
    settings_.uri = environment("BATON_LIBVIRT_URI");
    settings_.state_directory = folder_.file("state");
    connect();
}

LibvirtWorld::~LibvirtWorld() {
    if (hypervisor_) {
        if (const auto desktops = hypervisor_->list())
            for (const DesktopInfo& desktop : *desktops)
                (void)hypervisor_->stop(desktop.id);
        hypervisor_.reset();
    }
    for (const auto& [fence, pid] : servers_)
        ::kill(pid, SIGKILL);
}

void LibvirtWorld::connect() {
    hypervisor_.reset();
    auto made = make_libvirt(settings_);
    if (!made)
        throw std::runtime_error(made.error().message());
    hypervisor_ = std::move(*made);
    hypervisor_->subscribe([events = events_](const Event& event) { events->add(event); });
}

DesktopSpec LibvirtWorld::spec(const std::string& id) {
    DesktopSpec spec;
    spec.id = DesktopId("d-" + id);
    spec.session = SessionId("s-" + id);
    spec.person = UserName("kim");
    spec.image = image_;
    spec.memory = 256_MiB;
    spec.screen_password = "s3cr3t";
    spec.screen_password_until =
        std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now()) + 1h;
    return spec;
}

DesktopSpec LibvirtWorld::too_large(const std::string& id) {
    DesktopSpec large = spec(id);
    large.memory = 1048576_GiB;
    return large;
}

std::string LibvirtWorld::desk_file(std::uint64_t fence) const {
    return folder_.file("desk-" + std::to_string(fence));
}

DeskDisk LibvirtWorld::desk(std::uint64_t fence) {
    const std::string path = desk_file(fence);
    const auto port = static_cast<std::uint16_t>(20'000 + fence);
    const std::string name = "desk.test." + std::to_string(fence);
    if (!servers_.contains(fence)) {
        const std::string root = path + ".d";
        for (const char* part : {"fwd/home/kim", "fwd/opt", "fwd/usrlocal", "fwd/srv", "cow"})
            fs::create_directories(fs::path(root) / part);
        must({"chown", "-R", "1000:1000", root + "/fwd/home/kim"});
        must({"truncate", "-s", "32M", path});
        must({"mkfs.ext4", "-q", "-F", "-d", root, path});
        // in a network namespace of this test alone, so that any port is free
        must({"qemu-nbd", "--fork", "--persistent", "--pid-file", path + ".pid", "--bind",
              "127.0.0.1", "--port", std::to_string(port), "--export-name", name, "--format", "raw",
              path});
        servers_[fence] = number_in(path + ".pid");
    }
    DeskDisk disk;
    disk.tls = false;
    disk.source.desk = DeskName("kim");
    disk.source.fence = FencingNumber{fence};
    disk.source.server = Endpoint{"127.0.0.1", port};
    disk.source.export_name = name;
    disk.source.size_bytes = std::int64_t{32} << 20;
    return disk;
}

pid_t LibvirtWorld::qemu_of(const DesktopId& desktop) {
    const std::string wanted = "guest=" + domain_name(desktop) + ",";
    for (const fs::directory_entry& entry : fs::directory_iterator("/proc")) {
        std::ifstream file(entry.path() / "cmdline", std::ios::binary);
        const std::string words((std::istreambuf_iterator<char>(file)), {});
        pid_t pid = 0;
        const std::string name = entry.path().filename();
        if (words.find(wanted) != std::string::npos)
            std::from_chars(name.data(), name.data() + name.size(), pid);
        if (pid > 0)
            return pid;
    }
    return 0;
}

bool LibvirtWorld::wait_end(pid_t pid, std::chrono::milliseconds deadline) {
    const process::Descriptor handle(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    pollfd ended{handle.get(), POLLIN, 0};
    return !handle.open() || ::poll(&ended, 1, static_cast<int>(deadline.count())) > 0;
}

bool LibvirtWorld::wait_for(const std::function<bool()>& holds,
                            std::chrono::milliseconds deadline) {
    const auto end = std::chrono::steady_clock::now() + deadline;
    while (!holds()) {
        if (std::chrono::steady_clock::now() > end)
            return false;
        std::this_thread::sleep_for(50ms);
    }
    return true;
}

bool LibvirtWorld::wait_console(Hypervisor& hypervisor, const DesktopId& desktop,
                                const std::string& text) {
    return wait_for(
        [&] {
            return hypervisor.console_tail(desktop, 8000).value_or("").find(text) !=
                   std::string::npos;
        },
        patience);
}

void LibvirtWorld::crash(const DesktopId& desktop) {
    const pid_t pid = qemu_of(desktop);
    if (pid <= 0)
        throw std::runtime_error("no QEMU of " + desktop.value);
    ::kill(pid, SIGKILL);
}

void LibvirtWorld::restart_agent() {
    connect();
}

void LibvirtWorld::kill_libvirtd() {
    const auto pid = static_cast<pid_t>(number_in(environment("BATON_LIBVIRTD_PID_FILE")));
    const int process = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
    ::kill(pid, SIGKILL);
    // until it has ended its PID file is locked, and no other one starts
    pollfd ended{process, POLLIN, 0};
    const bool over = process < 0 || ::poll(&ended, 1, 30'000) == 1;
    if (process >= 0)
        ::close(process);
    if (!over)
        throw std::runtime_error("libvirtd does not end when it is killed");
}

void LibvirtWorld::start_libvirtd() {
    must({environment("BATON_LIBVIRTD_START")});
}

void LibvirtWorld::interrupt_hypervisor() {
    kill_libvirtd();
    start_libvirtd();
}

std::vector<std::string> LibvirtWorld::left_behind() {
    std::vector<std::string> files;
    for (const fs::directory_entry& entry :
         fs::recursive_directory_iterator(settings_.state_directory))
        if (!entry.is_directory() && entry.path().filename() != "lock" &&
            entry.path().filename() != "acceleration.json")
            files.push_back(entry.path().string());
    return files;
}

std::unique_ptr<World> make_libvirt_world() {
    return std::make_unique<LibvirtWorld>();
}

} // namespace baton::hypervisor::contract
