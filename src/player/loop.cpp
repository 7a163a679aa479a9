#include "player/loop.h"

#include <cerrno>
#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace baton::player {

namespace {

/// Others take free devices at the same moment; each round somebody got one.
constexpr int rounds = 256;

} // namespace

Result<LoopDevice> attach_loop(int file, std::int64_t offset, std::int64_t size_bytes,
                               bool read_only, const std::string& file_path) {
    const process::Descriptor control(::open("/dev/loop-control", O_RDWR | O_CLOEXEC));
    if (!control.open())
        return fail(errno == EACCES ? Errc::forbidden : Errc::unsupported,
                    "this PC gives no loop device for " + file_path,
                    "play as root, on a kernel with loop devices (modprobe loop)", errno);
    for (int round = 0; round < rounds; ++round) {
        const int number = ::ioctl(control.get(), LOOP_CTL_GET_FREE);
        if (number < 0)
            return fail_errno(errno, "no loop device is free for " + file_path);
        LoopDevice loop;
        loop.number = static_cast<unsigned>(number);
        loop.path = "/dev/loop" + std::to_string(number);
        loop.device = process::Descriptor(
            ::open(loop.path.c_str(), (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC));
        if (!loop.device.open())
            return fail_errno(errno, "cannot open " + loop.path + " for " + file_path);
        loop_config config{};
        config.fd = static_cast<std::uint32_t>(file);
        config.info.lo_offset = static_cast<std::uint64_t>(offset);
        config.info.lo_sizelimit = static_cast<std::uint64_t>(size_bytes);
        config.info.lo_flags = LO_FLAGS_AUTOCLEAR;
        if (read_only)
            config.info.lo_flags |= LO_FLAGS_READ_ONLY;
        if (::ioctl(loop.device.get(), LOOP_CONFIGURE, &config) == 0)
            return loop;
        if (errno != EBUSY)
            return fail_errno(errno, "cannot attach " + file_path + " as a loop device");
    }
    return fail(Errc::busy, "other programs take every loop device before " + file_path + " can",
                "try again");
}

} // namespace baton::player
