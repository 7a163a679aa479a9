#include "carrier.h"
#include "rfb/client_messages.h"
#include "rfb/handshake_client.h"
#include "rfb/server_reader.h"

#include <fmt/format.h>

#include <chrono>
#include <list>
#include <optional>
#include <thread>

namespace baton::bed {

namespace {

using Clock = std::chrono::steady_clock;

/// Logged in, and behind ServerInit.
class Viewer {
  public:
    Viewer(const std::string& kind, std::uint16_t port, const std::string& authority)
        : carrier(kind, port, authority) {
        const rfb::Login login = kind == "plain" ? rfb::Login::plain
                                 : kind == "tls" ? rfb::Login::x509_plain
                                                 : rfb::Login::none;
        rfb::HandshakeClient handshake({login});
        using Step = rfb::HandshakeClient::Step;
        for (Step step = Step::again; step != Step::done;) {
            carrier.send(handshake.take_output());
            if (step == Step::need_more)
                hear();
            const auto progress = handshake.next(first);
            if (!progress)
                give_up(progress.error().message());
            first.erase(0, progress->used);
            step = progress->step;
            if (step == Step::start_tls) {
                carrier.send(handshake.take_output());
                carrier.start_tls();
            }
            if (step == Step::give_credentials)
                handshake.give({"kim", "s3cret-7"});
        }
        init = handshake.server_init();
        std::string out;
        write(out, rfb::SetPixelFormat{rfb::PixelFormat{}});
        rfb::write_encodings(out, {rfb::Encoding::tight, rfb::Encoding::zrle, rfb::Encoding::raw,
                                   rfb::Encoding::last_rect, rfb::Encoding::desktop_size});
        carrier.send(out);
    }

    void hear() {
        const std::string_view more = carrier.receive();
        if (more.empty())
            give_up("the other side has ended the connection");
        first.append(more);
    }

    void request(bool incremental) {
        std::string out;
        write(out, rfb::UpdateRequest{incremental, 0, 0, init.width, init.height});
        carrier.send(out);
    }

    Carrier carrier;
    rfb::ServerInit init;
    std::string first; ///< what has come and is not looked at
};

std::uint16_t port_of(const std::string& word) {
    return static_cast<std::uint16_t>(std::stoi(word));
}

std::string authority_of(Arguments arguments, std::size_t at) {
    return arguments.size() > at ? arguments[at] : std::string();
}

} // namespace

void run_view(Arguments arguments) {
    Viewer viewer(arguments[0], port_of(arguments[1]), authority_of(arguments, 2));
    say("in");
    const auto begin = Clock::now();
    viewer.request(false);
    std::size_t bytes = viewer.first.size();
    std::string tail;
    const bool asking = arguments.size() > 3;
    rfb::ServerReader reader({viewer.init.width, viewer.init.height}, rfb::PixelFormat{});
    std::string rest = viewer.first;
    const auto ask_behind_updates = [&](std::string_view some) {
        rest.append(some);
        std::size_t at = 0;
        for (;;) {
            const auto event = reader.next(std::string_view(rest).substr(at));
            if (!event)
                give_up(event.error().message());
            if (event->part == rfb::ServerEvent::Part::need_more)
                break;
            at += event->bytes.size();
            if (event->ends_message)
                viewer.request(true);
        }
        rest.erase(0, at);
    };
    do {
        const std::string_view some = viewer.carrier.receive();
        if (some.empty())
            give_up("the stream broke off");
        bytes += some.size();
        if (asking)
            ask_behind_updates(some);
        tail.append(some.substr(some.size() - std::min(some.size(), end_mark.size())));
        tail.erase(0, tail.size() - std::min(tail.size(), end_mark.size()));
    } while (tail != end_mark);
    const std::chrono::duration<double> took = Clock::now() - begin;
    say(fmt::format("{} {}", bytes, took.count()));
    wait_for_end_of_input();
}

void run_idle(Arguments arguments) {
    std::list<Viewer> viewers;
    const int count = std::stoi(arguments[2]);
    for (int i = 0; i < count; ++i) {
        viewers.emplace_back(arguments[0], port_of(arguments[1]), authority_of(arguments, 3));
        viewers.back().request(true);
        if (i == 0)
            say("first"); // what is made once is there
    }
    say("all");
    wait_for_end_of_input();
}

void run_echo(Arguments arguments) {
    Viewer viewer(arguments[0], port_of(arguments[1]), authority_of(arguments, 3));
    rfb::ServerReader reader({viewer.init.width, viewer.init.height}, rfb::PixelFormat{});
    std::string rest = std::move(viewer.first);
    const auto look_until_update = [&] {
        for (;;) {
            std::size_t at = 0;
            bool update = false;
            for (;;) {
                const auto event = reader.next(std::string_view(rest).substr(at));
                if (!event)
                    give_up(event.error().message());
                if (event->part == rfb::ServerEvent::Part::need_more)
                    break;
                at += event->bytes.size();
                update = update || event->ends_message;
            }
            rest.erase(0, at);
            if (update)
                return;
            const std::string_view more = viewer.carrier.receive();
            if (more.empty())
                give_up("the other side has ended the connection");
            rest.append(more);
        }
    };
    std::string press;
    write(press, rfb::KeyEvent{true, 'a'});
    write(press, rfb::KeyEvent{false, 'a'});
    const int count = std::stoi(arguments[2]);
    for (int i = 0; i < count + 200; ++i) {
        std::this_thread::sleep_for(
            std::chrono::milliseconds(1)); // a person does not type in a row
        const auto pressed = Clock::now();
        viewer.carrier.send(press);
        look_until_update();
        const std::chrono::duration<double, std::micro> took = Clock::now() - pressed;
        if (i >= 200)
            say(fmt::format("{:.1f}", took.count()));
    }
}

} // namespace baton::bed
