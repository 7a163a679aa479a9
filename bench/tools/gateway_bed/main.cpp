#include "bed.h"

#include <fmt/format.h>

#include <csignal>
#include <cstdio>
#include <exception>
#include <map>
#include <sys/resource.h>
#include <unistd.h>
#include <vector>

namespace baton::bed {

void say(const std::string& line) {
    fmt::print("{}\n", line);
    std::fflush(stdout);
}

void wait_for_end_of_input() {
    char byte = 0;
    while (::read(STDIN_FILENO, &byte, 1) > 0) {
    }
}

void raise_descriptor_limit() {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

} // namespace baton::bed

int main(int argc, char** argv) {
    using namespace baton::bed;
    const std::map<std::string, void (*)(Arguments)> parts{
        {"gateway", run_gateway}, {"screen", run_screen}, {"copy", run_copy},
        {"view", run_view},       {"idle", run_idle},     {"echo", run_echo}};
    const std::vector<std::string> words(argv + 1, argv + argc);
    const auto part = words.empty() ? parts.end() : parts.find(words.front());
    if (part == parts.end()) {
        fmt::print(stderr, "gateway_bed: part of the gateway's benches; see bed.h\n");
        return 2;
    }
    std::signal(SIGPIPE, SIG_IGN);
    try {
        raise_descriptor_limit();
        part->second(Arguments(words).subspan(1));
        return 0;
    } catch (const std::exception& error) {
        fmt::print(stderr, "gateway_bed {}: {}\n", words.front(), error.what());
        return 1;
    }
}
