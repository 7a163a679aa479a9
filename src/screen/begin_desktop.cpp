#include "screen/begin_desktop.h"

#include "player/mounts.h"
#include "process/exec.h"
#include "screen/jwm.h"
#include "screen/settings.h"

#include <array>
#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <set>
#include <sys/stat.h>
#include <unistd.h>

namespace baton::screen {

namespace {

using player::Account;
using process::Descriptor;
using Lines = std::vector<std::string>;

constexpr std::size_t most_entries = 2'000;
constexpr const char* log_file = "/.local/state/baton/desktop.log";

std::string value_in(const Lines& environment, const std::string& name) {
    for (const auto& line : environment)
        if (line.starts_with(name + "="))
            return line.substr(name.size() + 1);
    return "";
}

bool installed(const std::string& program, const Lines& environment) {
    const auto found = player::find_in_path(program, environment);
    return !found.empty() && ::access(found.c_str(), X_OK) == 0;
}

struct Closed {
    void operator()(DIR* folder) const { ::closedir(folder); }
};

/// The entries of one folder that no folder before it had.
void read_folder(const std::string& folder, const Lines& environment, std::set<std::string>& seen,
                 std::vector<MenuEntry>& entries) {
    const std::unique_ptr<DIR, Closed> open(::opendir(folder.c_str()));
    if (!open)
        return;
    auto language = value_in(environment, "LC_ALL");
    if (language.empty())
        language = value_in(environment, "LANG");
    while (const auto* one = ::readdir(open.get())) { // NOLINT(concurrency-mt-unsafe): one thread
        const std::string name = one->d_name;
        if (!name.ends_with(".desktop") || seen.size() >= most_entries || !seen.insert(name).second)
            continue;
        const auto text = player::contents_of(::dirfd(open.get()), name);
        auto entry = text ? parse_entry(*text, language) : std::nullopt;
        if (entry && (entry->try_exec.empty() || installed(entry->try_exec, environment)))
            entries.push_back(std::move(*entry));
    }
}

std::vector<MenuEntry> installed_programs(const Account& account, const Lines& environment) {
    std::vector<MenuEntry> entries;
    std::set<std::string> seen;
    for (const auto& folder :
         {account.home + "/.local/share/applications", std::string("/usr/local/share/applications"),
          std::string("/usr/share/applications")})
        read_folder(folder, environment, seen, entries);
    return entries;
}

std::string terminal_in(const Lines& environment) {
    for (const char* name : {"x-terminal-emulator", "xterm", "lxterminal", "xfce4-terminal"})
        if (installed(name, environment))
            return name;
    return "";
}

/// What the desktop and its programs say goes here; a desk where it cannot be written has none.
Descriptor open_log(const Account& account) {
    std::string path = account.home;
    for (const char* part : {"/.local", "/state", "/baton"})
        ::mkdir((path += part).c_str(), 0700);
    return Descriptor(::open((account.home + log_file).c_str(),
                             O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
}

bool write_whole(const std::string& path, const std::string& text) {
    const Descriptor file(
        ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
    return file.open() &&
           ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

Look look_of(const Settings& settings, const Account& account, const Lines& environment) {
    Look look;
    look.title = account.name;
    look.wallpaper = settings.wallpaper;
    if (!look.wallpaper.empty() && look.wallpaper[0] != '#') {
        if (look.wallpaper[0] != '/')
            look.wallpaper = account.home + "/" + look.wallpaper;
        if (::access(look.wallpaper.c_str(), R_OK) != 0)
            look.wallpaper.clear();
    }
    if (look.wallpaper.empty())
        look.wallpaper = colour_of(account.name);
    look.start = settings.start;
    look.terminal = settings.terminal.empty() ? terminal_in(environment) : settings.terminal;
    look.entries = installed_programs(account, environment);
    return look;
}

/// The window manager's words; empty: there is none.
Lines manager_for(const Settings& settings, const Account& account, const Lines& environment) {
    if (!settings.manager.empty())
        return installed(settings.manager[0], environment) ? settings.manager : Lines{};
    if (!installed("jwm", environment)) {
        for (const char* other : {"openbox", "icewm", "fluxbox", "twm"})
            if (installed(other, environment))
                return {other};
        return {};
    }
    if (::access((account.home + "/.jwmrc").c_str(), R_OK) == 0)
        return {"jwm"};
    const auto path = value_in(environment, "XDG_RUNTIME_DIR") + "/jwmrc";
    if (!write_whole(path, jwm_configuration(look_of(settings, account, environment))))
        return {"jwm"};
    return {"jwm", "-f", path};
}

} // namespace

std::string begin_desktop(const Account& account, const Lines& environment) {
    const auto log = open_log(account);
    const auto text = player::contents_of(AT_FDCWD, account.home + "/" + settings_file);
    auto settings = parse_settings(text.value_or(""));
    if (!settings && log.open()) {
        const auto said = settings.error().message() + "\n";
        [[maybe_unused]] const auto told = ::write(log.get(), said.data(), said.size());
    }
    const auto words = manager_for(settings.value_or(Settings{}), account, environment);
    if (words.empty())
        return settings && !settings->manager.empty()
                   ? "this desk has no program " + settings->manager[0] +
                         ", the window manager that its desktop.toml names"
                   : "there is no window manager to be the desk's desktop: install jwm on the PC "
                     "or inside the desk (apt install jwm)";
    if (log.open()) {
        ::dup2(log.get(), 1);
        ::dup2(log.get(), 2);
    }
    const auto program = player::find_in_path(words[0], environment);
    ::execve(program.c_str(), process::exec_pointers(words).data(),
             process::exec_pointers(environment).data());
    return "cannot start " + program + " as the desk's desktop";
}

} // namespace baton::screen
