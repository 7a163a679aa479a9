#pragma once

#include "process/child.h"

#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

/// What the benches of the gateway, which are Python, put around it: screens, viewers, and the
/// gateway itself, each a process of its own. What fails is thrown.
namespace baton::bed {

using Arguments = std::span<const std::string>;

/// gateway SCREEN [CERTIFICATE KEY]: carries whoever comes to SCREEN (a port of the loopback), with
/// any name, password or ticket; without a certificate by VeNCrypt's Plain and ws. Says its two
/// ports; ends with its input.
void run_gateway(Arguments arguments);

/// screen MIBIBYTES RECTANGLE_BYTES RECTANGLES [asked]: says its port. The first request starts a
/// stream of updates, `RECTANGLES` Tight rectangles of so many bytes each; `asked`: each of them
/// waits for a request of its own, as a screen's do. A pressed key is answered with
/// 8x16 pixels. Ends with its input.
void run_screen(Arguments arguments);

/// copy PORT: says its own, and copies bytes to and from that one in a loop of read and write.
void run_copy(Arguments arguments);

/// view KIND PORT [CA [asking]]: one viewer takes the whole stream, says how many bytes came in how
/// many seconds, and stays until its input ends. KIND: none, plain, tls, ws, wss, stunnel.
/// `asking`: asks anew behind each update.
void run_view(Arguments arguments);

/// idle KIND PORT COUNT [CA]: so many viewers come and do nothing until its input ends. Says when
/// they are there.
void run_idle(Arguments arguments);

/// echo KIND PORT COUNT [CA]: presses a key so often and says each echo's microseconds.
void run_echo(Arguments arguments);

/// What a stream of run_screen ends with.
inline constexpr std::string_view end_mark = "the stream has ended";

void say(const std::string& line);
/// Until whoever started us has closed our input.
void wait_for_end_of_input();
void raise_descriptor_limit();

[[noreturn]] inline void give_up(const std::string& why) {
    throw std::runtime_error(why);
}

} // namespace baton::bed
