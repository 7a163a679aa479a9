#include "programs/baton_guest/x_ahead.h"

#include "guest/desk_mount.h"

#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <memory>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>

// this program has one thread, and its children are alone in theirs
// NOLINTBEGIN(concurrency-mt-unsafe)

namespace baton::guest_program {

namespace {

constexpr const char* script = "/etc/baton/x-ahead";
constexpr const char* fifo = "/run/baton/person";
constexpr std::string_view waiting_title = "Terminal";
constexpr std::string_view shown_title = "Terminal of ";

} // namespace

void run_ahead(const char* program) {
    become_person("person", home_link);
    if (::chdir("/") != 0) // the home will be another one, and must not be held
        ::_exit(126);
    ::setenv("DISPLAY", x_display, 1);
    ::execl(program, program, static_cast<char*>(nullptr));
    ::_exit(127);
}

XAhead::XAhead(xcb_connection_t* connection, Session& session)
    : connection_(connection), session_(session) {}

void XAhead::start() {
    stage_ = Stage::none;
    if (::access(script, X_OK) != 0)
        return;
    // a new one each time: what the last one has not read is not for this one. Open for reading
    // too, so that what is written waits for who is not there yet.
    ::unlink(fifo);
    if (::mkfifo(fifo, 0400) == 0 && ::chown(fifo, guest::desk_uid, guest::desk_uid) == 0)
        person_.reset(::open(fifo, O_RDWR | O_NONBLOCK | O_CLOEXEC));
    else
        person_.reset();
    if (!person_) {
        std::perror("baton-guest: cannot make /run/baton/person");
        return;
    }
    const auto child = session_.start_ahead([] { run_ahead(script); });
    if (!child) {
        std::fprintf(stderr, "baton-guest: %s\n", child.error().message().c_str());
        return;
    }
    pid_ = *child;
    stage_ = Stage::starting;
}

bool XAhead::begin(const std::string& person) {
    if (stage_ != Stage::starting && stage_ != Stage::waiting)
        return false;
    const std::string line = person + "\n";
    if (::write(person_.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size()))
        return false;
    stage_ = Stage::begun;
    return true;
}

void XAhead::look(const std::vector<xcb_window_t>& windows) {
    if (stage_ != Stage::starting && stage_ != Stage::begun)
        return;
    for (const xcb_window_t window : windows) {
        const std::uint32_t events = XCB_EVENT_MASK_PROPERTY_CHANGE;
        xcb_change_window_attributes(connection_, window, XCB_CW_EVENT_MASK, &events);
        const std::string now = title(window);
        if (stage_ == Stage::starting && now == waiting_title)
            stage_ = Stage::waiting;
        else if (stage_ == Stage::begun && now.starts_with(shown_title))
            stage_ = Stage::shown;
    }
}

bool XAhead::child_ended(pid_t pid) {
    if (pid != pid_)
        return false;
    pid_ = -1;
    stage_ = Stage::none;
    return true;
}

std::string XAhead::title(xcb_window_t window) const {
    const std::unique_ptr<xcb_get_property_reply_t, decltype(&std::free)> reply(
        xcb_get_property_reply(connection_,
                               xcb_get_property(connection_, 0, window, XCB_ATOM_WM_NAME,
                                                XCB_GET_PROPERTY_TYPE_ANY, 0, 64),
                               nullptr),
        &std::free);
    if (!reply)
        return {};
    return {static_cast<const char*>(xcb_get_property_value(reply.get())),
            static_cast<std::size_t>(xcb_get_property_value_length(reply.get()))};
}

} // namespace baton::guest_program

// NOLINTEND(concurrency-mt-unsafe)
