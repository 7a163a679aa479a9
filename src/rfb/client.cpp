#include "rfb/client.h"

#include "rfb/client_messages.h"
#include "rfb/wire.h"

#include <fmt/format.h>

#include <utility>

namespace baton::rfb {

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

Client::Client(AnswerChallenge answer)
    : answer_(std::move(answer)),
      handshake_(answer_ ? std::vector{Login::vnc, Login::none} : std::vector{Login::none}) {}

Client::Client(ServerInit init) : handshake_({}) {
    begin(std::move(init));
}

std::string Client::take_output() {
    return std::exchange(out_, {});
}

Result<void> Client::feed(std::string_view bytes) {
    if (failed_)
        return fail(Errc::conflict, "this connection has failed before");
    in_.append(bytes);
    auto done = advance();
    failed_ = !done;
    in_.erase(0, at_);
    at_ = 0;
    return done;
}

Result<void> Client::advance() {
    for (;;) {
        const auto rest = std::string_view(in_).substr(at_);
        const auto more = reader_ ? read(rest) : shake_hands(rest);
        if (!more)
            return tl::unexpected(more.error());
        if (!*more)
            return {};
    }
}

Result<bool> Client::shake_hands(std::string_view rest) {
    const auto progress = handshake_.next(rest);
    out_ += handshake_.take_output();
    if (!progress)
        return tl::unexpected(progress.error());
    at_ += progress->used;
    switch (progress->step) {
    case HandshakeClient::Step::need_more:
        return false;
    case HandshakeClient::Step::answer_challenge:
        handshake_.answer(answer_(handshake_.challenge()));
        return true;
    case HandshakeClient::Step::done:
        begin(handshake_.server_init());
        return true;
    default:
        return true;
    }
}

void Client::begin(ServerInit init) {
    init_ = std::move(init);
    reader_.emplace(Size{init_.width, init_.height}, PixelFormat{});
    resize(reader_->size());
    write(out_, SetPixelFormat{});
    write_encodings(out_, {Encoding::raw, Encoding::desktop_size, Encoding::last_rect});
    request(false);
}

Result<bool> Client::read(std::string_view rest) {
    const auto event = reader_->next(rest);
    if (!event)
        return tl::unexpected(event.error());
    at_ += event->bytes.size();
    switch (event->part) {
    case ServerEvent::Part::need_more:
        return false;
    case ServerEvent::Part::rectangle:
        BATON_TRY(begin_rectangle());
        break;
    case ServerEvent::Part::update:
        if (event->ends_message)
            end_update();
        return true;
    case ServerEvent::Part::body:
        if (drawing_)
            draw(event->bytes);
        break;
    default:
        break;
    }
    if (event->ends_rectangle) {
        drawing_ = false;
        if (event->ends_message)
            end_update();
    }
    return true;
}

Result<void> Client::begin_rectangle() {
    const Rectangle& rectangle = reader_->rectangle();
    switch (rectangle.encoding) {
    case Encoding::raw:
        drawing_ = true;
        drawn_pixels_ = 0;
        return {};
    case Encoding::desktop_size:
        resize(reader_->size());
        resized_ = true;
        return {};
    case Encoding::last_rect:
        return {};
    default:
        return not_rfb(
            fmt::format("the screen used {}, which was not offered", name_of(rectangle.encoding)));
    }
}

void Client::draw(std::string_view bytes) {
    while (pixel_bytes_ == 0 && bytes.size() >= 4) { // pixels that no cut goes through
        pixel_ = static_cast<std::uint32_t>(get8(bytes, 3)) << 24 |
                 static_cast<std::uint32_t>(get8(bytes, 2)) << 16 |
                 static_cast<std::uint32_t>(get8(bytes, 1)) << 8 | get8(bytes, 0);
        bytes.remove_prefix(4);
        draw_pixel();
    }
    for (const char byte : bytes) {
        pixel_ |= static_cast<std::uint32_t>(static_cast<unsigned char>(byte))
                  << (8 * pixel_bytes_);
        if (++pixel_bytes_ == 4)
            draw_pixel();
    }
}

void Client::draw_pixel() {
    const Rectangle& rectangle = reader_->rectangle();
    const std::size_t row = rectangle.y + drawn_pixels_ / rectangle.width;
    const std::size_t at = row * picture_.width + rectangle.x + drawn_pixels_ % rectangle.width;
    picture_.pixels[at] = pixel_ & 0xFFFFFF;
    if (missing_ != 0 && !drawn_[at]) {
        drawn_[at] = true;
        --missing_;
    }
    ++drawn_pixels_;
    pixel_ = 0;
    pixel_bytes_ = 0;
}

void Client::end_update() {
    if (missing_ == 0)
        ++complete_frames_;
    request(!std::exchange(resized_, false));
}

void Client::resize(Size size) {
    const std::size_t pixels = std::size_t{size.width} * size.height;
    picture_ = {size.width, size.height, std::vector<std::uint32_t>(pixels)};
    drawn_.assign(pixels, false);
    missing_ = pixels;
}

void Client::request(bool incremental) {
    write(out_, UpdateRequest{incremental, 0, 0, picture_.width, picture_.height});
}

void Client::key(std::uint32_t keysym, bool down) {
    write(out_, KeyEvent{down, keysym});
}

void Client::pointer(std::uint8_t buttons, std::uint16_t x, std::uint16_t y) {
    write(out_, PointerEvent{buttons, x, y});
}

} // namespace baton::rfb
