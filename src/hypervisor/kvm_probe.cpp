#include "hypervisor/kvm_probe.h"

#include "process/child.h"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

namespace baton::hypervisor {

namespace {

namespace json = boost::json;
constexpr const char* qemu = "qemu-system-x86_64";

/// What the answer holds for: this boot of this kernel, this QEMU.
std::string cache_key() {
    utsname system{};
    ::uname(&system);
    std::string boot;
    std::ifstream("/proc/sys/kernel/random/boot_id") >> boot;
    struct stat status{};
    if (const auto path = process::find_program(qemu))
        ::stat(path->c_str(), &status);
    return fmt::format("{} {} {} {}.{}", system.release, boot, status.st_size,
                       status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
}

std::optional<Acceleration> read_cache(const std::string& path, const std::string& key) {
    std::ifstream file(path);
    const std::string text((std::istreambuf_iterator<char>(file)), {});
    boost::system::error_code error;
    const json::value value = json::parse(text, error);
    const json::object* object = error ? nullptr : value.if_object();
    if (object == nullptr)
        return std::nullopt;
    const json::value* cached_key = object->if_contains("key");
    const json::value* kvm = object->if_contains("kvm");
    const json::value* reason = object->if_contains("reason");
    if (cached_key == nullptr || kvm == nullptr || reason == nullptr || !cached_key->is_string() ||
        !kvm->is_bool() || !reason->is_string() || cached_key->get_string() != key)
        return std::nullopt;
    return Acceleration{kvm->get_bool(), std::string(reason->get_string())};
}

/// QEMU's own reason: the line that it calls an error, or else its last one.
std::string reason_in(const std::string& output) {
    constexpr std::string_view mark = "error: ";
    const std::size_t at = output.find(mark);
    return process::last_line(
        at == std::string::npos ? std::string_view(output)
                                : std::string_view(output).substr(
                                      at + mark.size(), output.find('\n', at) - at - mark.size()));
}

/// Best effort: without it the probe is made again.
void write_cache(const std::string& path, const std::string& key, const Acceleration& answer) {
    const std::string next = path + ".new";
    {
        std::ofstream file(next);
        file << json::serialize(
                    json::object{{"key", key}, {"kvm", answer.kvm}, {"reason", answer.reason}})
             << '\n';
    }
    std::error_code ignored;
    std::filesystem::rename(next, path, ignored);
}

} // namespace

process::Command probe_command(const std::string& accelerator, const std::string& boot_sector_file,
                               std::chrono::milliseconds deadline) {
    process::Command command;
    command.words = {qemu,
                     "-nodefaults",
                     "-no-user-config",
                     "-no-reboot",
                     "-display",
                     "none",
                     "-machine",
                     "pc",
                     "-accel",
                     accelerator,
                     "-cpu",
                     accelerator == "kvm" ? "host" : "max",
                     "-m",
                     "32",
                     "-device",
                     "isa-debug-exit,iobase=0xf4,iosize=1",
                     "-blockdev",
                     "driver=file,node-name=boot,read-only=on,filename=" + boot_sector_file,
                     "-device",
                     "virtio-blk-pci,drive=boot"};
    command.deadline = deadline;
    return command;
}

Acceleration probe_kvm(const std::string& folder, std::chrono::milliseconds deadline) {
    const process::Descriptor device(::open("/dev/kvm", O_RDWR | O_CLOEXEC));
    if (!device.open())
        return {false, errno == ENOENT ? "emulation: there is no /dev/kvm (the processor has no "
                                         "virtualization, or it is off in its firmware)"
                                       : fmt::format("emulation: /dev/kvm cannot be opened ({})",
                                                     std::generic_category().message(errno))};
    const std::string file = folder + "/kvm-probe";
    {
        std::string sector = probe_boot_sector();
        sector.resize(1024UL *
                      1024); // the firmware reads nothing from a disk without a whole cylinder
        std::ofstream(file, std::ios::binary) << sector;
    }
    const auto begun = std::chrono::steady_clock::now();
    const auto done = process::run(probe_command("kvm", file, deadline));
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
    std::error_code ignored;
    std::filesystem::remove(file, ignored);
    if (!done && done.error().code == Errc::timeout)
        return {false, fmt::format("emulation: /dev/kvm is there, but a probe guest did not reach "
                                   "its end within {} s",
                                   deadline.count() / 1000)};
    if (!done)
        return {false, "emulation: the probe guest could not be started: " + done.error().what};
    if (done->status == probe_reached_end)
        return {true, fmt::format("KVM: a probe guest reached its end in {:.1f} s", took.count())};
    const std::string words = reason_in(done->error);
    return {false,
            fmt::format("emulation: /dev/kvm is there, but a probe guest failed: {}",
                        words.empty() ? fmt::format("QEMU ended with {}", done->status) : words)};
}

Acceleration probe_kvm_once(const std::string& cache, const std::string& folder,
                            std::chrono::milliseconds deadline) {
    const std::string key = cache_key();
    if (auto known = read_cache(cache, key))
        return *known;
    const Acceleration answer = probe_kvm(folder, deadline);
    write_cache(cache, key, answer);
    return answer;
}

} // namespace baton::hypervisor
