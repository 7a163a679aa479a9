#include "rfb/viewer_state.h"

#include "model/overloaded.h"

#include <algorithm>

namespace baton::rfb {

bool passes_to_desktop(Encoding encoding) {
    if (encoding == Encoding::qemu_audio || encoding == Encoding::zywrle)
        return false;
    return is_framed(encoding) || is_level(encoding) || encoding == Encoding::extended_clipboard;
}

std::vector<Encoding> ViewerState::encodings_passed() const {
    std::vector<Encoding> passed;
    std::copy_if(asked_.begin(), asked_.end(), std::back_inserter(passed), passes_to_desktop);
    return passed;
}

bool ViewerState::asked(Encoding encoding) const {
    return std::find(asked_.begin(), asked_.end(), encoding) != asked_.end();
}

std::string_view ViewerState::pass(const ClientEvent& event) {
    if (event.part != ClientEvent::Part::message)
        return event.bytes; // of a clipboard, whose head has passed
    const std::string_view bytes = event.bytes;
    return std::visit(Overloaded{[](const EnableContinuousUpdates&) { return std::string_view(); },
                                 [](const Fence&) { return std::string_view(); },
                                 [](const QemuAudio&) { return std::string_view(); },
                                 [](const Xvp&) { return std::string_view(); },
                                 [&](const ClientCutText&) { return bytes; },
                                 [&](const SetDesktopSize&) { return bytes; },
                                 [&](const auto& message) { return pass(message, bytes); }},
                      *event.message);
}

std::string_view ViewerState::pass(const SetPixelFormat& message, std::string_view bytes) {
    format_ = message.format;
    return bytes;
}

std::string_view ViewerState::pass(const SetEncodings& message, std::string_view /*bytes*/) {
    asked_.clear();
    for (std::size_t i = 0; i < message.size(); ++i)
        asked_.push_back(message.at(i));
    scratch_.clear();
    write_encodings(scratch_, encodings_passed());
    return scratch_;
}

std::string_view ViewerState::pass(const UpdateRequest& message, std::string_view bytes) {
    wants_update_ = true;
    if (!needs_everything_)
        return bytes;
    needs_everything_ = false;
    scratch_.clear();
    write(scratch_, UpdateRequest{false, 0, 0, size_.width, size_.height});
    static_cast<void>(message);
    return scratch_;
}

std::string_view ViewerState::pass(const KeyEvent& message, std::string_view bytes) {
    return keys_.take(message) ? bytes : std::string_view();
}

std::string_view ViewerState::pass(const QemuKey& message, std::string_view bytes) {
    return keys_.take(message) ? bytes : std::string_view();
}

std::string_view ViewerState::pass(const PointerEvent& message, std::string_view bytes) {
    const PointerEvent inside = keys_.take(message, size_);
    if (inside == message)
        return bytes;
    scratch_.clear();
    write(scratch_, inside);
    return scratch_;
}

} // namespace baton::rfb
