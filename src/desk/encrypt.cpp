#include "desk/encrypt.h"

#include "desk/image.h"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>

namespace baton::desk {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view qcow2_magic = "QFI\xfb";
/// qemu-img measures the machine for the cost of the passphrase, which fails now and then.
constexpr std::string_view chance = "Unable to get accurate CPU usage";
constexpr int tries = 5;
constexpr std::chrono::hours patience{4}; // a large desk, a slow stick

constexpr const char* key_object = "secret,id=key,file=/dev/stdin";

/// A file that has its name when it is whole, and is gone otherwise.
class Coming {
  public:
    explicit Coming(const std::string& to)
        : to_(to),
          path_((fs::path(to).parent_path() /
                 ("." + fs::path(to).filename().string() + "." + std::to_string(::getpid())))
                    .string()) {
        ::unlink(path_.c_str());
    }

    ~Coming() { ::unlink(path_.c_str()); }

    Coming(const Coming&) = delete;
    Coming& operator=(const Coming&) = delete;

    [[nodiscard]] const std::string& path() const { return path_; }

    Result<void> arrive() {
        const process::Descriptor file(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
        if (!file.open() || ::fchmod(file.get(), 0600) != 0 || ::fsync(file.get()) != 0)
            return fail_errno(errno, "cannot make " + to_ + " durable");
        if (::renameat2(AT_FDCWD, path_.c_str(), AT_FDCWD, to_.c_str(), RENAME_NOREPLACE) != 0)
            return fail_errno(errno, "cannot name the file " + to_,
                              "name another file, or remove that one");
        return sync_folder_of(to_);
    }

  private:
    std::string to_;
    std::string path_;
};

Result<void> convert(const process::Command& command, const std::string& doing) {
    for (int round = 0;; ++round) {
        const auto done = process::run_checked(command, doing);
        if (done)
            return {};
        const auto& error = done.error();
        if (error.what.find(chance) != std::string::npos && round + 1 < tries)
            continue;
        if (error.what.find("Invalid password") != std::string::npos)
            return fail(Errc::unauthenticated, doing + ": that is not its passphrase", "try again");
        return tl::unexpected(error);
    }
}

Result<void> is_new(const std::string& to, const std::string& passphrase) {
    if (passphrase.empty())
        return fail(Errc::invalid_argument, "an empty passphrase protects nothing", "choose one");
    std::error_code error;
    if (fs::exists(fs::symlink_status(to, error)))
        return fail(Errc::already_exists, to + " is there already",
                    "name another file, or remove that one");
    return {};
}

} // namespace

bool looks_encrypted(const std::string& path) {
    const process::Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    std::array<char, 4> start{};
    return file.open() && ::pread(file.get(), start.data(), start.size(), 0) == 4 &&
           std::string_view(start.data(), start.size()) == qcow2_magic;
}

Result<void> check_qcow2(std::span<const std::uint8_t> bytes, bool layer) {
    // QEMU, docs/interop/qcow2.txt: all numbers are big-endian
    const auto number = [&](std::size_t at, std::size_t count) {
        std::uint64_t value = 0;
        for (const auto byte : bytes.subspan(at, count))
            value = value << 8 | byte;
        return value;
    };
    if (bytes.size() < qcow2_header_span || number(0, 4) != 0x514649fb)
        return fail(Errc::corrupt, "it is no qcow2 file, or cut short");
    constexpr std::uint64_t luks = 2;
    constexpr std::uint64_t other_data_file = 4;
    const bool names_another = number(8, 8) != 0;
    const auto crypt = number(32, 4);
    if (number(4, 4) != 3 || crypt != (layer ? 0 : luks))
        return fail(Errc::refused,
                    layer ? "it is no layer of Baton's"
                          : "it is a qcow2 file, and no encrypted desk",
                    "make one with: baton desk create --encrypt");
    if ((number(72, 8) & other_data_file) != 0 || (names_another && !layer))
        return fail(Errc::refused, "it names another file, which would be read or written",
                    "whoever gave it to you means harm, or made it for something else");
    return {};
}

Result<void> check_qcow2(int fd, bool layer, const std::string& path) {
    std::array<std::uint8_t, qcow2_header_span> bytes{};
    const auto n = ::pread(fd, bytes.data(), bytes.size(), 0);
    if (n < 0)
        return fail_errno(errno, "cannot read " + path);
    auto sound = check_qcow2(std::span(bytes).first(static_cast<std::size_t>(n)), layer);
    return sound ? sound : tl::unexpected(sound.error().in(path + " is not opened"));
}

process::Command encrypt_command(const std::string& image, const std::string& to,
                                 const std::string& passphrase) {
    process::Command command;
    // "-U": we hold QEMU's locks on the image ourselves
    command.words = {"qemu-img",
                     "convert",
                     "-U",
                     "-f",
                     "raw",
                     "-O",
                     "qcow2",
                     "--object",
                     key_object,
                     "-o",
                     "encrypt.format=luks,encrypt.key-secret=key",
                     image,
                     to};
    command.input = passphrase;
    command.deadline = patience;
    return command;
}

process::Command decrypt_command(const std::string& encrypted, const std::string& to,
                                 const std::string& passphrase) {
    process::Command command;
    command.words = {"qemu-img",
                     "convert",
                     "-O",
                     "raw",
                     "--object",
                     key_object,
                     "--image-opts",
                     "driver=qcow2,encrypt.format=luks,encrypt.key-secret=key,file.driver=file,"
                     "file.filename=" +
                         encrypted,
                     to};
    command.input = passphrase;
    command.deadline = patience;
    return command;
}

Result<void> encrypt_image(const std::string& image, const std::string& to,
                           const std::string& passphrase) {
    BATON_TRY(is_new(to, passphrase));
    const auto held = Image::open(image, Access::read);
    if (!held)
        return tl::unexpected(held.error());
    Coming file(to);
    BATON_TRY(convert(encrypt_command(image, file.path(), passphrase), "encrypting " + image));
    return file.arrive();
}

Result<void> decrypt_image(const std::string& encrypted, const std::string& to,
                           const std::string& passphrase) {
    BATON_TRY(is_new(to, passphrase));
    // the options of a block device are a list with commas
    if (encrypted.find(',') != std::string::npos)
        return fail(Errc::invalid_argument, encrypted + " has a comma in its name",
                    "give it another name first");
    const process::Descriptor from(::open(encrypted.c_str(), O_RDONLY | O_CLOEXEC));
    if (!from.open())
        return fail_errno(errno, "cannot open " + encrypted);
    BATON_TRY(check_qcow2(from.get(), false, encrypted));
    Coming file(to);
    BATON_TRY(
        convert(decrypt_command(encrypted, file.path(), passphrase), "decrypting " + encrypted));
    if (auto sound = Image::open(file.path(), Access::read); !sound)
        return tl::unexpected(sound.error());
    return file.arrive();
}

} // namespace baton::desk
