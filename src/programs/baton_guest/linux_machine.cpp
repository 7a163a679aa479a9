#include "programs/baton_guest/linux_machine.h"

#include "guest/facts.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <linux/random.h>
#include <signal.h>
#include <span>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// this program has one thread, and its children are alone in theirs
// NOLINTBEGIN(concurrency-mt-unsafe)

namespace baton::guest_program {

namespace {

std::string whole_file(const char* path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

std::string first_word(const char* path) {
    std::ifstream file(path);
    std::string word;
    file >> word;
    return word;
}

/// Mixes a seed into the kernel's random numbers, and counts it.
Result<void> add_randomness(const std::string& seed) {
    // a rand_pool_info: two numbers, then the bytes
    std::array<std::int32_t, 2 + 32 / 4> pool{static_cast<std::int32_t>(seed.size()) * 8,
                                              static_cast<std::int32_t>(seed.size())};
    static_assert(sizeof(pool) == sizeof(rand_pool_info) + 32);
    std::memcpy(&pool[2], seed.data(), 32);
    const Fd device(::open("/dev/urandom", O_WRONLY | O_CLOEXEC));
    if (!device || ::ioctl(device.get(), RNDADDENTROPY, pool.data()) != 0)
        return fail_errno(errno, "cannot add to the random numbers");
    return {};
}

Result<void> set_clock(std::int64_t unix_time_ms) {
    timespec time{};
    time.tv_sec = unix_time_ms / 1000;
    time.tv_nsec = unix_time_ms % 1000 * 1'000'000;
    if (::clock_settime(CLOCK_REALTIME, &time) != 0)
        return fail_errno(errno, "cannot set the clock");
    return {};
}

/// The person's line in `path` (/etc/passwd, /etc/group), in the place of another person's.
Result<void> add_account(const char* path, const std::string& person, const std::string& line) {
    const std::string id = ":x:" + std::to_string(guest::desk_uid) + ":";
    std::string text;
    std::ifstream old(path);
    for (std::string one; std::getline(old, one);) {
        if (one.starts_with(person + ":") && one.find(id) == std::string::npos)
            return {}; // the system has an account of that name: programs see the number alone
        if (one.find(id) == std::string::npos)
            text += one + '\n';
    }
    const std::string fresh = std::string(path) + ".baton";
    std::ofstream file(fresh, std::ios::trunc);
    file << text << line << '\n';
    file.close();
    if (!file || ::rename(fresh.c_str(), path) != 0)
        return fail_errno(errno, std::string("cannot add an account to ") + path);
    return {};
}

Result<void> add_accounts(const std::string& person) {
    const std::string id = std::to_string(guest::desk_uid);
    const char* shell = ::access("/bin/bash", X_OK) == 0 ? "/bin/bash" : "/bin/sh";
    BATON_TRY(add_account("/etc/passwd", person,
                          person + ":x:" + id + ":" + id + "::/home/" + person + ":" + shell));
    return add_account("/etc/group", person, person + ":x:" + id + ":");
}

} // namespace

Result<void> LinuxMachine::set_identity(const guest::Identify& identity) {
    Result<void> outcome;
    const auto keep_first = [&outcome](Result<void> one) {
        if (outcome && !one)
            outcome = std::move(one);
    };
    if (!identity.hostname.empty()) {
        if (!guest::is_hostname(identity.hostname))
            keep_first(
                fail(Errc::invalid_argument, "'" + identity.hostname + "' cannot be a host name"));
        else if (::sethostname(identity.hostname.data(), identity.hostname.size()) != 0)
            keep_first(fail_errno(errno, "cannot set the host name"));
    }
    if (identity.unix_time_ms > 0)
        keep_first(set_clock(identity.unix_time_ms));
    if (!identity.random_seed_hex.empty()) {
        if (const auto seed = guest::seed_bytes(identity.random_seed_hex))
            keep_first(add_randomness(*seed));
        else
            keep_first(fail(Errc::invalid_argument, "the random seed is not 64 hex digits"));
    }
    return outcome;
}

std::optional<std::string> LinuxMachine::find_disk(std::string_view serial) {
    return guest::find_disk("/sys", serial);
}

Result<bool> LinuxMachine::file_system_is_clean(const std::string& device) {
    std::array<std::byte, guest::ext4_probe_bytes> first{};
    const Fd disk(::open(device.c_str(), O_RDONLY | O_CLOEXEC));
    if (!disk ||
        ::pread(disk.get(), first.data(), first.size(), 0) != static_cast<ssize_t>(first.size()))
        return fail_errno(errno, "cannot read the desk's disk " + device);
    return guest::ext4_is_clean(first);
}

Result<void> LinuxMachine::start_check(const std::string& device) {
    const std::array<const char*, 4> arguments{"e2fsck", "-p", device.c_str(), nullptr};
    const std::array<const char*, 2> environment{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", nullptr};
    for (const char* program : {"/usr/sbin/e2fsck", "/sbin/e2fsck", "/bin/e2fsck"})
        if (const int error = ::posix_spawn(&check_, program, nullptr, nullptr,
                                            const_cast<char* const*>(arguments.data()),
                                            const_cast<char* const*>(environment.data()));
            error == 0)
            return {};
    check_ = -1;
    return fail(Errc::unsupported,
                "the desk's file system has to be checked and this system has no "
                "e2fsck");
}

void LinuxMachine::cancel_check() {
    if (check_ <= 0)
        return;
    ::kill(check_, SIGKILL);
    ::waitpid(check_, nullptr, 0);
    check_ = -1;
}

std::optional<Result<void>> LinuxMachine::check_ended(pid_t pid, int wait_status) {
    if (pid != check_)
        return std::nullopt;
    check_ = -1;
    // e2fsck(8): 0 nothing found, 1 corrected, 2 corrected and "reboot" (it was not mounted here)
    if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) <= 2)
        return Result<void>();
    return Result<void>(
        fail(Errc::corrupt,
             "the desk's file system is damaged in a way that is not repaired without being asked",
             "see what is wrong with: baton desk check"));
}

Result<void> LinuxMachine::mount_desk(const std::string& device, bool read_only,
                                      const std::string& person) {
    BATON_TRY(desk_.mount(device, read_only, person));
    auto account = add_accounts(person);
    if (!account)
        if (const auto undone = desk_.unmount(); !undone)
            return undone;
    return account;
}

Result<void> LinuxMachine::make_home(const std::string& person) {
    BATON_TRY(mounts_.make_folder("/home")); // small images have none
    BATON_TRY(mounts_.make_home("/home/" + person));
    return add_accounts(person);
}

std::int64_t LinuxMachine::desk_free_bytes() const {
    struct statvfs status{};
    if (::statvfs(std::string(guest::desk_folder).c_str(), &status) != 0)
        return 0;
    return static_cast<std::int64_t>(status.f_bavail) * static_cast<std::int64_t>(status.f_frsize);
}

OwnFacts own_facts() {
    return {first_word("/etc/baton/os-image"), first_word("/proc/sys/kernel/random/boot_id"),
            guest::memory_from_iomem(whole_file("/proc/iomem"))};
}

} // namespace baton::guest_program

// NOLINTEND(concurrency-mt-unsafe)
