#include "screenrelay/tickets.h"

#include "net/json.h"
#include "net/pki.h"

#include <boost/json/serialize.hpp>
#include <fmt/format.h>
#include <openssl/crypto.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

namespace baton::screenrelay {

namespace fs = std::filesystem;

namespace {

constexpr int format_version = 1;
constexpr std::size_t longest_socket_path = 1024;

bool is_path(std::string_view text) {
    return text.starts_with('/') && text.size() <= longest_socket_path &&
           std::ranges::none_of(text, [](char c) { return c >= '\0' && c < ' '; });
}

Result<void> check_id(const DesktopId& desktop) {
    if (!is_desktop_id(desktop.value))
        return fail(Errc::invalid_argument, fmt::format("'{}' is no desktop's id", desktop.value));
    return {};
}

} // namespace

bool is_ticket_word(std::string_view text) {
    return text.size() == ticket_digits && std::ranges::all_of(text, [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
           });
}

bool same_word(std::string_view one, std::string_view other) {
    return is_ticket_word(one) && is_ticket_word(other) &&
           CRYPTO_memcmp(one.data(), other.data(), ticket_digits) == 0;
}

bool is_desktop_id(std::string_view text) {
    return text.find('.') == std::string_view::npos && check_name("desktop id", text).has_value();
}

std::string to_text(const Ticket& ticket) {
    return boost::json::serialize(boost::json::object{
               {"version", format_version}, {"socket", ticket.socket}, {"ticket", ticket.word}}) +
           "\n";
}

Result<Ticket> parse_ticket(std::string_view text) {
    constexpr const char* what = "a screen's ticket";
    if (text.size() > largest_ticket_file)
        return fail(Errc::invalid_argument, fmt::format("{} of {} bytes", what, text.size()));
    const auto object = net::parse_object(text, what);
    if (!object)
        return tl::unexpected(object.error());
    net::Fields fields(*object, what);
    fields.integer("version", format_version, format_version);
    Ticket ticket;
    ticket.socket = fields.text("socket");
    if (fields.ok() && !is_path(ticket.socket))
        fields.refuse("socket", "is no absolute path");
    ticket.word = fields.text("ticket");
    if (fields.ok() && !is_ticket_word(ticket.word))
        fields.refuse("ticket", "must be 32 lower-case hexadecimal digits");
    BATON_TRY(fields.finish());
    return ticket;
}

std::string Tickets::path(const DesktopId& desktop) const {
    return folder_ + "/" + desktop.value;
}

Result<void> Tickets::write(const DesktopId& desktop, const Ticket& ticket) const {
    BATON_TRY(check_id(desktop));
    if (!is_ticket_word(ticket.word) || !is_path(ticket.socket))
        return fail(Errc::invalid_argument,
                    fmt::format("that is no ticket for the screen of {}", desktop.value));
    if (::mkdir(folder_.c_str(), 0700) != 0 && errno != EEXIST)
        return fail_errno(errno, "cannot make the folder " + folder_);
    return net::write_private_file(path(desktop), to_text(ticket));
}

Result<void> Tickets::remove(const DesktopId& desktop) const {
    BATON_TRY(check_id(desktop));
    if (::unlink(path(desktop).c_str()) != 0 && errno != ENOENT)
        return fail_errno(errno, "cannot remove " + path(desktop));
    return {};
}

Result<Ticket> Tickets::read(const DesktopId& desktop) const {
    BATON_TRY(check_id(desktop));
    const auto text = net::read_small_file(path(desktop));
    if (!text)
        return tl::unexpected(text.error());
    auto ticket = parse_ticket(*text);
    if (!ticket)
        return tl::unexpected(ticket.error().in(path(desktop)));
    return ticket;
}

Result<std::vector<DesktopId>> Tickets::desktops() const {
    std::vector<DesktopId> found;
    std::error_code error;
    for (fs::directory_iterator entry(folder_, error), end; !error && entry != end;
         entry.increment(error))
        if (std::string name = entry->path().filename(); is_desktop_id(name))
            found.emplace_back(std::move(name));
    if (error && error != std::errc::no_such_file_or_directory)
        return fail_errno(error.value(), "cannot read the folder " + folder_);
    return found;
}

void Tickets::remove_unfinished() const {
    std::error_code error;
    for (fs::directory_iterator entry(folder_, error), end; !error && entry != end;
         entry.increment(error))
        if (entry->path().extension() == ".new") // net::write_private_file's
            ::unlink(entry->path().c_str());
}

} // namespace baton::screenrelay
