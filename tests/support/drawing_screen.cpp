#include "support/drawing_screen.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <fstream>
#include <iterator>
#include <poll.h>
#include <set>
#include <stdexcept>
#include <string_view>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>

namespace baton::testing {

namespace {

constexpr int deadline_ms = 20'000;

/// By scan code, from 0; a space: no letter or digit.
constexpr std::string_view keys = "  1234567890    qwertyuiop    asdfghjkl     zxcvbnm";
static_assert(keys[0x10] == 'q' && keys[0x1E] == 'a' && keys[0x2C] == 'z');

/// A boot sector for a PC. Sets VGA's mode, hides the text's cursor, has the timer tick 50 times a
/// second and the keyboard's interrupt say each scan code on port 0xE9, says 'R' there, and fills
/// the screen band by band, one with each tick.
constexpr std::array<unsigned char, 96> draws_for_ever{
    0xFA, 0x31, 0xC0, 0x8E, 0xD8, 0x8E, 0xD0, 0xBC, 0x00, 0x70, // cli; stack at 0:7000
    0xB8, 0x13, 0x00, 0xCD, 0x10,                               // mode 13h [11]
    0xB4, 0x01, 0xB9, 0x00, 0x20, 0xCD, 0x10, 0xFA,             // no cursor; cli
    0xC7, 0x06, 0x24, 0x00, 0x55, 0x7C,                         // interrupt 9 is at 0:7C55,
    0xC7, 0x06, 0x26, 0x00, 0x00, 0x00,                         // which is the last part
    0xB0, 0x34, 0xE6, 0x43, 0xB0, 0x38, 0xE6, 0x40,             // timer 0 divides by 0x5D38
    0xB0, 0x5D, 0xE6, 0x40,                                     //
    0xB8, 0x00, 0xA0, 0x8E, 0xC0, 0xFC,                         // es = A000 [48]
    0xB0, 0x52, 0xE6, 0xE9, 0x31, 0xFF, 0x31, 0xDB, 0xFB,       // 'R'; di = bx = 0; sti
    0xF4, 0x89, 0xD8, 0xB9, 0x40, 0x06,                         // hlt; ax = bx; 1600 times [66]:
    0xAB, 0x05, 0x03, 0x01, 0xE2, 0xFA,                         // stosw; ax += 0x103
    0x43, 0x81, 0xFF, 0x00, 0xFA, 0x72, 0xED,                   // ++bx; until di = 64000 [77]
    0x31, 0xFF, 0xEB, 0xE9,                                     // di = 0; for ever
    0x50, 0xE4, 0x60, 0xE6, 0xE9,                               // push ax; port 0x60 to 0xE9
    0xB0, 0x20, 0xE6, 0x20, 0x58, 0xCF};                        // end of interrupt; iret

void put16(std::string& code, std::size_t at, unsigned value) {
    code[at] = static_cast<char>(value);
    code[at + 1] = static_cast<char>(value >> 8);
}

void write_boot_disk(const std::string& path, bool text) {
    std::string sector(draws_for_ever.begin(), draws_for_ever.end());
    if (text) { // mode 3, es = B800, two of 25 lines with each tick
        put16(sector, 11, 0x0003);
        put16(sector, 48, 0xB800);
        put16(sector, 66, 160);
        put16(sector, 77, 4000);
    }
    sector.resize(510);
    std::ofstream(path, std::ios::binary) << sector << "\x55\xAA";
}

std::string content_of(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

process::Descriptor connect_to(const std::string& path) {
    process::Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        throw std::runtime_error("cannot connect to " + path);
    return socket;
}

} // namespace

DrawingScreen::DrawingScreen(const Wish& wish) {
    write_boot_disk(folder_.file("disk"), wish.text);
    std::vector<std::string> words = wish.wrapper;
    const std::vector<std::string> screen =
        wish.screen.empty() ? std::vector<std::string>{"-vnc", "unix:" + address()} : wish.screen;
    for (const std::string& word : std::vector<std::string>{
             "/usr/bin/qemu-system-x86_64", "-accel", "tcg", "-m", "16", "-nodefaults", "-vga",
             "std", "-display", "none", "-drive", "if=ide,format=raw,file=" + folder_.file("disk"),
             "-debugcon", "file:" + folder_.file("said"), "-qmp",
             "unix:" + folder_.file("qmp") + ",server=on,wait=off"})
        words.push_back(word);
    words.insert(words.end(), screen.begin(), screen.end());
    auto child =
        process::Child::start(words.front(), words, {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"});
    if (!child)
        throw std::runtime_error(child.error().message());
    qemu_.emplace(std::move(*child));
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(deadline_ms);
    while (content_of(folder_.file("said")).find('R') == std::string::npos) {
        if (std::chrono::steady_clock::now() > end)
            throw std::runtime_error("the drawing machine does not start");
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    monitor_ = connect_to(folder_.file("qmp"));
    tell(R"({"execute": "qmp_capabilities"})");
}

void DrawingScreen::tell(const std::string& command) {
    if (::send(monitor_.get(), command.data(), command.size(), MSG_NOSIGNAL) < 0)
        throw std::runtime_error("QEMU's monitor has gone");
    std::string answer;
    while (answer.find("\"return\"") == std::string::npos) {
        pollfd wait{monitor_.get(), POLLIN, 0};
        std::array<char, 4096> some{};
        const ssize_t got = ::poll(&wait, 1, deadline_ms) == 1
                                ? ::recv(monitor_.get(), some.data(), some.size(), 0)
                                : 0;
        if (got <= 0 || answer.find("\"error\"") != std::string::npos)
            throw std::runtime_error("QEMU does not do '" + command + "': " + answer);
        answer.append(some.data(), static_cast<std::size_t>(got));
    }
}

std::string DrawingScreen::stop_and_dump() {
    stop();
    const std::string path = folder_.file("screen.ppm");
    tell(R"({"execute": "screendump", "arguments": {"filename": ")" + path + "\"}}");
    return content_of(path);
}

void DrawingScreen::stop() {
    tell(R"({"execute": "stop"})");
}

void DrawingScreen::go_on() {
    tell(R"({"execute": "cont"})");
}

std::string DrawingScreen::scan_codes() const {
    const std::string said = content_of(folder_.file("said"));
    return said.substr(said.find('R') + 1);
}

std::string typed(const std::string& scan_codes) {
    std::string text;
    for (const char code : scan_codes) {
        const auto at = static_cast<unsigned char>(code);
        if (at < keys.size() && keys[at] != ' ')
            text += keys[at];
    }
    return text;
}

std::uint32_t scan_code(char letter) {
    return static_cast<std::uint32_t>(keys.find(letter));
}

std::size_t keys_held(const std::string& scan_codes) {
    std::set<int> held;
    for (const char code : scan_codes) {
        const int key = static_cast<unsigned char>(code);
        if (key == 0xE0)
            continue;
        if (key < 0x80)
            held.insert(key);
        else
            held.erase(key - 0x80);
    }
    return held.size();
}

} // namespace baton::testing
