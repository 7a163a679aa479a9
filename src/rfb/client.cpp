#include "rfb/client.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace baton::rfb {

namespace {

constexpr std::uint8_t security_none = 1;
constexpr std::uint8_t security_vnc = 2;
constexpr std::uint32_t encoding_raw = 0;
constexpr std::uint32_t encoding_desktop_size = 0xFFFFFF21; // -223
constexpr std::uint32_t encoding_last_rect = 0xFFFFFF20;    // -224

tl::unexpected<Error> not_rfb(std::string what) {
    return fail(Errc::corrupt, std::move(what), "is this the port of a VNC screen?");
}

} // namespace

std::string Picture::ppm() const {
    std::string text = fmt::format("P6\n{} {}\n255\n", width, height);
    text.reserve(text.size() + pixels.size() * 3);
    for (const std::uint32_t pixel : pixels) {
        text.push_back(static_cast<char>(pixel >> 16 & 0xFF));
        text.push_back(static_cast<char>(pixel >> 8 & 0xFF));
        text.push_back(static_cast<char>(pixel & 0xFF));
    }
    return text;
}

Client::Client(AnswerChallenge answer) : answer_(std::move(answer)) {}

std::uint8_t Client::u8(std::size_t offset) const {
    return static_cast<std::uint8_t>(in_[at_ + offset]);
}

std::uint16_t Client::u16(std::size_t offset) const {
    return static_cast<std::uint16_t>(u8(offset) << 8 | u8(offset + 1));
}

std::uint32_t Client::u32(std::size_t offset) const {
    return static_cast<std::uint32_t>(u16(offset)) << 16 | u16(offset + 2);
}

void Client::put8(std::uint32_t value) {
    out_.push_back(static_cast<char>(value & 0xFF));
}

void Client::put16(std::uint32_t value) {
    put8(value >> 8);
    put8(value);
}

void Client::put32(std::uint32_t value) {
    put16(value >> 16);
    put16(value);
}

std::string Client::take_output() {
    return std::exchange(out_, {});
}

Result<void> Client::feed(std::string_view bytes) {
    if (step_ == Step::failed)
        return fail(Errc::conflict, "this connection has failed before");
    in_.append(bytes);
    for (;;) {
        auto more = advance();
        if (!more) {
            step_ = Step::failed;
            return tl::unexpected(std::move(more).error());
        }
        if (!*more)
            break;
    }
    in_.erase(0, at_);
    at_ = 0;
    return {};
}

Result<bool> Client::advance() {
    switch (step_) {
    case Step::message:
        return read_message();
    case Step::update:
        return read_update();
    case Step::rectangle:
        return read_rectangle();
    case Step::row:
        return read_row();
    case Step::colours:
        if (available() < 5)
            return false;
        begin_skip(std::uint64_t{u16(3)} * 6);
        at_ += 5;
        return true;
    case Step::cut_text:
        return read_cut_text();
    case Step::skip:
        return read_skipped();
    case Step::failed:
        return false;
    default:
        return advance_handshake();
    }
}

Result<bool> Client::advance_handshake() {
    switch (step_) {
    case Step::version:
        return read_version();
    case Step::security_33:
        return read_security_33();
    case Step::security_count:
        if (available() < 1)
            return false;
        expected_ = u8(0);
        at_ += 1;
        step_ = expected_ == 0 ? Step::security_reason : Step::security_types;
        return true;
    case Step::security_types:
        return read_security_types();
    case Step::challenge:
        return read_challenge();
    case Step::security_result:
        return read_security_result();
    case Step::security_reason:
        return read_security_reason();
    case Step::server_init:
        return read_server_init();
    case Step::server_name:
        return read_server_name();
    default:
        return false;
    }
}

Result<bool> Client::read_version() {
    constexpr std::string_view start = "RFB 003.";
    constexpr std::size_t length = 12;
    const auto given = std::min(available(), start.size());
    if (std::string_view(in_).substr(at_, given) != start.substr(0, given))
        return not_rfb("the other side does not speak RFB 3");
    if (available() < length)
        return false;
    const std::string_view line(in_.data() + at_, length);
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    if (line[11] != '\n' || !std::all_of(line.begin() + 8, line.begin() + 11, is_digit))
        return not_rfb("the other side does not speak RFB 3");
    const int minor = (line[8] - '0') * 100 + (line[9] - '0') * 10 + (line[10] - '0');
    minor_ = minor >= 8 ? 8 : minor == 7 ? 7 : 3;
    out_ += fmt::format("RFB 003.{:03}\n", minor_);
    at_ += length;
    step_ = minor_ == 3 ? Step::security_33 : Step::security_count;
    return true;
}

