#include "player/base.h"

#include "player/mounts.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <optional>
#include <set>
#include <unistd.h>

namespace baton::player {

namespace {

/// The value of KEY=value in os-release, without quotes; what a folder's name cannot have is left
/// out.
std::string value_of(std::string_view text, std::string_view key) {
    while (!text.empty()) {
        const auto stop = std::min(text.find('\n'), text.size());
        const auto line = text.substr(0, stop);
        text.remove_prefix(std::min(stop + 1, text.size()));
        if (!line.starts_with(key) || line.size() <= key.size() || line[key.size()] != '=')
            continue;
        std::string value;
        for (const char c : line.substr(key.size() + 1))
            if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_')
                value += c;
        return value.substr(0, 24);
    }
    return "";
}

std::string short_hash(std::string_view text) {
    std::array<unsigned char, 32> digest{};
    EVP_Digest(text.data(), text.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
    std::string hex;
    for (std::size_t i = 0; i < 6; ++i) {
        constexpr std::string_view digits = "0123456789abcdef";
        hex += digits[digest.at(i) >> 4];
        hex += digits[digest.at(i) & 15];
    }
    return hex;
}

std::optional<std::string> names_in(int root, const char* path) {
    const int fd = ::openat(root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const std::unique_ptr<DIR, int (*)(DIR*)> folder(fd < 0 ? nullptr : ::fdopendir(fd),
                                                     ::closedir);
    if (!folder)
        return std::nullopt;
    std::set<std::string> names;
    while (const auto* entry = ::readdir(folder.get())) // NOLINT(concurrency-mt-unsafe)
        names.insert(entry->d_name);
    std::string text;
    for (const auto& name : names)
        text += name + "\n";
    return text;
}

/// Names in a desk may be made to play tricks on a terminal.
std::string printable(std::string_view text) {
    std::string clean(text.substr(0, 64));
    for (char& c : clean)
        if (static_cast<unsigned char>(c) <= ' ' || static_cast<unsigned char>(c) >= 0x7f)
            c = '?';
    return clean;
}

template <class Sink>
void each_line(std::string_view text, Sink sink) {
    while (!text.empty()) {
        const auto stop = std::min(text.find('\n'), text.size());
        sink(text.substr(0, stop));
        text.remove_prefix(std::min(stop + 1, text.size()));
    }
}

template <class Sink>
void each_package(std::string_view status, Sink sink) {
    std::string name;
    bool installed = false;
    while (!status.empty()) {
        const auto stop = std::min(status.find('\n'), status.size());
        const auto line = status.substr(0, stop);
        status.remove_prefix(std::min(stop + 1, status.size()));
        if (line.starts_with("Package: "))
            name = line.substr(9);
        else if (line.starts_with("Status: "))
            installed = line.ends_with(" installed");
        if (line.empty() || status.empty()) {
            if (installed && !name.empty())
                sink(name);
            name.clear();
            installed = false;
        }
    }
}

} // namespace

std::string base_name(std::string_view os_release, std::string_view installed) {
    const auto id = value_of(os_release, "ID");
    const auto version = value_of(os_release, "VERSION_ID");
    return "pc-" + (id.empty() ? "linux" : id) + (version.empty() ? "" : "-" + version) + "-" +
           short_hash(installed);
}

Result<std::string> base_of(int root) {
    auto release = contents_of(root, "usr/lib/os-release");
    if (!release)
        release = contents_of(root, "etc/os-release");
    for (const char* database : {"var/lib/dpkg/status", "usr/lib/sysimage/rpm/rpmdb.sqlite",
                                 "var/lib/rpm/rpmdb.sqlite", "lib/apk/db/installed"})
        if (const auto installed = contents_of(root, database))
            return base_name(release.value_or(""), *installed);
    for (const char* names : {"var/lib/pacman/local", "usr/bin"})
        if (const auto installed = names_in(root, names))
            return base_name(release.value_or(""), *installed);
    return fail(Errc::not_found, "there is no system here to lay a desk over: it has no /usr/bin",
                "name the folder of a whole system");
}

std::vector<std::string> packages_only_in(std::string_view mine, std::string_view theirs) {
    std::set<std::string> known;
    each_package(theirs, [&](const std::string& name) { known.insert(name); });
    std::vector<std::string> only;
    each_package(mine, [&](const std::string& name) {
        if (!known.contains(name))
            only.push_back(name);
    });
    return only;
}

std::vector<std::string> left_behind(int desk, const std::string& base, std::string_view status) {
    constexpr std::size_t most_named = 8;
    std::vector<std::string> notes;
    auto bases = open_folder_beneath(desk, "cow", "the desk");
    if (!bases || open_folder_beneath(bases->get(), base, "the desk"))
        return notes; // a new desk, or this base is known
    const auto names = names_in(bases->get(), ".").value_or("");
    each_line(names, [&](std::string_view name) {
        auto other = open_folder_beneath(
            bases->get(), std::string(name) + "/var/over/lib-dpkg/upper", "the desk");
        if (name.starts_with('.') || !other)
            return;
        const auto only =
            packages_only_in(contents_of(other->get(), "status").value_or(""), status);
        if (only.empty())
            return;
        std::string list;
        for (std::size_t i = 0; i < std::min(only.size(), most_named); ++i)
            list += (i == 0 ? "" : ", ") + printable(only[i]);
        if (only.size() > most_named)
            list += " and " + std::to_string(only.size() - most_named) + " more";
        notes.push_back("this is another base (" + base + "): what was installed over " +
                        printable(name) + " is set aside until it is there again: " + list);
    });
    return notes;
}

} // namespace baton::player
