/// `baton-view`: shows a person's desktop. Parsing and wiring only.
#include "model/exit_status.h"
#include "viewer/viewer.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <exception>
#include <fstream>
#include <map>
#include <string>

using baton::Errc;
using baton::exit_status;
using baton::fail;
using baton::Result;

namespace {

struct Words {
    baton::viewer::ViewerSettings settings;
    std::string gateway;
    std::string password_file;
    std::string window;
    int quality = -1;
};

/// "host", "host:5901", "[::1]:5901".
Result<void> read_place(const std::string& text, baton::viewer::LinkSettings& link) {
    const auto wrong = [&] {
        return fail(Errc::invalid_argument, "'" + text + "' is no gateway",
                    "write HOST or HOST:PORT");
    };
    if (!text.empty() && text.front() == '/') {
        link.host = text;
        return {};
    }
    std::string_view host = text;
    std::string_view port;
    const bool brackets = !host.empty() && host.front() == '[';
    const std::size_t end = brackets ? host.find(']') : host.rfind(':');
    if (brackets) {
        if (end == std::string_view::npos)
            return wrong();
        port = host.substr(end + 1);
        host = host.substr(1, end - 1);
        if (!port.empty() && port.front() != ':')
            return wrong();
        port.remove_prefix(port.empty() ? 0 : 1);
    } else if (end != std::string_view::npos) {
        port = host.substr(end + 1);
        host = host.substr(0, end);
    }
    if (host.empty() || (port.empty() && text.back() == ':'))
        return wrong();
    link.host = host;
    if (port.empty())
        return {};
    const auto parsed = std::from_chars(port.data(), port.data() + port.size(), link.port);
    if (parsed.ec != std::errc() || parsed.ptr != port.data() + port.size() || link.port == 0)
        return wrong();
    return {};
}

Result<void> read_window(const std::string& text, baton::viewer::ViewerSettings& settings) {
    constexpr int least = 160;
    constexpr int most = 16384;
    const std::size_t by = text.find('x');
    const char* end = text.data() + text.size();
    const auto wrong = [&] {
        return fail(Errc::invalid_argument, "'" + text + "' is no size of a window",
                    fmt::format("write it as 1280x800, from {} to {}", least, most));
    };
    if (by == std::string::npos)
        return wrong();
    const auto width = std::from_chars(text.data(), text.data() + by, settings.width);
    const auto height = std::from_chars(text.data() + by + 1, end, settings.height);
    if (width.ec != std::errc() || height.ec != std::errc() || width.ptr != text.data() + by ||
        height.ptr != end)
        return wrong();
    for (const int side : {settings.width, settings.height})
        if (side < least || side > most)
            return wrong();
    return {};
}

/// The first line.
Result<void> read_password(const std::string& path, std::optional<std::string>& password) {
    std::ifstream file(path);
    std::string line;
    if (!file || (!std::getline(file, line) && !file.eof()))
        return baton::fail_errno(errno != 0 ? errno : EIO, "cannot read the password file " + path);
    password = line;
    return {};
}

Result<void> show(Words& words) {
    BATON_TRY(read_place(words.gateway, words.settings.link));
    if (!words.window.empty())
        BATON_TRY(read_window(words.window, words.settings));
    if (!words.password_file.empty())
        BATON_TRY(read_password(words.password_file, words.settings.password));
    if (words.quality >= 0)
        words.settings.link.wishes.quality = words.quality;
    return baton::viewer::run(std::move(words.settings));
}

void add_options(CLI::App& app, Words& words) {
    using baton::viewer::Draw;
    using baton::viewer::Language;
    using baton::viewer::Scale;
    auto& settings = words.settings;
    const std::map<std::string, Language> languages{{"en", Language::english},
                                                    {"ko", Language::korean}};
    const std::map<std::string, Scale> scales{{"fit", Scale::fit}, {"1:1", Scale::one_to_one}};
    const std::map<std::string, Draw> ways{{"auto", Draw::automatic},
                                           {"surface", Draw::surface},
                                           {"texture", Draw::texture},
                                           {"screen", Draw::screen}};
    app.add_option("--gateway", words.gateway,
                   "HOST[:PORT] of baton-gateway (port 5900), or of a VNC screen without --ca")
        ->required();
    app.add_option("--ca", settings.link.authority,
                   "The site's CA, PEM: nobody without a certificate of it is spoken to");
    app.add_option(
        "--controller", settings.controller,
        "https://ADDRESS:PORT: let the person choose where there is more than one OS image");
    app.add_option("--user", settings.user, "The name in the login");
    app.add_option("--password-file", words.password_file,
                   "Log in at once with the password in this file's first line");
    app.add_option("--language", settings.language, "Of the viewer itself: en or ko")
        ->transform(CLI::CheckedTransformer(languages).description(""));
    app.add_option("--window", words.window,
                   "WIDTHxHEIGHT of a window, instead of the full screen");
    app.add_option("--scale", settings.scale, "fit (default) or 1:1")
        ->transform(CLI::CheckedTransformer(scales).description(""));
    app.add_flag("--status", settings.status, "Show the status line from the beginning");
    app.add_flag("--once", settings.once, "End with the connection, or with the first refusal");
    app.add_option("--record", settings.link.record,
                   "Write what the screen sends to this file (it holds what was on the screen)");
    app.add_option("--font", settings.font, "A font file, instead of what fontconfig finds");
    app.add_option("--quality", words.quality, "0 to 9: pictures may lose something (JPEG)")
        ->check(CLI::Range(0, 9));
    app.add_option("--message-file", settings.message_file,
                   "A line for the person, shown when it changes, until a key is pressed");
    app.add_option("--report", settings.report,
                   "A file or FIFO: when the login and the desktop were first seen");
    app.add_option("--draw", settings.draw, "auto, surface or texture: how pictures are drawn")
        ->transform(CLI::CheckedTransformer(ways).description(""));
}

} // namespace

int main(int argc, char** argv) {
    CLI::App app{"Shows a person's desktop, full screen or in a window, with its login."};
    app.name("baton-view");
    app.set_version_flag("--version", "baton-view 0.1.0");
    app.footer("Keys of its own: Ctrl+Alt+Shift and S (status line), F (fit or 1:1), Q (leave the "
               "desktop).\n"
               "Example: baton-view --gateway 10.98.0.1 --ca ca-cert.pem --user kim");
    Words words;
    add_options(app, words);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : exit_status(Errc::invalid_argument);
    }
    try {
        if (const auto done = show(words); !done) {
            fmt::print(stderr, "baton-view: {}\n", done.error().message());
            return exit_status(done.error().code);
        }
        return 0;
    } catch (const std::exception& error) {
        fmt::print(stderr, "baton-view: this is a fault of Baton's own: {}\n", error.what());
        return exit_status(Errc::internal);
    }
}
