#pragma once

#include "model/error.h"

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

/// Runs the external programs that Baton leans on (qemu-img, nft, ...). A command line is a value
/// that a unit test looks at before anything is started; no shell ever sees it.
namespace baton::process {

struct Command {
    /// The program and its arguments. A program without '/' is looked for in PATH, then in
    /// /usr/local/sbin, /usr/sbin and /sbin (an unprivileged user's PATH often lacks them).
    std::vector<std::string> words;
    std::string input{};                    ///< all of its standard input
    std::vector<std::string> environment{}; ///< "NAME=value", added to our own and to LC_ALL
    /// Afterwards the program and all of its process group are ended.
    std::chrono::milliseconds deadline{30'000};
    /// More standard output than this is an error (Errc::refused); standard error keeps its tail.
    std::size_t output_limit = 16'777'216;
    /// Set: called with each line of standard output as it comes (ended by a newline, or a return
    /// as of a progress line; cut at 64 KiB), and nothing is kept in Finished::out.
    std::function<void(std::string_view line)> on_line{};
    /// An open descriptor: the program is ended with Errc::cancelled when it becomes readable.
    int cancel_fd = -1;

    bool operator==(const Command& other) const {
        return words == other.words && input == other.input && environment == other.environment;
    }
};

struct Finished {
    int status = 0;    ///< exit status; 128 + the signal's number if it was killed
    std::string out;   ///< standard output
    std::string error; ///< standard error, its last 64 KiB
};

/// Starts the program in a process group of its own, feeds and reads it, waits for its end. The
/// program dies with the calling thread (also at kill -9). Errc::not_found: no such program, with
/// the hint to install it; Errc::timeout: its deadline passed; Errc::cancelled. Any exit status is
/// a success here: see run_checked. Thread-safe, blocking.
Result<Finished> run(const Command& command);

/// What the failure of a program that has ended with another status than 0 is: Errc::full when it
/// says that there is no space left, else Errc::io.
Errc failure_code(const Finished& finished);

/// run(), and an exit status other than 0 is its failure_code with the last line that the program
/// said on standard error. `doing` begins every message: "checking the disk image /x.qcow2".
Result<Finished> run_checked(const Command& command, std::string_view doing);

/// The absolute path of a program as run() would find it, or Errc::not_found with the hint.
Result<std::string> find_program(const std::string& name);

/// The command line as a person would type it, quoted where a shell would need it.
std::string shown(const Command& command);

/// The last line of a text that is not empty, at most 500 bytes of it, control characters dropped.
std::string last_line(std::string_view text);

} // namespace baton::process
