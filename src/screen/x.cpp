#include "screen/x.h"

#include <algorithm>

namespace baton::screen {

namespace {

constexpr std::uint32_t most_numbers = 100;

} // namespace

X::~X() {
    if (connection_ != nullptr)
        xcb_disconnect(connection_);
}

Result<void> X::take(xcb_connection_t* connection, int number, const std::string& name) {
    connection_ = connection;
    const int wrong = xcb_connection_has_error(connection_);
    if (wrong != 0)
        return fail(Errc::unavailable, "no X server answers at the display " + name,
                    "is DISPLAY right, and may this user open windows there (XAUTHORITY)?");
    auto at = xcb_setup_roots_iterator(xcb_get_setup(connection_));
    for (; at.rem > 1 && number > 0; --number)
        xcb_screen_next(&at);
    screen_ = at.data;
    return {};
}

Result<void> X::connect(const std::string& name) {
    int number = 0;
    auto* connection = xcb_connect(name.c_str(), &number);
    return take(connection, number, name);
}

Result<void> X::connect(int socket, const std::string& cookie) {
    std::string name = "MIT-MAGIC-COOKIE-1";
    std::string data = cookie;
    xcb_auth_info_t cookies{static_cast<int>(name.size()), name.data(),
                            static_cast<int>(data.size()), data.data()};
    return take(xcb_connect_to_fd(socket, &cookies), 0, "of the desk");
}

xcb_atom_t X::atom(const std::string& name) const {
    const XPointer<xcb_intern_atom_reply_t> reply(xcb_intern_atom_reply(
        connection_,
        xcb_intern_atom(connection_, 0, static_cast<std::uint16_t>(name.size()), name.data()),
        nullptr));
    return reply ? reply->atom : xcb_atom_t{XCB_ATOM_NONE};
}

void X::set_text(xcb_window_t window, xcb_atom_t property, xcb_atom_t type,
                 const std::string& text) const {
    xcb_change_property(connection_, XCB_PROP_MODE_REPLACE, window, property, type, 8,
                        static_cast<std::uint32_t>(text.size()), text.data());
}

std::vector<std::uint32_t> X::numbers(xcb_window_t window, xcb_atom_t property) const {
    const XPointer<xcb_get_property_reply_t> reply(
        xcb_get_property_reply(connection_,
                               xcb_get_property(connection_, 0, window, property,
                                                XCB_GET_PROPERTY_TYPE_ANY, 0, most_numbers),
                               nullptr));
    if (!reply || reply->format != 32)
        return {};
    const auto* first = static_cast<const std::uint32_t*>(xcb_get_property_value(reply.get()));
    return {first, first + xcb_get_property_value_length(reply.get()) / 4};
}

std::vector<xcb_window_t> X::children(xcb_window_t window) const {
    const XPointer<xcb_query_tree_reply_t> reply(
        xcb_query_tree_reply(connection_, xcb_query_tree(connection_, window), nullptr));
    if (!reply)
        return {};
    const auto* first = xcb_query_tree_children(reply.get());
    return {first, first + xcb_query_tree_children_length(reply.get())};
}

bool X::mapped(xcb_window_t window) const {
    const XPointer<xcb_get_window_attributes_reply_t> reply(xcb_get_window_attributes_reply(
        connection_, xcb_get_window_attributes(connection_, window), nullptr));
    return reply && reply->map_state != XCB_MAP_STATE_UNMAPPED;
}

xcb_window_t X::focus() const {
    const XPointer<xcb_get_input_focus_reply_t> reply(
        xcb_get_input_focus_reply(connection_, xcb_get_input_focus(connection_), nullptr));
    return reply ? reply->focus : xcb_window_t{XCB_INPUT_FOCUS_POINTER_ROOT};
}

bool X::done(xcb_void_cookie_t request) const {
    const XPointer<xcb_generic_error_t> error(xcb_request_check(connection_, request));
    return error == nullptr;
}

void X::finish() const {
    (void)focus(); // any question: it is answered after what was asked before it
}

XPointer<xcb_generic_event_t> X::event() const {
    return XPointer<xcb_generic_event_t>(xcb_poll_for_event(connection_));
}

XKeys::XKeys(xcb_connection_t* connection)
    : symbols_(xcb_key_symbols_alloc(connection), &xcb_key_symbols_free) {}

std::vector<xcb_keycode_t> XKeys::codes_of(std::uint32_t keysym) const {
    const XPointer<xcb_keycode_t> codes(xcb_key_symbols_get_keycode(symbols_.get(), keysym));
    std::vector<xcb_keycode_t> result;
    for (const auto* code = codes.get(); code != nullptr && *code != XCB_NO_SYMBOL; ++code)
        if (std::ranges::find(result, *code) == result.end())
            result.push_back(*code);
    return result;
}

} // namespace baton::screen
