#include "programs/baton_guest/x_screen.h"

#include "guest/status_strip.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <string>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

// this program has one thread, and its children are alone in theirs
// NOLINTBEGIN(concurrency-mt-unsafe)

namespace baton::guest_program {

namespace {

constexpr const char* server_script = "/etc/baton/x-server";
constexpr const char* manager_script = "/etc/baton/x-manager";
constexpr const char* session_script = "/etc/baton/x-session";
constexpr const char* nobody_home = "/run/baton/nobody";
constexpr int most_manager_restarts = 5;

constexpr int bar_height = 20;
constexpr std::uint32_t bar_colour = 0x1D2B3A;
constexpr std::uint32_t quiet_ink = 0x9FB3C8;
constexpr std::uint32_t trouble_ink = 0xFF9080;

constexpr xcb_keysym_t f9 = 0xFFC6;
constexpr xcb_keysym_t f10 = 0xFFC7;

std::uint32_t pixel(guest::Colour colour) {
    const guest::Rgb value = guest::rgb(colour);
    return static_cast<std::uint32_t>(value.red << 16 | value.green << 8 | value.blue);
}

template <class Reply>
std::unique_ptr<Reply, decltype(&std::free)> owned(Reply* reply) {
    return {reply, &std::free};
}

void point_home_at(const std::string& home) {
    const std::string fresh = std::string(home_link) + ".new";
    ::unlink(fresh.c_str());
    if (::symlink(home.c_str(), fresh.c_str()) != 0 || ::rename(fresh.c_str(), home_link) != 0)
        std::fprintf(stderr, "baton-guest: cannot point %s at %s\n", home_link, home.c_str());
}

} // namespace

XScreen::XScreen(Loop& loop, Session& session, ScreenEvents events)
    : loop_(loop), session_(session), events_(std::move(events)) {}

XScreen::~XScreen() {
    if (connection_ != nullptr)
        xcb_disconnect(connection_);
}

// ---- server and window manager -----------------------------------------------------------------

Result<void> XScreen::open() {
    ::mkdir(nobody_home, 0700);
    if (::chown(nobody_home, 1000, 1000) != 0)
        return fail_errno(errno, std::string("cannot make ") + nobody_home);
    point_home_at(nobody_home);
    std::array<int, 2> pipe{};
    if (::pipe2(pipe.data(), O_CLOEXEC) != 0)
        return fail_errno(errno, "cannot make a pipe for the X server");
    server_says_.reset(pipe[0]);
    const Fd for_server(pipe[1]);
    server_ = ::fork();
    if (server_ < 0)
        return fail_errno(errno, "cannot start the X server");
    if (server_ == 0) {
        sigset_t none;
        ::sigemptyset(&none);
        ::pthread_sigmask(SIG_SETMASK, &none, nullptr);
        ::setsid();
        if (for_server.get() == 3)
            ::fcntl(3, F_SETFD, 0);
        else
            ::dup2(for_server.get(), 3);
        ::execl(server_script, server_script, static_cast<char*>(nullptr));
        ::_exit(127);
    }
    loop_.watch(server_says_.get(), EPOLLIN, [this](std::uint32_t) { server_ready(); });
    return {};
}

void XScreen::server_ready() {
    std::array<char, 64> buffer{};
    const ssize_t count = ::read(server_says_.get(), buffer.data(), buffer.size());
    // the display's number comes first, the newline in a write of its own
    const bool whole = count > 0 && buffer[static_cast<std::size_t>(count) - 1] == '\n';
    if (count > 0 && !whole)
        return;
    loop_.forget(server_says_.get());
    server_says_.reset();
    if (whole)
        connect();
}

void XScreen::connect() {
    connection_ = xcb_connect(x_display, nullptr);
    if (xcb_connection_has_error(connection_) != 0) {
        std::fprintf(stderr, "baton-guest: the X server does not answer\n");
        return;
    }
    screen_ = xcb_setup_roots_iterator(xcb_get_setup(connection_)).data;
    painter_ = std::make_unique<XPainter>(connection_, screen_->root);
    client_list_ = atom("_NET_CLIENT_LIST");
    const std::uint32_t root_events =
        XCB_EVENT_MASK_PROPERTY_CHANGE; // the window manager and its clients are told there
    xcb_change_window_attributes(connection_, screen_->root, XCB_CW_EVENT_MASK, &root_events);
    make_windows();
    ahead_ = std::make_unique<XAhead>(connection_, session_);
    draw_bar();
    xcb_flush(connection_);
    start_manager();
    now_key_ = keycode_of(connection_, f9);
    not_now_key_ = keycode_of(connection_, f10);
    loop_.watch(xcb_get_file_descriptor(connection_), EPOLLIN,
                [this](std::uint32_t) { read_events(); });
    loop_.soon([this] {
        read_events();
        show_message();
    });
}

void XScreen::start_manager() {
    const auto child = session_.start_ahead([] { run_ahead(manager_script); });
    if (child)
        manager_ = *child;
    else
        std::fprintf(stderr, "baton-guest: %s\n", child.error().message().c_str());
}

bool XScreen::child_ended(pid_t pid, int wait_status) {
    if (pid == server_) {
        // without a screen there is no desktop: init starts us and the server anew
        std::fprintf(stderr, "baton-guest: the X server has ended\n");
        ::kill(::getpid(), SIGTERM);
        return true;
    }
    if (ahead_ && ahead_->child_ended(pid)) {
        programs_changed();
        return true;
    }
    if (pid != manager_)
        return false;
    manager_ = -1;
    managed_ = false;
    const bool chosen = WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0;
    if (in_session_ && chosen && !closing_)
        session_.kill(); // "Log out" in its menu
    else if (!session_.ending() && ++manager_restarts_ <= most_manager_restarts)
        start_manager();
    return true;
}

// ---- the session -------------------------------------------------------------------------------

Result<void> XScreen::start_session(const std::string& person) {
    if (connection_ == nullptr)
        return fail(Errc::unavailable, "the graphical screen is not there");
    const std::string home = "/home/" + person;
    point_home_at(home);
    in_session_ = true;
    visible_ = false;
    closing_ = false;
    manager_restarts_ = 0;
    std::array<int, 2> pipe{};
    if (::pipe2(pipe.data(), O_CLOEXEC) != 0)
        return fail_errno(errno, "cannot make a pipe for the session");
    const Fd wait(pipe[0]);
    go_.reset(pipe[1]);
    const bool begun = ahead_->begin(person);
    auto started = session_.start([&] {
        go_.reset(); // the other end closes when baton-guest says so, and when it dies
        char nothing = 0;
        while (::read(wait.get(), &nothing, 1) < 0 && errno == EINTR) {
        }
        become_person(person, home);
        ::setenv("DISPLAY", x_display, 1);
        if (begun)
            ::setenv("BATON_TERMINAL", "open", 1);
        ::execl(session_script, session_script, static_cast<char*>(nullptr));
    });
    if (!begun)
        go_.reset();
    if (!started) {
        in_session_ = false;
        return started;
    }
    if (manager_ < 0)
        start_manager();
    return {};
}

void XScreen::session_ended() {
    in_session_ = false;
    closing_ = false;
    go_.reset();
    if (close_timer_) {
        loop_.forget(close_timer_.get());
        close_timer_.reset();
    }
    point_home_at(nobody_home);
    manager_restarts_ = 0;
}

void XScreen::disk_removed() {
    prepare_session(); // not sooner: who waits for the desk elsewhere waits for that disk to go
}

/// What is to be there before the next session begins; the first window follows the manager.
void XScreen::prepare_session() {
    if (connection_ != nullptr && !in_session_ && manager_ < 0)
        start_manager();
}

bool XScreen::ask_to_close(std::chrono::milliseconds grace) {
    if (connection_ == nullptr)
        return false;
    closing_ = true;
    std::vector<xcb_window_t> windows;
    if (client_windows(windows) == 0)
        return false;
    xcb_client_message_event_t message{};
    message.response_type = XCB_CLIENT_MESSAGE;
    message.format = 32;
    message.type = atom("WM_PROTOCOLS");
    message.data.data32[0] = atom("WM_DELETE_WINDOW");
    for (const xcb_window_t window : windows) {
        message.window = window;
        xcb_send_event(connection_, 0, window, XCB_EVENT_MASK_NO_EVENT,
                       reinterpret_cast<const char*>(&message));
    }
    xcb_flush(connection_);
    close_timer_.reset(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
    const auto soft = std::max<std::int64_t>(grace.count() * 3 / 4, 1);
    itimerspec when{};
    when.it_value.tv_sec = soft / 1000;
    when.it_value.tv_nsec = soft % 1000 * 1'000'000;
    ::timerfd_settime(close_timer_.get(), 0, &when, nullptr);
    loop_.watch(close_timer_.get(), EPOLLIN, [this](std::uint32_t) { all_closed(); });
    return true;
}

void XScreen::all_closed() {
    if (close_timer_) {
        loop_.forget(close_timer_.get());
        close_timer_.reset();
    }
    session_.ask_to_end();
}

std::size_t XScreen::client_windows(std::vector<xcb_window_t>& windows) const {
    windows.clear();
    const auto reply = owned(xcb_get_property_reply(
        connection_,
        xcb_get_property(connection_, 0, screen_->root, client_list_, XCB_ATOM_WINDOW, 0, 1024),
        nullptr));
    if (!reply)
        return 0;
    const auto* first = static_cast<const xcb_window_t*>(xcb_get_property_value(reply.get()));
    const auto count =
        static_cast<std::size_t>(xcb_get_property_value_length(reply.get())) / sizeof *first;
    windows.assign(first, first + count);
    return count;
}

xcb_atom_t XScreen::atom(std::string_view name) const {
    const auto reply = owned(xcb_intern_atom_reply(
        connection_,
        xcb_intern_atom(connection_, 0, static_cast<std::uint16_t>(name.size()), name.data()),
        nullptr));
    return reply ? reply->atom : xcb_atom_t{XCB_ATOM_NONE};
}

// ---- events ------------------------------------------------------------------------------------

void XScreen::read_events() {
    if (connection_ == nullptr)
        return;
    while (const auto event = owned(xcb_poll_for_event(connection_)))
        handle(*event);
    if (xcb_connection_has_error(connection_) != 0) {
        loop_.forget(xcb_get_file_descriptor(connection_));
        xcb_disconnect(connection_);
        connection_ = nullptr;
        return; // the server has gone; its end as a child tells the rest
    }
    xcb_flush(connection_);
}

void XScreen::handle(const xcb_generic_event_t& event) {
    switch (event.response_type & 0x7F) {
    case XCB_EXPOSE: {
        const auto& expose = reinterpret_cast<const xcb_expose_event_t&>(event);
        if (expose.count != 0)
            break;
        if (expose.window == bar_)
            draw_bar();
        else if (expose.window == message_->window())
            message_->draw();
        break;
    }
    case XCB_VISIBILITY_NOTIFY: {
        const auto& visibility = reinterpret_cast<const xcb_visibility_notify_event_t&>(event);
        const std::uint32_t above = XCB_STACK_MODE_ABOVE;
        if (visibility.state != XCB_VISIBILITY_UNOBSCURED)
            xcb_configure_window(connection_, visibility.window, XCB_CONFIG_WINDOW_STACK_MODE,
                                 &above);
        break;
    }
    case XCB_BUTTON_PRESS: {
        const auto& press = reinterpret_cast<const xcb_button_press_event_t&>(event);
        if (press.event != message_->window())
            break;
        if (const auto now = message_->answer_at(press.event_x, press.event_y))
            events_.answered(*now);
        break;
    }
    case XCB_KEY_PRESS: {
        const auto& press = reinterpret_cast<const xcb_key_press_event_t&>(event);
        if (press.detail == now_key_ || press.detail == not_now_key_)
            events_.answered(press.detail == now_key_);
        break;
    }
    case XCB_PROPERTY_NOTIFY:
        property_changed(reinterpret_cast<const xcb_property_notify_event_t&>(event));
        break;
    default:
        break;
    }
}

void XScreen::property_changed(const xcb_property_notify_event_t& change) {
    const bool list = change.window == screen_->root && change.atom == client_list_;
    // a window manager writes the list, an empty one too, when it has drawn itself
    if (list && !std::exchange(managed_, true) && !in_session_)
        ahead_->start();
    if (list || (change.window != screen_->root && change.atom == XCB_ATOM_WM_NAME))
        programs_changed();
}

void XScreen::programs_changed() {
    std::vector<xcb_window_t> windows;
    const std::size_t count = client_windows(windows);
    ahead_->look(windows);
    if (managed_ && ahead_->stage() != XAhead::Stage::starting && !std::exchange(drawn_, true))
        events_.drawn();
    if (!in_session_)
        return;
    const bool none = ahead_->stage() == XAhead::Stage::none;
    if (ahead_->stage() == XAhead::Stage::shown || (none && count > 0))
        show_session();
    else if (none)
        go_.reset(); // no window to wait for: the session's own programs open the first one
    if (count == 0 && closing_)
        all_closed();
}

void XScreen::show_session() {
    if (!std::exchange(visible_, true))
        events_.session_visible();
    go_.reset();
}

// ---- the bar and the message -------------------------------------------------------------------

void XScreen::make_windows() {
    bar_ = overlay_window(connection_, *screen_, screen_->width_in_pixels, bar_height, bar_colour,
                          XCB_EVENT_MASK_EXPOSURE | XCB_EVENT_MASK_VISIBILITY_CHANGE);
    message_ = std::make_unique<XMessage>(connection_, *screen_, *painter_, bar_height + 40);
    xcb_map_window(connection_, bar_);
}

void XScreen::show(const guest::ScreenState& state) {
    const bool bar = !(state_.person == state.person && state_.hostname == state.hostname &&
                       state_.os_image == state.os_image && state_.memory == state.memory &&
                       state_.fence == state.fence && state_.phase == state.phase &&
                       state_.trouble == state.trouble);
    const bool message = state_.message != state.message;
    state_ = state;
    if (connection_ == nullptr)
        return;
    if (bar)
        draw_bar();
    if (message)
        show_message();
    xcb_flush(connection_);
    if (state_.phase == guest::ScreenState::Phase::mounting)
        prepare_session(); // a disk that never went away
}

void XScreen::draw_bar() {
    const auto cells = guest::strip_cells(guest::strip_state(state_.fence, state_.memory));
    for (std::size_t cell = 0; cell < cells.size(); ++cell)
        painter_->fill(bar_, pixel(cells[cell]), static_cast<int>(cell) * guest::strip::cell_width,
                       0, guest::strip::cell_width, guest::strip::cell_height);
    const int width = screen_->width_in_pixels;
    int x = guest::strip::width + 2 * XPainter::column;
    const auto put = [&](std::uint32_t ink, const std::string& text) {
        x = painter_->text(bar_, ink, bar_colour, x, 1, text);
    };
    put(white, state_.person.empty() ? "nobody yet" : state_.person);
    put(quiet_ink, "  memory ");
    put(white, state_.memory.count > 0 ? to_string(state_.memory) : "unknown");
    put(quiet_ink, "  system ");
    put(white, state_.os_image.empty() ? "unnamed" : state_.os_image);
    put(quiet_ink, "  computer ");
    put(white, state_.hostname.empty() ? "unnamed" : state_.hostname);
    switch (state_.phase) {
    case guest::ScreenState::Phase::waiting:
        put(quiet_ink, "  waiting for a desk");
        break;
    case guest::ScreenState::Phase::mounting:
        put(quiet_ink, "  your desk is being brought");
        break;
    case guest::ScreenState::Phase::working:
        put(quiet_ink, "  desk no. ");
        put(white, std::to_string(state_.fence));
        break;
    case guest::ScreenState::Phase::closing:
        put(quiet_ink, "  your programs are being closed");
        break;
    case guest::ScreenState::Phase::ended:
        put(quiet_ink, "  you have logged out");
        break;
    case guest::ScreenState::Phase::failed:
        put(trouble_ink, "  no desk: " + state_.trouble);
        break;
    }
    if (x < width)
        painter_->fill(bar_, bar_colour, x, 0, width - x, bar_height);
    painter_->fill(bar_, black, 0, guest::strip::cell_height, guest::strip::width,
                   bar_height - guest::strip::cell_height);
}

void XScreen::show_message() {
    grab_keys(state_.message && state_.message->may_defer);
    message_->show(state_.message);
}

void XScreen::grab_keys(bool on) {
    for (const xcb_keycode_t key : {now_key_, not_now_key_}) {
        if (key == 0)
            continue;
        if (on)
            xcb_grab_key(connection_, 0, screen_->root, XCB_MOD_MASK_ANY, key, XCB_GRAB_MODE_ASYNC,
                         XCB_GRAB_MODE_ASYNC);
        else
            xcb_ungrab_key(connection_, key, screen_->root, XCB_MOD_MASK_ANY);
    }
}

} // namespace baton::guest_program

// NOLINTEND(concurrency-mt-unsafe)
