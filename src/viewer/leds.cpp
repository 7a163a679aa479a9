#include "viewer/leds.h"

#include <array>
#include <fcntl.h>
#include <linux/kd.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace baton::viewer {

void set_leds(std::uint8_t leds) {
    static_assert(LED_SCR == 1 && LED_NUM == 2 && LED_CAP == 4);
    for (const char* console : std::array{"/dev/tty0", "/dev/console"}) {
        const int console_fd = ::open(console, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (console_fd < 0)
            continue;
        const bool set = ::ioctl(console_fd, KDSETLED, static_cast<unsigned long>(leds & 7)) == 0;
        ::close(console_fd);
        if (set)
            return;
    }
}

} // namespace baton::viewer
