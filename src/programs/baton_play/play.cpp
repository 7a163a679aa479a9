#include "programs/baton_play/play.h"

#include "player/attend.h"
#include "player/base.h"
#include "player/base_image.h"
#include "player/control.h"
#include "player/person.h"
#include "player/policy.h"
#include "player/session.h"
#include "process/secret.h"

#include <CLI/CLI.hpp>
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <exception>
#include <fcntl.h>
#include <filesystem>
#include <unistd.h>

namespace baton::play_program {

namespace {

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
    std::string overlay;
    std::string tls = "/etc/baton/play-tls";
    std::string passphrase_file;
    std::string explain;
    std::string clipboard;
    std::string hotkey;
    std::string to; ///< switch: where
    bool graphical = false;
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
    const process::Descriptor root(
        ::open(options.pc_root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const auto base = options.base.empty() ? player::base_of(root.get())
                                           : player::BaseImage::find(options.base, options.library);
    if (!base && !options.base.empty())
        return complain(base.error());
    fmt::print("{}", player::explain(policy, base.value_or(""), *path));
    return 0;
}

/// The program beside this one that has what a graphical session takes. A text session does not
/// load it.
int become_graphical(char** argv) {
    std::error_code wrong;
    const auto self = std::filesystem::read_symlink("/proc/self/exe", wrong);
    const auto other = self.parent_path() / "baton-play-desktop";
    ::execv(other.c_str(), argv);
    return complain(Error{Errc::not_found, other.string() + " cannot be started",
                          "it belongs to baton-play: install Baton whole", errno});
}

/// One open session, with or without a desktop.
class Running {
  public:
    Running(player::Session& session, const Options& options,
            std::unique_ptr<player::Display> display)
        : session_(session),
          options_(options),
          since_(std::time(nullptr)),
          display_(std::move(display)) {}

    Result<int> attend();

    /// The PC's desktop is there again before everything inside has ended.
    void put_away() { display_.reset(); }

  private:
    Result<player::Playing> answer(player::Ask ask);

    player::Session& session_;
    const Options& options_;
    std::int64_t since_;
    std::unique_ptr<player::Display> display_;
};

Result<player::Playing> Running::answer(player::Ask ask) {
    if (ask != player::Ask::status) {
        if (!display_)
            return fail(Errc::refused, "this desk has no desktop of its own to switch to",
                        "it was opened without --graphical");
        BATON_TRY(display_->show(ask == player::Ask::show));
    }
    std::error_code wrong;
    const auto path = std::filesystem::absolute(options_.desk, wrong);
    return player::Playing{session_.blueprint().owner,
                           wrong ? options_.desk : path.string(),
                           ::getpid(),
                           since_,
                           display_ ? display_->pc().name : "",
                           display_ && display_->shown()};
}

Result<int> Running::attend() {
    player::Program program;
    program.words = options_.command;
    program.user = options_.user;
    program.environment = carried_environment();
    auto watches = session_.watches();
    const auto control = player::ControlSocket::listen(player::person_here().uid);
    if (control)
        watches.push_back({control->fd(), [&]() -> Result<void> {
                               control->answer([&](player::Ask ask) { return answer(ask); });
                               return {};
                           }});
    else
        session_.note(control.error().message());
    if (display_) {
        BATON_TRY(display_->begin(session_));
        session_.opening().done(player::Row::desktop, "the desk's display, shown");
        for (auto& watch : display_->watches())
            watches.push_back(std::move(watch));
        player::Program desktop = program;
        desktop.words.clear();
        desktop.desktop = true;
        if (program.words.empty()) {
            program = desktop;
        } else {
            BATON_TRY(player::start_aside(session_, desktop));
            display_->wait_for_manager();
        }
    }
    return player::attend(session_, program, watches);
}

Result<std::string> passphrase_of(const Options& options) {
    if (!options.passphrase_file.empty())
        return process::read_secret(options.passphrase_file);
    auto line = process::ask_secret("passphrase of " + options.desk);
    if (!line && line.error().code == Errc::not_found)
        return fail(Errc::invalid_argument,
                    "the desk " + options.desk +
                        " is encrypted, and there is no terminal to ask "
                        "for its passphrase on",
                    "name a file that holds it: --passphrase-file FILE");
    return line;
}

int play(const Options& options, player::Policy policy, std::span<char> arguments,
         const Graphics& graphics) {
    player::PlayOrder order;
    order.desk = options.desk;
    order.pc_root = options.pc_root;
    order.image = options.base;
    order.images = options.library;
    order.disk.overlay = options.overlay;
    order.disk.tls = options.tls;
    order.disk.passphrase = [&options] { return passphrase_of(options); };
    order.break_lease = options.break_lease;
    order.services = !options.no_services;
    order.publish = options.publish;
    order.arguments = arguments;
    if (!options.quiet)
        order.note = [](const std::string& text) { fmt::print(stderr, "baton-play: {}\n", text); };
    player::block_signals();
    std::unique_ptr<player::Display> display;
    if (options.graphical) {
        auto prepared = graphics.prepare({policy.clipboard, policy.hotkey});
        if (!prepared)
            return complain(prepared.error());
        display = std::move(*prepared);
        order.desktop = graphics.desktop;
    }
    order.policy = std::move(policy);
    auto session = player::Session::open(order);
    if (!session)
        return complain(session.error());
    Running running(*session, options, std::move(display));
    const auto status = running.attend();
    running.put_away();
    const auto closed = session->close(std::chrono::seconds(5));
    if (options.timings)
        fmt::print(stderr, "{}", player::table_1(session->opening(), session->closing()));
    if (options.timings && session->received_bytes())
        fmt::print(stderr, "read over the network until the desk was open: {} KiB\n",
                   *session->received_bytes() / 1024);
    if (!status)
        complain(status.error());
    if (!closed && (status || closed.error() != status.error()))
        return complain(closed.error());
    return status.value_or(could_not);
}

int list_players() {
    const auto players = player::players_here();
    if (players.empty()) {
        fmt::print("no desk is open here\n");
        return 0;
    }
    fmt::print("{:<12}{:<18}{:<10}{:<8}{:<9}{}\n", "DESK OF", "SINCE", "DISPLAY", "SHOWN",
               "PROCESS", "IMAGE");
    for (const auto& [socket, one] : players)
        fmt::print("{:<12}{:%Y-%m-%d %H:%M}  {:<10}{:<8}{:<9}{}\n", one.owner,
                   fmt::localtime(static_cast<std::time_t>(one.since)),
                   one.display.empty() ? "-" : one.display,
                   one.display.empty() ? "-"
                   : one.shown         ? "yes"
                                       : "no",
                   one.pid, one.desk);
    return 0;
}

int switch_to(const std::string& word) {
    const char* display = std::getenv("DISPLAY"); // NOLINT(concurrency-mt-unsafe): one thread
    const auto turn =
        player::turn_to(player::players_here(), word, display == nullptr ? "" : display);
    if (!turn)
        return complain(turn.error());
    if (turn->socket.empty())
        return 0;
    const auto done = player::ask_player(turn->socket, turn->ask);
    return done ? 0 : complain(done.error());
}

/// What the words say that is in the policy too.
Result<void> add_to(player::Policy& policy, const Options& options) {
    if (!options.network.empty()) {
        const auto network = player::parse_network(options.network);
        if (!network)
            return tl::unexpected(network.error());
        policy.network = *network;
    }
    if (!options.clipboard.empty()) {
        const auto clipboard = player::parse_clipboard(options.clipboard);
        if (!clipboard)
            return tl::unexpected(clipboard.error());
        policy.clipboard = *clipboard;
    }
    if (!options.hotkey.empty())
        policy.hotkey = options.hotkey;
    for (const auto& port : options.publish)
        BATON_TRY(player::check_publish(port));
    if (!options.publish.empty() && policy.network != player::Network::user)
        return fail(Errc::invalid_argument, "only a network of its own has ports to publish",
                    "leave out --publish, or say --net user");
    if (options.graphical && policy.network == player::Network::host)
        return fail(Errc::invalid_argument,
                    "a desk with a desktop of its own has a network of its own: in the PC's, the "
                    "PC's display would be within its reach",
                    "say --net user or --net none");
    if (!options.graphical && !(options.clipboard.empty() && options.hotkey.empty()))
        return fail(Errc::invalid_argument, "--clipboard and --hotkey are for a graphical session",
                    "say --graphical");
    return {};
}

/// The memory of the words that this program was started with.
std::span<char> memory_of(int argc, char** argv) {
    if (argc == 0)
        return {};
    return {argv[0], argv[argc - 1] + std::strlen(argv[argc - 1])};
}

void add_options(CLI::App& app, Options& options) {
    app.add_option("DESK", options.desk,
                   "the desk's image: a file, or nbds://HOST:PORT/EXPORT, or https://...");
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
    app.add_option("--overlay", options.overlay,
                   "of a desk at https://: the file that takes what is written; made if it is not "
                   "there");
    app.add_option("--tls", options.tls,
                   "of a desk at nbds://: the folder with ca-cert.pem, client-cert.pem and "
                   "client-key.pem")
        ->capture_default_str();
    app.add_option("--passphrase-file", options.passphrase_file,
                   "of an encrypted desk: a file whose first line is the passphrase, -: standard "
                   "input; without it, it is asked for");
    app.add_option("--explain", options.explain,
                   "say which rule holds for this path and where it is kept, and end");
    app.add_flag("--graphical", options.graphical,
                 "a desktop of the desk's own beside the PC's, on the display of DISPLAY; it ends "
                 "with the COMMAND, or with \"Log out\"");
    app.add_option("--clipboard", options.clipboard,
                   "apart, in (from the PC into the desk), out or both; default: the policy's");
    app.add_option("--hotkey", options.hotkey,
                   "to the next desktop, as Ctrl+Alt+Home; none; default: the policy's");
    app.add_flag("--break-lease", options.break_lease,
                 "open a desk that another machine says it has, because that machine is gone");
    app.add_flag("--no-services", options.no_services,
                 "start neither the person's services nor their session bus");
    app.add_flag("--timings", options.timings, "afterwards, the paper's Table 1 for this run");
    app.add_flag("--quiet", options.quiet, "no notes on standard error");
    app.footer("Examples:\n  baton-play /media/stick/kim.desk\n"
               "  baton-play ./kim.desk --net none -- make -C project\n"
               "  baton-play ./kim.desk --graphical\n"
               "  baton-play switch host\n"
               "  baton-play --explain /usr/local/bin/tool\n\n"
               "Exit status: the program's; 125 when the player itself could not; 2 for words that "
               "make no sense.");
}

} // namespace

int run(int argc, char** argv, const Graphics& graphics) {
    CLI::App app{"Opens a desk on this PC: the person's files, settings and programs over the PC's "
                 "system, without a trace on it."};
    app.name("baton-play");
    app.set_version_flag("--version", "baton 0.1.0");
    Options options;
    add_options(app, options);
    auto* list = app.add_subcommand("list", "The desks that are open here.");
    auto* turn = app.add_subcommand(
        "switch", "Shows the desktop of another open desk, or the PC's again. Without a word: the "
                  "next one, as the hotkey does.");
    turn->add_option("DESK", options.to, "an owner, an image, or: host");
    try {
        app.parse(argc, argv);
        if (list->parsed())
            return list_players();
        if (turn->parsed())
            return switch_to(options.to);
        auto policy = player::read_policy(options.policy);
        if (!policy)
            return complain(policy.error());
        if (const auto sound = add_to(*policy, options); !sound)
            return complain(sound.error());
        if (!options.explain.empty())
            return explain(options, *policy);
        if (options.desk.empty())
            return complain(Error{Errc::invalid_argument, "which desk?",
                                  "name its image: baton-play ./kim.desk", 0});
        if (options.graphical && graphics.prepare == nullptr)
            return become_graphical(argv);
        return play(options, std::move(*policy), memory_of(argc, argv), graphics);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    } catch (const std::exception& error) {
        fmt::print(stderr, "baton-play: this is a fault of Baton's own: {}\n", error.what());
        return could_not;
    }
}

} // namespace baton::play_program