Result<bool> Client::read_security_33() {
    if (available() < 4)
        return false;
    const std::uint32_t type = u32(0);
    at_ += 4;
    if (type == 0) {
        step_ = Step::security_reason;
        return true;
    }
    const char word = static_cast<char>(type & 0xFF);
    return choose({&word, 1});
}

Result<bool> Client::read_security_types() {
    if (available() < expected_)
        return false;
    const std::string types = in_.substr(at_, expected_);
    at_ += expected_;
    return choose(types);
}

Result<bool> Client::choose(std::string_view types) {
    const auto offered = [&](std::uint8_t type) {
        return types.find(static_cast<char>(type)) != std::string_view::npos;
    };
    if (offered(security_vnc) && answer_) {
        if (minor_ != 3)
            put8(security_vnc);
        step_ = Step::challenge;
        return true;
    }
    if (offered(security_none)) {
        if (minor_ != 3)
            put8(security_none);
        if (minor_ == 8) {
            step_ = Step::security_result;
        } else {
            put8(1); // ClientInit: share the screen with other viewers
            step_ = Step::server_init;
        }
        return true;
    }
    if (offered(security_vnc))
        return fail(Errc::unauthenticated, "the screen asks for a password",
                    "give one with --password");
    return fail(Errc::unsupported, "the screen offers no kind of login that is known here",
                "it must offer None or VNC authentication");
}

Result<bool> Client::read_challenge() {
    Challenge challenge{};
    if (available() < challenge.size())
        return false;
    std::copy_n(in_.begin() + static_cast<std::ptrdiff_t>(at_), challenge.size(),
                challenge.begin());
    at_ += challenge.size();
    for (const std::uint8_t byte : answer_(challenge))
        put8(byte);
    step_ = Step::security_result;
    return true;
}

Result<bool> Client::read_security_result() {
    if (available() < 4)
        return false;
    const std::uint32_t result = u32(0);
    at_ += 4;
    if (result == 0) {
        put8(1); // ClientInit: share the screen with other viewers
        step_ = Step::server_init;
        return true;
    }
    if (minor_ != 8)
        return fail(Errc::unauthenticated, "the screen refused the login", "check its password");
    step_ = Step::security_reason;
    return true;
}

Result<bool> Client::read_security_reason() {
    if (available() < 4)
        return false;
    const std::uint32_t length = u32(0);
    if (length > most_text_bytes)
        return not_rfb("the screen's reason for refusing is absurdly long");
    if (available() < 4 + std::size_t{length})
        return false;
    return fail(Errc::unauthenticated,
                fmt::format("the screen refused: {}", in_.substr(at_ + 4, length)),
                "check its password and whether it has expired");
}

Result<bool> Client::read_server_init() {
    if (available() < 24)
        return false;
    const std::uint16_t width = u16(0);
    const std::uint16_t height = u16(2);
    expected_ = u32(20);
    at_ += 24;
    if (expected_ > most_text_bytes)
        return not_rfb("the screen's name is absurdly long");
    BATON_TRY(resize(width, height));
    step_ = Step::server_name;
    return true;
}

Result<bool> Client::read_server_name() {
    if (available() < expected_)
        return false;
    name_ = in_.substr(at_, expected_);
    at_ += expected_;
    put32(0); // SetPixelFormat: 32 bits, little endian, red at 16, green at 8, blue at 0
    for (const std::uint32_t value : {32U, 24U, 0U, 1U})
        put8(value);
    for (int colour = 0; colour < 3; ++colour)
        put16(255);
    for (const std::uint32_t shift : {16U, 8U, 0U})
        put8(shift);
    put8(0);
    put16(0);
    put16(0x0200); // SetEncodings
    put16(3);
    put32(encoding_raw);
    put32(encoding_desktop_size);
    put32(encoding_last_rect);
    request(false);
    step_ = Step::message;
    return true;
}

Result<bool> Client::read_message() {
    if (available() < 1)
        return false;
    const std::uint8_t type = u8(0);
    at_ += 1;
    switch (type) {
    case 0:
        step_ = Step::update;
        return true;
    case 1:
        step_ = Step::colours;
        return true;
    case 2: // bell
        return true;
    case 3:
        step_ = Step::cut_text;
        return true;
    default:
        return not_rfb(fmt::format("the screen sent a message of the unknown kind {}", type));
    }
}

