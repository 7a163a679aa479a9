#include "rfb/client_messages.h"

#include "rfb/message_types.h"
#include "rfb/wire.h"

namespace baton::rfb {

Encoding SetEncodings::at(std::size_t index) const {
    return encoding_from(get32(list, index * 4));
}

void write(std::string& out, const SetPixelFormat& message) {
    put32(out, std::uint32_t{client_type::set_pixel_format} << 24);
    write(out, message.format);
}

void write(std::string& out, const SetEncodings& message) {
    put16(out, client_type::set_encodings << 8);
    put16(out, static_cast<std::uint32_t>(message.size()));
    out.append(message.list);
}

void write_encodings(std::string& out, const std::vector<Encoding>& encodings) {
    put16(out, client_type::set_encodings << 8);
    put16(out, static_cast<std::uint32_t>(encodings.size()));
    for (const Encoding encoding : encodings)
        put32(out, number_of(encoding));
}

void write(std::string& out, const UpdateRequest& message) {
    put8(out, client_type::update_request);
    put8(out, message.incremental ? 1 : 0);
    for (const std::uint16_t value : {message.x, message.y, message.width, message.height})
        put16(out, value);
}

void write(std::string& out, const KeyEvent& message) {
    put8(out, client_type::key);
    put8(out, message.down ? 1 : 0);
    put16(out, 0);
    put32(out, message.keysym);
}

void write(std::string& out, const PointerEvent& message) {
    put8(out, client_type::pointer);
    put8(out, message.buttons);
    put16(out, message.x);
    put16(out, message.y);
}

void write(std::string& out, const ClientCutText& message) {
    write_cut_text_head(out, client_type::cut_text, message);
}

void write(std::string& out, const EnableContinuousUpdates& message) {
    put8(out, client_type::enable_continuous_updates);
    put8(out, message.enable ? 1 : 0);
    for (const std::uint16_t value : {message.x, message.y, message.width, message.height})
        put16(out, value);
}

void write(std::string& out, const Fence& message) {
    put32(out, std::uint32_t{client_type::fence} << 24);
    put32(out, message.flags);
    put8(out, static_cast<std::uint32_t>(message.payload.size()));
    out.append(message.payload);
}

void write(std::string& out, const SetDesktopSize& message) {
    put16(out, client_type::set_desktop_size << 8);
    put16(out, message.width);
    put16(out, message.height);
    put8(out, static_cast<std::uint32_t>(message.screens.size() / 16));
    put8(out, 0);
    out.append(message.screens);
}

void write(std::string& out, const QemuKey& message) {
    put8(out, client_type::qemu);
    put8(out, qemu_type::key);
    put16(out, message.down ? 1 : 0);
    put32(out, message.keysym);
    put32(out, message.keycode);
}

void write(std::string& out, const QemuAudio& message) {
    put8(out, client_type::qemu);
    put8(out, qemu_type::audio);
    put16(out, static_cast<std::uint32_t>(message.operation));
    if (message.operation != QemuAudio::Operation::set_format)
        return;
    put8(out, message.sample_format);
    put8(out, message.channels);
    put32(out, message.frequency_hz);
}

void write(std::string& out, const Xvp& message) {
    put8(out, client_type::xvp);
    put8(out, 0);
    put8(out, 1);
    put8(out, message.code);
}

} // namespace baton::rfb
