/// `baton-play`: a person's desk on this PC. Parsing and wiring only; what it does is in
/// src/player/.
#include "player/attend.h"
#include "player/base.h"
#include "player/base_image.h"
#include "player/policy.h"
#include "player/session.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fcntl.h>

namespace {

using baton::Errc;
using baton::Error;
namespace player = baton::player;

/// As env(1) and chroot(1): what the player itself could not do is 125, so that it is not taken for
/// the program's own status.
constexpr int could_not = 125;

struct Options {
    std::string desk;
    std::vector<std::string> command;
    std::string user;
    std::string network;
    std::vector<std::string> publish;
    std::string policy;
    std::string pc_root = "/";
    std::string base;
    std::string library;
    std::string explain;
    bool break_lease = false;
    bool no_services = false;
    bool timings = false;
    bool quiet = false;
};

int complain(const Error& error) {
    fmt::print(stderr, "baton-play: {}\n", error.message());
    return error.code == Errc::invalid_argument ? 2 : could_not;
}

/// What a session may know of the PC's environment.
std::map<std::string, std::string> carried_environment() {
    std::map<std::string, std::string> carried;
    for (const char* name : {"TERM", "COLORTERM", "LANG", "LC_ALL", "LC_CTYPE", "TZ"})
        if (const char* value = std::getenv(name)) // NOLINT(concurrency-mt-unsafe): one thread
            carried[name] = value;
    return carried;
}

int explain(const Options& options, const player::Policy& policy) {
    const auto path = player::clean_path(options.explain);
    if (!path)
        return complain(path.error());
    const baton::process::Descriptor root(
        ::open(options.pc_root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const auto base = options.base.empty() ? player::base_of(root.get())
                                           : player::BaseImage::find(options.base, options.library);
    if (!base && !options.base.empty())
        return complain(base.error());
    fmt::print("{}", player::explain(policy, base.value_or(""), *path));
    return 0;
}

int play(const Options& options, player::Policy policy, std::span<char> arguments) {
    player::PlayOrder order;
    order.desk = options.desk;
    order.policy = std::move(policy);
    order.pc_root = options.pc_root;
    order.image = options.base;
    order.images = options.library;
    order.break_lease = options.break_lease;
    order.services = !options.no_services;
    order.publish = options.publish;
    order.arguments = arguments;
    if (!options.quiet)
        order.note = [](const std::string& text) { fmt::print(stderr, "baton-play: {}\n", text); };
    player::block_signals();
    auto session = player::Session::open(order);
    if (!session)
        return complain(session.error());
    player::Program program;
    program.words = options.command;
    program.user = options.user;
    program.environment = carried_environment();
    const auto status = player::attend(*session, program);
    const auto closed = session->close(std::chrono::seconds(5));
    if (options.timings)
        fmt::print(stderr, "{}", player::table_1(session->opening(), session->closing()));
    if (!status)
        complain(status.error());
    if (!closed)
        return complain(closed.error());
    return status.value_or(could_not);
}

/// The memory of the words that this program was started with.
std::span<char> memory_of(int argc, char** argv) {
    if (argc == 0)
        return {};
    return {argv[0], argv[argc - 1] + std::strlen(argv[argc - 1])};
}

} // namespace

int main(int argc, char** argv) {
    CLI::App app{"Opens a desk on this PC: the person's files, settings and programs over the PC's "
                 "system, without a trace on it."};
    app.name("baton-play");
    app.set_version_flag("--version", "baton 0.1.0");
    Options options;
    app.add_option("DESK", options.desk, "the desk's image: a file");
    app.add_option("COMMAND", options.command,
                   "behind --: the program and its arguments; without it, a login shell");
    app.add_option("--user", options.user, "who to be inside; without it, the desk's owner");
    app.add_option("--net", options.network, "user, none or host; see docs/player.md");
    app.add_option("--publish", options.publish,
                   "a port inside to be reached on the PC: [ADDRESS/]PORT[:PORT]; may be repeated")
        ->allow_extra_args(false);
    app.add_option("--policy", options.policy,
                   "a policy instead of /etc/baton/player.toml or the one built in");
    app.add_option("--pc-root", options.pc_root, "the system to lay the desk over")
        ->capture_default_str();
    app.add_option("--base", options.base,
                   "lay the desk over this OS image (baton os list) instead of the PC's system");
    app.add_option("--library", options.library,
                   "the folder of OS images; default: BATON_IMAGES, or /var/lib/baton/images");
    app.add_option("--explain", options.explain,
                   "say which rule holds for this path and where it is kept, and end");
    app.add_flag("--break-lease", options.break_lease,
                 "open a desk that another machine says it has, because that machine is gone");
    app.add_flag("--no-services", options.no_services,
                 "start neither the person's services nor their session bus");
    app.add_flag("--timings", options.timings, "afterwards, the paper's Table 1 for this run");
    app.add_flag("--quiet", options.quiet, "no notes on standard error");
    app.footer("Examples:\n  baton-play /media/stick/kim.desk\n"
               "  baton-play ./kim.desk --net none -- make -C project\n"
               "  baton-play --explain /usr/local/bin/tool\n\n"
               "Exit status: the program's; 125 when the player itself could not; 2 for words that "
               "make no sense.");
    try {
        app.parse(argc, argv);
        auto policy = player::read_policy(options.policy);
        if (!policy)
            return complain(policy.error());
        if (!options.network.empty()) {
            const auto network = player::parse_network(options.network);
            if (!network)
                return complain(network.error());
            policy->network = *network;
        }
        for (const auto& port : options.publish)
            if (const auto sound = player::check_publish(port); !sound)
                return complain(sound.error());
        if (!options.publish.empty() && policy->network != player::Network::user)
            return complain(Error{Errc::invalid_argument,
                                  "only a network of its own has ports to publish",
                                  "leave out --publish, or say --net user", 0});
        if (!options.explain.empty())
            return explain(options, *policy);
        if (options.desk.empty())
            return complain(Error{Errc::invalid_argument, "which desk?",
                                  "name its image: baton-play ./kim.desk", 0});
        return play(options, std::move(*policy), memory_of(argc, argv));
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    } catch (const std::exception& error) {
        fmt::print(stderr, "baton-play: this is a fault of Baton's own: {}\n", error.what());
        return could_not;
    }
}