bool Client::read_update() {
    if (available() < 3)
        return false;
    rectangles_left_ = u16(1);
    at_ += 3;
    if (rectangles_left_ == 0) {
        rectangles_left_ = 1;
        end_rectangle();
    } else {
        step_ = Step::rectangle;
    }
    return true;
}

Result<bool> Client::read_rectangle() {
    if (available() < 12)
        return false;
    rectangle_ = {u16(0), u16(2), u16(4), u16(6), 0};
    const std::uint32_t encoding = u32(8);
    at_ += 12;
    if (encoding == encoding_last_rect) {
        rectangles_left_ = 1;
        end_rectangle();
        return true;
    }
    if (encoding == encoding_desktop_size) {
        BATON_TRY(resize(rectangle_.width, rectangle_.height));
        resized_ = true;
        end_rectangle();
        return true;
    }
    if (encoding != encoding_raw)
        return not_rfb(fmt::format("the screen used encoding {}, which was not offered", encoding));
    if (rectangle_.x + rectangle_.width > picture_.width ||
        rectangle_.y + rectangle_.height > picture_.height)
        return not_rfb("the screen sent a rectangle that reaches beyond its size");
    if (rectangle_.width == 0 || rectangle_.height == 0)
        end_rectangle();
    else
        step_ = Step::row;
    return true;
}

bool Client::read_row() {
    const std::size_t bytes = std::size_t{rectangle_.width} * 4;
    if (available() < bytes)
        return false;
    const std::size_t y = std::size_t{rectangle_.y} + rectangle_.row;
    const std::size_t start = y * picture_.width + rectangle_.x;
    for (std::size_t x = 0; x < rectangle_.width; ++x) {
        picture_.pixels[start + x] = static_cast<std::uint32_t>(u8(x * 4 + 2)) << 16 |
                                     static_cast<std::uint32_t>(u8(x * 4 + 1)) << 8 | u8(x * 4);
        if (missing_ != 0 && !drawn_[start + x]) {
            drawn_[start + x] = true;
            --missing_;
        }
    }
    at_ += bytes;
    if (++rectangle_.row == rectangle_.height)
        end_rectangle();
    return true;
}

void Client::end_rectangle() {
    if (--rectangles_left_ != 0) {
        step_ = Step::rectangle;
        return;
    }
    step_ = Step::message;
    if (missing_ == 0)
        ++complete_frames_;
    request(!std::exchange(resized_, false));
}

Result<bool> Client::read_cut_text() {
    if (available() < 7)
        return false;
    const std::uint32_t length = u32(3);
    // a negative length announces an extended clipboard, which nobody has asked for
    if (length > most_text_bytes)
        return not_rfb(fmt::format("the screen announces a clipboard of {} bytes", length));
    at_ += 7;
    begin_skip(length);
    return true;
}

bool Client::read_skipped() {
    const auto some = std::min<std::uint64_t>(skip_, available());
    at_ += some;
    skip_ -= some;
    if (skip_ != 0)
        return false;
    step_ = Step::message;
    return true;
}

Result<void> Client::resize(std::uint16_t width, std::uint16_t height) {
    const std::uint64_t pixels = std::uint64_t{width} * height;
    if (pixels == 0 || pixels > most_pixels)
        return not_rfb(fmt::format("the screen says that its size is {}x{}", width, height));
    picture_ = {width, height, std::vector<std::uint32_t>(pixels)};
    drawn_.assign(pixels, false);
    missing_ = pixels;
    return {};
}

void Client::request(bool incremental) {
    put8(3);
    put8(incremental ? 1 : 0);
    put32(0);
    put16(picture_.width);
    put16(picture_.height);
}

void Client::begin_skip(std::uint64_t bytes) {
    skip_ = bytes;
    step_ = bytes == 0 ? Step::message : Step::skip;
}

void Client::key(std::uint32_t keysym, bool down) {
    put8(4);
    put8(down ? 1 : 0);
    put16(0);
    put32(keysym);
}

void Client::pointer(std::uint8_t buttons, std::uint16_t x, std::uint16_t y) {
    put8(5);
    put8(buttons);
    put16(x);
    put16(y);
}

} // namespace baton::rfb
