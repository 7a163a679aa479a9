#include "osimage/import.h"

#include "osimage/qcow2.h"

#include <boost/json.hpp>

#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

namespace baton::osimage {

namespace fs = std::filesystem;

namespace {

constexpr std::int64_t memory_bound_bytes = 2LL << 30U;

Result<void> check_plain_file(const std::string& what, const std::string& path) {
    struct stat is{};
    if (::stat(path.c_str(), &is) != 0)
        return fail_errno(errno, "cannot import " + what + " " + path);
    if (!S_ISREG(is.st_mode))
        return fail(Errc::invalid_argument,
                    "cannot import " + what + " " + path + ": it is not a plain file");
    return {};
}

Result<void> check_header(const std::string& path) {
    auto file = open_file(path, O_RDONLY);
    if (!file)
        return tl::unexpected(file.error());
    std::string bytes(qcow2_header_size, '\0');
    const ssize_t n = ::pread(file->get(), bytes.data(), bytes.size(), 0);
    if (n < 0)
        return fail_errno(errno, "cannot read it");
    bytes.resize(static_cast<std::size_t>(n));
    const auto header = read_qcow2_header(bytes);
    if (!header)
        return tl::unexpected(header.error());
    return check_self_contained(*header, path);
}

Result<void> check_disk(const ImportSettings& settings, const std::string& disk) {
    BATON_TRY(check_header(disk));
    auto command = check_command(disk);
    command.cancel_fd = settings.cancel_fd;
    const auto checked = process::run(command);
    if (!checked)
        return tl::unexpected(checked.error());
    return judge_check(checked->status, checked->out, checked->error);
}

/// "    (42.00/100%)\r" as qemu-img -p writes it, always with the latest last.
int percent_in(std::string_view line) {
    const auto open = line.rfind('(');
    if (open == std::string_view::npos)
        return -1;
    int percent = -1;
    line.remove_prefix(open + 1);
    std::from_chars(line.data(), line.data() + line.size(), percent);
    return percent;
}

Result<void> copy_disk(const ImportSettings& settings, const std::string& from,
                       const std::string& to) {
    auto command = copy_command(from, to);
    command.cancel_fd = settings.cancel_fd;
    command.on_line = [&](std::string_view line) {
        if (const int percent = percent_in(line); percent >= 0 && settings.progress)
            settings.progress(5 + percent * 85 / 100, "copying the disk");
    };
    const auto copied = process::run(command);
    if (!copied)
        return tl::unexpected(copied.error());
    if (copied->status == 0)
        return {};
    const auto code = process::failure_code(*copied);
    return fail(code, "it cannot be copied: " + process::last_line(copied->error),
                code == Errc::full ? "give the library of OS images a larger disk, or remove an "
                                     "image that is not used"
                                   : "");
}

Result<void> copy_file(const std::string& from, const std::string& to) {
    std::error_code wrong;
    fs::copy_file(from, to, wrong);
    if (wrong)
        return fail_errno(wrong.value(), "cannot copy " + from);
    return {};
}

} // namespace

process::Command check_command(const std::string& disk) {
    process::Command command;
    command.words = {"prlimit", "--as=" + std::to_string(memory_bound_bytes),
                     "--",      "qemu-img",
                     "check",   "-f",
                     "qcow2",   "--output=json",
                     "--",      disk};
    command.deadline = std::chrono::minutes(5);
    return command;
}

process::Command copy_command(const std::string& from, const std::string& to) {
    process::Command command;
    command.words = {"prlimit", "--as=" + std::to_string(memory_bound_bytes),
                     "--",      "qemu-img",
                     "convert", "-p",
                     "-f",      "qcow2",
                     "-O",      "qcow2",
                     "--",      from,
                     to};
    command.deadline = std::chrono::hours(2);
    return command;
}

Result<void> judge_check(int status, const std::string& out, const std::string& error) {
    boost::system::error_code wrong;
    const auto value = boost::json::parse(out, wrong);
    const auto count = [&](const char* name) -> std::int64_t {
        if (wrong || !value.is_object())
            return 0;
        const auto* field = value.get_object().if_contains(name);
        return field != nullptr && field->is_int64() ? field->get_int64() : 0;
    };
    const auto errors = count("corruptions") + count("check-errors");
    // status 3 is leaked clusters alone: wasted space, which the copy leaves behind
    if (errors == 0 && !wrong && (status == 0 || status == 3))
        return {};
    if (errors > 0)
        return fail(Errc::corrupt, "QEMU finds it damaged in " + std::to_string(errors) + " places",
                    "take it from a good copy, or try: qemu-img check -r all");
    const auto said = process::last_line(error);
    return fail(Errc::corrupt,
                "QEMU cannot read it" + (said.empty() ? std::string() : ": " + said));
}

Result<Manifest> import_image(Library& library, const ImportSettings& settings) {
    const auto doing = "importing " + settings.disk;
    if (settings.kernel.empty() && (!settings.initrd.empty()))
        return fail(Errc::invalid_argument, "an initrd is given without a kernel");
    BATON_TRY(check_name("OS image name", settings.draft.name));
    BATON_TRY(check_plain_file("the disk image", settings.disk));
    for (const auto& [what, path] :
         {std::pair{"the kernel", settings.kernel}, std::pair{"the initrd", settings.initrd}})
        if (!path.empty())
            BATON_TRY(check_plain_file(what, path));
    if (settings.progress)
        settings.progress(0, "checking the disk");
    // absolute: QEMU takes "nbd:..." and "json:..." for addresses, never a path from the root
    std::error_code wrong;
    const auto disk = fs::canonical(settings.disk, wrong).string();
    if (wrong)
        return fail_errno(wrong.value(), doing);
    if (auto good = check_disk(settings, disk); !good)
        return tl::unexpected(good.error().in(doing));
    auto workshop = library.workshop(settings.waiting);
    if (!workshop)
        return tl::unexpected(workshop.error());
    const auto& folder = workshop->folder();
    if (auto copied = copy_disk(settings, disk, folder + "/disk.qcow2"); !copied)
        return tl::unexpected(copied.error().in(doing));
    if (!settings.kernel.empty())
        BATON_TRY(copy_file(settings.kernel, folder + "/kernel"));
    if (!settings.initrd.empty())
        BATON_TRY(copy_file(settings.initrd, folder + "/initrd"));
    if (settings.progress)
        settings.progress(90, "recording and publishing");
    return library.publish(std::move(*workshop), settings.draft);
}

} // namespace baton::osimage
