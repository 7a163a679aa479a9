#include "live_screens.h"

#include "process/run.h"
#include "rfb/client_messages.h"
#include "rfb/message_types.h"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <poll.h>
#include <stdexcept>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace baton::rfb {
namespace {

constexpr int deadline_ms = 20'000;

/// A boot sector for a PC: sets VGA's mode 13h and draws into it, row by row. The first 64 rows are
/// flat with ramps in them, then come 64 of x xor y, then noise (a linear congruence). At the end
/// it says 'R' on port 0xE9 and halts for good.
constexpr std::array<unsigned char, 94> draws_patterns{
    0xFA, 0x31, 0xC0, 0x8E, 0xD8, 0x8E, 0xD0, 0xBC, 0x00, 0x70, // cli; stack at 0:7000
    0xB8, 0x13, 0x00, 0xCD, 0x10,                               // mode 13h
    0xB8, 0x00, 0xA0, 0x8E, 0xC0, 0xFC, 0x31, 0xFF, 0x31, 0xD2, // es:di = A000:0; dx = row
    0xBB, 0x01, 0x00, 0x31, 0xC9,                               // bx = noise; cx = column
    0x80, 0xFA, 0x40, 0x72, 0x17, 0x80, 0xFA, 0x80, 0x72, 0x0C, // which part is this?
    0x69, 0xDB, 0x55, 0x62, 0x81, 0xC3, 0x19, 0x36, 0x88, 0xF8, // bx = bx * 25173 + 13849
    0xEB, 0x14, 0x88, 0xC8, 0x30, 0xD0, 0xEB, 0x0E,             // column xor row
    0x88, 0xD0, 0xC0, 0xE8, 0x04, 0xF6, 0xC1, 0x40, 0x74, 0x04, // row / 16, and on every
    0x00, 0xC8, 0x24, 0x2F,                                     // other 64 columns a ramp
    0xAA, 0x41, 0x81, 0xF9, 0x40, 0x01, 0x72, 0xCE,             // stosb; 320 columns
    0x42, 0x81, 0xFA, 0xC8, 0x00, 0x72, 0xC5,                   // 200 rows
    0xB0, 0x52, 0xE6, 0xE9, 0xF4, 0xEB, 0xFD};                  // 'R'; hlt, for ever

/// Leaves what the BIOS wrote and halts.
constexpr std::array<unsigned char, 8> leaves_text{0xFA, 0xB0, 0x52, 0xE6, 0xE9, 0xF4, 0xEB, 0xFD};

void write_boot_disk(const std::string& path, Show show) {
    std::string sector;
    if (show == Show::patterns)
        sector.assign(draws_patterns.begin(), draws_patterns.end());
    else
        sector.assign(leaves_text.begin(), leaves_text.end());
    sector.resize(510);
    sector += "\x55\xAA";
    std::ofstream(path, std::ios::binary) << sector;
}

/// One command and what comes before its answer.
void tell(const process::Descriptor& monitor, boost::json::object command) {
    send_all(monitor, boost::json::serialize(command) + "\n");
    std::string answer;
    while (answer.find("\"return\"") == std::string::npos) {
        receive_some(monitor, answer, 4096);
        if (answer.find("\"error\"") != std::string::npos)
            throw std::runtime_error("QEMU refused: " + answer);
    }
}

std::string content_of(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

process::Child start(const std::vector<std::string>& words) {
    auto child = process::Child::start(words.front(), words, {});
    if (!child)
        throw std::runtime_error(child.error().message());
    return std::move(*child);
}

void wait_readable(int fd) {
    pollfd wait{fd, POLLIN, 0};
    if (::poll(&wait, 1, deadline_ms) != 1)
        throw std::runtime_error("nothing came within 20 seconds");
}

} // namespace

std::string read_until(const process::Descriptor& output, char wanted) {
    std::string text;
    while (text.find(wanted) == std::string::npos) {
        wait_readable(output.get());
        std::array<char, 256> some{};
        const ssize_t got = ::read(output.get(), some.data(), some.size());
        if (got <= 0)
            throw std::runtime_error("the program ended: " + text);
        text.append(some.data(), static_cast<std::size_t>(got));
    }
    return text;
}

process::Descriptor connect_to(const std::string& path) {
    process::Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path)
        throw std::runtime_error("the path is too long: " + path);
    std::copy(path.begin(), path.end(), address.sun_path);
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        throw std::runtime_error(fmt::format("cannot connect to {}: errno {}", path, errno));
    return socket;
}

void send_all(const process::Descriptor& socket, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t sent = ::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent <= 0)
            throw std::runtime_error(fmt::format("cannot send: errno {}", errno));
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
}

void receive_some(const process::Descriptor& socket, std::string& buffer, std::size_t most) {
    wait_readable(socket.get());
    const std::size_t before = buffer.size();
    buffer.resize(before + most);
    const ssize_t got = ::recv(socket.get(), buffer.data() + before, most, 0);
    buffer.resize(before + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got <= 0)
        throw std::runtime_error("the other side ended the connection");
}

