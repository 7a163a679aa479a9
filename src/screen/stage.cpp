#include "screen/stage.h"

#include "screen/clipboard.h"
#include "screen/x.h"

#include <boost/algorithm/hex.hpp>
#include <boost/json.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <optional>
#include <poll.h>
#include <unistd.h>
#include <vector>
#include <xcb/xcb_keysyms.h>

namespace baton::screen {

namespace {

constexpr std::chrono::milliseconds hearing{1'000};
/// How often in one second the keyboard is taken back from somebody who took it while the desk is
/// in front: a window manager gives it to a window that opens behind.
constexpr int most_taken_back = 5;

/// Another desk's window on the same display.
struct Other {
    xcb_window_t window = 0;
    std::array<std::uint32_t, 2> made{}; ///< seconds since 1970, process
    bool mapped = false;
};

class Stage {
  public:
    Stage(player::Channel channel, const PresenterOrder& order)
        : channel_(std::move(channel)), order_(order), clipboard_(x_, desk_x_, order.clipboard) {}

    Result<void> begin();
    [[noreturn]] void run();

  private:
    void name_window(const std::string& owner);
    void grab_hotkey();
    void hear_player();
    void hear_display();
    void begin_desk(int socket, const std::string& cookie);
    void hear_desk();
    void look_for_manager();
    void hear_event(const xcb_generic_event_t& event);
    void show();
    void hide();
    void take_keyboard();
    void keyboard_lost(const xcb_focus_out_event_t& event);
    void next();
    std::vector<Other> desks();
    void ask(xcb_window_t window, bool show);
    void say(const boost::json::object& words);
    xcb_window_t keyboard_of(xcb_window_t desk);

    player::Channel channel_;
    const PresenterOrder& order_;
    X x_;
    X desk_x_; ///< the desk's own, once it is there
    ClipboardBridge clipboard_;
    xcb_window_t window_ = 0;
    xcb_atom_t desk_ = 0;    ///< _BATON_DESK
    xcb_atom_t switch_ = 0;  ///< _BATON_SWITCH
    xcb_atom_t focus_ = 0;   ///< _BATON_FOCUS: who had the keyboard before the desks
    xcb_atom_t manager_ = 0; ///< of the desk: _NET_SUPPORTING_WM_CHECK
    bool managed_ = false;   ///< a window manager is ready there
    bool has_hotkey_ = false;
    bool shown_ = false;
    int taken_back_ = 0;
    std::chrono::steady_clock::time_point second_;
};

void Stage::say(const boost::json::object& words) {
    if (!channel_.send(words))
        ::_exit(0);
}

Result<void> Stage::begin() {
    BATON_TRY(x_.connect(order_.pc.name));
    desk_ = x_.atom("_BATON_DESK");
    switch_ = x_.atom("_BATON_SWITCH");
    focus_ = x_.atom("_BATON_FOCUS");
    const auto& screen = x_.screen();
    window_ = xcb_generate_id(x_.get());
    // not the window manager's: it is as large as the screen and comes and goes at once
    const std::array<std::uint32_t, 3> values{
        screen.black_pixel, 1, XCB_EVENT_MASK_STRUCTURE_NOTIFY | XCB_EVENT_MASK_FOCUS_CHANGE};
    xcb_create_window(
        x_.get(), XCB_COPY_FROM_PARENT, window_, screen.root, 0, 0, screen.width_in_pixels,
        screen.height_in_pixels, 0, XCB_WINDOW_CLASS_INPUT_OUTPUT, XCB_COPY_FROM_PARENT,
        XCB_CW_BACK_PIXEL | XCB_CW_OVERRIDE_REDIRECT | XCB_CW_EVENT_MASK, values.data());
    const std::uint32_t children = XCB_EVENT_MASK_SUBSTRUCTURE_NOTIFY;
    xcb_change_window_attributes(x_.get(), screen.root, XCB_CW_EVENT_MASK, &children);
    grab_hotkey();
    say({{"window", window_},
         {"width", screen.width_in_pixels},
         {"height", screen.height_in_pixels}});
    if (order_.hotkey.keysym != 0 && !has_hotkey_ && desks().empty())
        say({{"note", "another program of this PC has the hotkey: switch with baton-play switch"}});
    return {};
}

void Stage::name_window(const std::string& owner) {
    const auto title = "Desk of " + owner;
    x_.set_text(window_, XCB_ATOM_WM_NAME, XCB_ATOM_STRING, title);
    x_.set_text(window_, x_.atom("_NET_WM_NAME"), x_.atom("UTF8_STRING"), title);
    x_.set_text(window_, XCB_ATOM_WM_CLASS, XCB_ATOM_STRING,
                std::string("baton-play\0Baton-play\0", 22));
    const auto now = std::chrono::duration_cast<std::chrono::seconds>(
                         std::chrono::system_clock::now().time_since_epoch())
                         .count();
    const std::array<std::uint32_t, 2> made{static_cast<std::uint32_t>(now),
                                            static_cast<std::uint32_t>(::getpid())};
    xcb_change_property(x_.get(), XCB_PROP_MODE_REPLACE, window_, desk_, XCB_ATOM_CARDINAL, 32,
                        made.size(), made.data());
}

/// With and without the locks (Caps, Num), which are modifiers too.
void Stage::grab_hotkey() {
    if (order_.hotkey.keysym == 0 || has_hotkey_)
        return;
    const XKeys keys(x_.get());
    const auto codes = keys.codes_of(order_.hotkey.keysym);
    bool all = !codes.empty();
    for (const auto code : codes)
        for (const unsigned lock : {0U, unsigned{XCB_MOD_MASK_LOCK}, unsigned{XCB_MOD_MASK_2},
                                    unsigned{XCB_MOD_MASK_LOCK} | unsigned{XCB_MOD_MASK_2}})
            all = x_.done(xcb_grab_key_checked(
                      x_.get(), 0, x_.screen().root,
                      static_cast<std::uint16_t>(order_.hotkey.modifiers | lock), code,
                      XCB_GRAB_MODE_ASYNC, XCB_GRAB_MODE_ASYNC)) &&
                  all;
    has_hotkey_ = all;
    if (!all) // half a grab is nobody's
        for (const auto code : codes)
            xcb_ungrab_key(x_.get(), code, x_.screen().root, XCB_MOD_MASK_ANY);
}

std::vector<Other> Stage::desks() {
    std::vector<Other> found;
    for (const auto child : x_.children(x_.screen().root)) {
        if (child == window_)
            continue;
        const auto made = x_.numbers(child, desk_);
        if (made.size() == 2)
            found.push_back({child, {made[0], made[1]}, x_.mapped(child)});
    }
    return found;
}

/// Who had the keyboard before the first of the desks came in front.
xcb_window_t Stage::keyboard_of(xcb_window_t desk) {
    const auto before = x_.numbers(desk, focus_);
    return before.size() == 1 ? before[0] : xcb_window_t{XCB_INPUT_FOCUS_POINTER_ROOT};
}

void Stage::show() {
    if (shown_)
        return;
    const auto others = desks();
    std::optional<xcb_window_t> before;
    for (const auto& other : others)
        if (other.mapped)
            before = keyboard_of(other.window);
    const std::uint32_t keyboard = before.value_or(x_.focus());
    xcb_change_property(x_.get(), XCB_PROP_MODE_REPLACE, window_, focus_, XCB_ATOM_WINDOW, 32, 1,
                        &keyboard);
    const std::uint32_t above = XCB_STACK_MODE_ABOVE;
    xcb_configure_window(x_.get(), window_, XCB_CONFIG_WINDOW_STACK_MODE, &above);
    xcb_map_window(x_.get(), window_);
    take_keyboard();
    for (const auto& other : others)
        if (other.mapped)
            xcb_unmap_window(x_.get(), other.window);
    x_.finish();
    shown_ = true;
    say({{"shown", true}});
}

void Stage::hide() {
    if (!shown_)
        return;
    shown_ = false;
    xcb_unmap_window(x_.get(), window_);
    xcb_set_input_focus(x_.get(), XCB_INPUT_FOCUS_POINTER_ROOT, keyboard_of(window_),
                        XCB_CURRENT_TIME);
    x_.finish();
    say({{"shown", false}});
}

void Stage::take_keyboard() {
    xcb_set_input_focus(x_.get(), XCB_INPUT_FOCUS_POINTER_ROOT, window_, XCB_CURRENT_TIME);
}

void Stage::keyboard_lost(const xcb_focus_out_event_t& event) {
    const bool elsewhere =
        event.mode == XCB_NOTIFY_MODE_NORMAL && event.detail != XCB_NOTIFY_DETAIL_INFERIOR;
    if (!shown_ || !elsewhere)
        return;
    const auto now = std::chrono::steady_clock::now();
    if (now - second_ > std::chrono::seconds(1)) {
        second_ = now;
        taken_back_ = 0;
    }
    if (++taken_back_ <= most_taken_back)
        take_keyboard();
}

void Stage::ask(xcb_window_t window, bool show) {
    xcb_client_message_event_t event{};
    event.response_type = XCB_CLIENT_MESSAGE;
    event.format = 32;
    event.window = window;
    event.type = switch_;
    event.data.data32[0] = show ? 1 : 0;
    xcb_send_event(x_.get(), 0, window, XCB_EVENT_MASK_NO_EVENT,
                   reinterpret_cast<const char*>(&event));
}

/// The PC's desktop, then each desk in the order of their opening, then the PC's again.
void Stage::next() {
    auto circle = desks();
    const auto mine = x_.numbers(window_, desk_);
    circle.push_back({window_, {mine.at(0), mine.at(1)}, shown_});
    std::ranges::sort(circle, {}, &Other::made);
    const auto now = std::ranges::find_if(circle, &Other::mapped);
    const auto then = now == circle.end() ? circle.begin() : now + 1;
    if (then == circle.end())
        now->window == window_ ? hide() : ask(now->window, false);
    else
        then->window == window_ ? show() : ask(then->window, true);
}

void Stage::hear_event(const xcb_generic_event_t& event) {
    constexpr unsigned sent = 0x80;
    switch (event.response_type & ~sent) {
    case XCB_KEY_PRESS:
        next();
        break;
    case XCB_CLIENT_MESSAGE: {
        const auto& message = reinterpret_cast<const xcb_client_message_event_t&>(event);
        if (message.type == switch_ && message.window == window_)
            message.data.data32[0] != 0 ? show() : hide();
        break;
    }
    case XCB_UNMAP_NOTIFY: // by another desk's presenter
        if (reinterpret_cast<const xcb_unmap_notify_event_t&>(event).window == window_ && shown_ &&
            !x_.mapped(window_)) {
            shown_ = false;
            say({{"shown", false}});
        }
        break;
    case XCB_DESTROY_NOTIFY: // perhaps of the desk that had the hotkey
        grab_hotkey();
        break;
    case XCB_MAPPING_NOTIFY:
        if (has_hotkey_) {
            xcb_ungrab_key(x_.get(), XCB_GRAB_ANY, x_.screen().root, XCB_MOD_MASK_ANY);
            has_hotkey_ = false;
        }
        grab_hotkey();
        break;
    case XCB_FOCUS_OUT:
        keyboard_lost(reinterpret_cast<const xcb_focus_out_event_t&>(event));
        break;
    default:
        break;
    }
}

void Stage::hear_display() {
    while (const auto event = x_.event())
        if (!clipboard_.hear_pc(*event))
            hear_event(*event);
    if (xcb_connection_has_error(x_.get()) != 0)
        ::_exit(0);
    xcb_flush(x_.get());
}

void Stage::begin_desk(int socket, const std::string& cookie) {
    if (!desk_x_.connect(socket, cookie))
        return;
    manager_ = desk_x_.atom("_NET_SUPPORTING_WM_CHECK");
    const std::uint32_t properties = XCB_EVENT_MASK_PROPERTY_CHANGE;
    xcb_change_window_attributes(desk_x_.get(), desk_x_.screen().root, XCB_CW_EVENT_MASK,
                                 &properties);
    clipboard_.begin();
    look_for_manager();
}

/// A window manager says so by this property when it has taken over the windows. What is mapped
/// while it still begins can be lost: jwm throws away what it was told until then.
void Stage::look_for_manager() {
    if (managed_ || desk_x_.numbers(desk_x_.screen().root, manager_).empty())
        return;
    managed_ = true;
    say({{"managed", true}});
}

void Stage::hear_desk() {
    if (!desk_x_.open())
        return;
    while (const auto event = desk_x_.event()) {
        constexpr unsigned sent = 0x80;
        if (!clipboard_.hear_desk(*event) && (event->response_type & ~sent) == XCB_PROPERTY_NOTIFY)
            look_for_manager();
    }
    xcb_flush(desk_x_.get());
    if (!desk_x_.open())
        clipboard_.end();
}

void Stage::hear_player() {
    auto message = channel_.receive(hearing);
    if (!message)
        ::_exit(0); // the player is gone
    if (const auto* owner = message->words.if_contains("owner"))
        name_window(std::string(owner->as_string()));
    if (const auto* cookie = message->words.if_contains("desk");
        cookie != nullptr && message->files.size() == 1) {
        // the library closes it
        const int socket = ::dup(message->files.front().get());
        begin_desk(socket, boost::algorithm::unhex(std::string(cookie->as_string())));
    }
    if (const auto* shown = message->words.if_contains("show")) {
        shown->as_bool() ? show() : hide();
        say({{"done", true}});
    }
}

void Stage::run() {
    for (;;) {
        // what came while a reply was waited for is in the library's queue already
        hear_display();
        hear_desk();
        std::array<pollfd, 3> ready{
            {{channel_.fd(), POLLIN, 0},
             {xcb_get_file_descriptor(x_.get()), POLLIN, 0},
             {desk_x_.open() ? xcb_get_file_descriptor(desk_x_.get()) : -1, POLLIN, 0}}};
        int limit = -1;
        if (const auto until = clipboard_.deadline())
            limit = static_cast<int>(
                std::max<std::int64_t>(0, std::chrono::duration_cast<std::chrono::milliseconds>(
                                              *until - ClipboardBridge::Clock::now())
                                              .count()));
        const int events = ::poll(ready.data(), ready.size(), limit);
        if (events == 0)
            clipboard_.late();
        if (events <= 0)
            continue;
        if (ready[0].revents != 0)
            hear_player();
    }
}

} // namespace

void run_stage(player::Channel channel, const PresenterOrder& order) {
    const int end = channel.fd();
    Stage stage(std::move(channel), order);
    if (const auto begun = stage.begin(); !begun) {
        player::Channel back{process::Descriptor(::dup(end))};
        (void)back.send(player::to_words(begun.error()));
        ::_exit(1);
    }
    stage.run();
}

} // namespace baton::screen