QemuScreen::QemuScreen(Show show, const std::string& vnc_options) {
    write_boot_disk(folder_.file("disk"), show);
    qemu_.emplace(start({"/usr/bin/qemu-system-x86_64",
                         "-accel",
                         "tcg",
                         "-m",
                         "16",
                         "-nodefaults",
                         "-vga",
                         "std",
                         "-display",
                         "none",
                         "-vnc",
                         "unix:" + address() + ",audiodev=sound" + vnc_options,
                         "-audiodev",
                         "none,id=sound",
                         "-drive",
                         "if=ide,format=raw,file=" + folder_.file("disk"),
                         "-debugcon",
                         "stdio",
                         "-qmp",
                         "unix:" + folder_.file("qmp") + ",server=on,wait=off"}));
    read_until(qemu_->output, 'R');
    const auto monitor = connect_to(folder_.file("qmp"));
    tell(monitor, {{"execute", "qmp_capabilities"}});
    tell(monitor, {{"execute", "stop"}});
    tell(monitor, {{"execute", "screendump"},
                   {"arguments", boost::json::object{{"filename", folder_.file("screen.ppm")}}}});
    screendump_ = content_of(folder_.file("screen.ppm"));
}

XvncScreen::XvncScreen() {
    xvnc_.emplace(start({"/usr/bin/Xtigervnc", "-displayfd", "1", "-rfbport", "-1", "-rfbunixpath",
                         address(), "-SecurityTypes", "None", "-geometry", "500x400", "-depth",
                         "24", "-nolisten", "tcp", "-noreset"}));
    const std::string number = read_until(xvnc_->output, '\n');
    display_ = ":" + number.substr(0, number.find('\n'));
}

void XvncScreen::draw(const std::string& picture) {
    process::Command command{
        {"display", "-display", display_, "-window", "root", "-size", "500x400", picture}};
    // its exit status is 1 also when it has drawn
    const auto drawn = process::run(command);
    if (!drawn || !drawn->error.empty())
        throw std::runtime_error("ImageMagick cannot draw on " + display_ + ": " +
                                 (drawn ? drawn->error : drawn.error().message()));
}

Connection::Connection(const std::string& path, const Wish& wish)
    : socket_(connect_to(path)), handshake_({Login::none}), draw_(wish.draw) {
    shake_hands();
    reader_.emplace(Size{init().width, init().height}, wish.format);
    decoder_.emplace(reader_->size());
    std::string out;
    write(out, SetPixelFormat{wish.format});
    write_encodings(out, wish.encodings);
    send(out);
}

void Connection::shake_hands() {
    for (;;) {
        const auto progress = handshake_.next(buffer_);
        if (!progress)
            throw std::runtime_error(progress.error().message());
        buffer_.erase(0, progress->used);
        send(handshake_.take_output());
        if (progress->step == HandshakeClient::Step::done)
            return;
        if (progress->step == HandshakeClient::Step::need_more)
            receive_some(socket_, buffer_, 7);
    }
}

void Connection::look(int times) {
    for (int i = 0; i < times; ++i) {
        const int before = updates_;
        request(false);
        walk_until([&] { return updates_ > before; });
    }
}

void Connection::request(bool incremental) {
    std::string out;
    write(out, UpdateRequest{incremental, 0, 0, reader_->size().width, reader_->size().height});
    send(out);
}

void Connection::walk_until(const std::function<bool()>& enough) {
    while (!(stands_at_boundary() && enough())) {
        piece_ = piece_ * 5 % 7919 + 1;
        receive_some(socket_, buffer_, piece_);
        std::size_t at = 0;
        for (;;) {
            const std::string_view rest = std::string_view(buffer_).substr(at);
            const auto event = reader_->next(rest);
            if (!event)
                throw std::runtime_error(event.error().message());
            if (event->part == ServerEvent::Part::need_more)
                break;
            at += event->bytes.size();
            if (draw_)
                decoder_->take(*reader_, *event);
            if (event->part == ServerEvent::Part::message) {
                messages_.insert(reader_->message().type);
                fence_.clear();
            } else if (event->part == ServerEvent::Part::body && !event->ends_rectangle) {
                if (fence_.size() < 64)
                    fence_ += event->bytes.substr(0, 64);
            }
            if (event->ends_message) {
                const bool update =
                    event->ends_rectangle || event->part == ServerEvent::Part::update;
                if (!update)
                    answer_fence();
                else if (is_picture(reader_->rectangle().encoding) ||
                         reader_->rectangle().encoding == Encoding::last_rect)
                    ++updates_;
                else // TigerVNC's server takes one without pixels for the answer
                    request(true);
            }
        }
        walked_ += at;
        buffer_.erase(0, at);
    }
}

void Connection::answer_fence() {
    constexpr std::uint32_t request = 0x80000000;
    const ServerMessage& message = reader_->message();
    if (message.type != server_type::fence || (message.fence_flags & request) == 0)
        return;
    std::string out;
    write(out, Fence{message.fence_flags & 3, std::string_view(fence_).substr(0, 64)});
    send(out);
}

std::vector<Encoding> with_pseudo(std::vector<Encoding> pictures) {
    for (const Encoding encoding :
         {Encoding::desktop_size, Encoding::last_rect, Encoding::cursor,
          Encoding::qemu_pointer_motion_change, Encoding::qemu_extended_key, Encoding::qemu_audio,
          Encoding::qemu_led_state, Encoding::desktop_name, Encoding::extended_desktop_size,
          Encoding::fence, Encoding::continuous_updates, Encoding::cursor_with_alpha,
          Encoding::extended_clipboard})
        pictures.push_back(encoding);
    return pictures;
}

} // namespace baton::rfb
