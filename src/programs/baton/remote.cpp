#include "programs/baton/remote.h"

#include "model/toml.h"
#include "net/pki.h"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <thread>

namespace fs = std::filesystem;
namespace json = boost::json;

namespace baton::cli {

namespace {

const std::string local_socket = "/run/baton/batond.sock";
const std::string local_state = "/var/lib/baton";

/// Given before the command.
ConnectionOptions& common() {
    static ConnectionOptions options;
    return options;
}

std::string environment(const char* name) {
    const char* value = std::getenv(name); // NOLINT(concurrency-mt-unsafe): one thread
    return value ? value : "";
}

bool readable(const std::string& path) {
    std::error_code error;
    return !path.empty() && fs::is_regular_file(path, error) && net::read_small_file(path);
}

/// What cli.toml says; nothing if there is none.
void read_settings(ConnectionOptions& found) {
    const std::string path = config_folder() + "/cli.toml";
    auto text = net::read_small_file(path);
    if (!text) {
        if (text.error().code == Errc::not_found)
            return;
        throw CommandFailed{text.error()};
    }
    const auto root = read_toml(*text, path, "mend it, or remove it and log in again: baton login");
    if (!root)
        throw CommandFailed{root.error()};
    for (const auto& [key, node] : *root) {
        const auto value = node.value_exact<std::string>();
        const std::string_view name = key.str();
        std::string* into = name == "controller"    ? &found.controller
                            : name == "token_file"  ? &found.token_file
                            : name == "authority"   ? &found.authority
                            : name == "fingerprint" ? &found.fingerprint
                                                    : nullptr;
        if (!into || !value)
            throw CommandFailed{
                Error{Errc::invalid_argument,
                      fmt::format("{}:{}: {} {}", path, node.source().begin.line, name,
                                  into ? "is not text" : "is not a key of Baton's"),
                      "the keys are controller, token_file, authority, fingerprint", 0}};
        if (into->empty())
            *into = *value;
    }
}

std::string read_token(const std::string& file) {
    auto token = net::read_small_file(file);
    if (!token)
        throw CommandFailed{token.error().in("reading the token file " + file)};
    const std::size_t end = token->find_last_not_of(" \n\r\t");
    token->erase(end == std::string::npos ? 0 : end + 1);
    if (token->empty() || token->find_first_of(" \n\r\t") != std::string::npos)
        throw CommandFailed{Error{Errc::invalid_argument,
                                  fmt::format("{} does not hold one token", file),
                                  "make it anew with: baton login", 0}};
    return *token;
}

void add_options(CLI::App* command, ConnectionOptions* options) {
    const std::string group = "Connection";
    command
        ->add_option("--controller", options->controller,
                     "the controller: https://HOST:PORT or unix:PATH ($BATON_CONTROLLER)")
        ->group(group);
    command
        ->add_option("--token-file", options->token_file,
                     "file with the token of who asks ($BATON_TOKEN_FILE)")
        ->group(group);
    command
        ->add_option("--authority", options->authority,
                     "the site's certificate authority, a PEM file ($BATON_AUTHORITY)")
        ->group(group);
    command
        ->add_option("--fingerprint", options->fingerprint,
                     "SHA-256 of that authority, instead of its file ($BATON_FINGERPRINT)")
        ->group(group);
}

} // namespace

std::shared_ptr<ConnectionOptions> add_connection(CLI::App* command) {
    auto options = std::make_shared<ConnectionOptions>();
    add_options(command, options.get());
    return options;
}

void add_common_connection(CLI::App& app) {
    add_options(&app, &common());
}

std::string config_folder() {
    if (const std::string folder = environment("XDG_CONFIG_HOME"); !folder.empty())
        return folder + "/baton";
    return environment("HOME") + "/.config/baton";
}

ConnectionOptions complete(ConnectionOptions options) {
    const auto fill = [](std::string& into, const std::string& from) {
        if (into.empty())
            into = from;
    };
    fill(options.controller, common().controller);
    fill(options.token_file, common().token_file);
    fill(options.authority, common().authority);
    fill(options.fingerprint, common().fingerprint);
    fill(options.controller, environment("BATON_CONTROLLER"));
    fill(options.token_file, environment("BATON_TOKEN_FILE"));
    fill(options.authority, environment("BATON_AUTHORITY"));
    fill(options.fingerprint, environment("BATON_FINGERPRINT"));
    read_settings(options);
    std::error_code ignored;
    if (options.controller.empty() && fs::exists(local_socket, ignored))
        options.controller = "unix:" + local_socket;
    for (const std::string& file : {config_folder() + "/token", local_state + "/admin.token"})
        if (options.token_file.empty() && readable(file))
            options.token_file = file;
    // beside the token file of a controller on this machine lies its authority
    const std::string beside =
        (fs::path(options.token_file).parent_path() / "pki" / "ca-cert.pem").string();
    if (options.authority.empty() && options.fingerprint.empty() && !options.token_file.empty() &&
        readable(beside))
        options.authority = beside;
    if (options.controller.empty())
        throw CommandFailed{Error{Errc::invalid_argument, "it is not said where the controller is",
                                  "give --controller https://HOST:8443, set BATON_CONTROLLER, or "
                                  "log in once with: baton login",
                                  0}};
    return options;
}

Remote::Remote(const ConnectionOptions& options, std::chrono::seconds patience, bool with_token)
    : options_(complete(options)) {
    net::ClientSettings settings;
    settings.url = options_.controller;
    settings.tls.authority = options_.authority;
    settings.pinned_sha256 = options_.fingerprint;
    settings.timeout = patience;
    if (with_token) {
        if (options_.token_file.empty())
            throw CommandFailed{Error{Errc::unauthenticated, "it is not said who is asking",
                                      "log in: baton login, or give --token-file", 0}};
        settings.bearer_token = read_token(options_.token_file);
    }
    client_ = value_or_fail(net::make_client(settings));
}

json::object Remote::ask(const std::string& method, const std::string& target, std::string body) {
    const net::Response response = value_or_fail(client_->request(method, target, std::move(body)));
    if (response.status < 200 || response.status > 299)
        throw CommandFailed{net::error_from_response(response), true};
    boost::system::error_code error;
    json::value value = json::parse(response.body, error);
    if (error || !value.is_object())
        throw CommandFailed{
            Error{Errc::unavailable,
                  fmt::format("{} does not answer like Baton's controller", options_.controller),
                  "is that its address?", 0}};
    return std::move(value.get_object());
}

json::object Remote::get(const std::string& target) {
    return ask("GET", target, {});
}

namespace {

/// Asks until there is an answer other than that nobody is there, or `patience` has passed.
template <class Ask>
json::object through_restart(std::chrono::seconds patience, Ask ask) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (true) {
        try {
            return ask();
        } catch (const CommandFailed& failed) {
            const bool away = failed.error.code == Errc::unavailable ||
                              failed.error.code == Errc::not_found; // its socket is gone
            if (failed.answered || !away || std::chrono::steady_clock::now() >= deadline)
                throw;
        }
        // nobody is there who could say when the controller is back
        std::this_thread::sleep_for(std::chrono::milliseconds(200));
    }
}

} // namespace

json::object Remote::get_through_restart(const std::string& target, std::chrono::seconds patience) {
    return through_restart(patience, [&] { return get(target); });
}

json::object Remote::open_through_restart(const json::object& body, std::chrono::seconds patience) {
    return through_restart(patience, [&] { return post("/v1/sessions", body); });
}

json::object Remote::post(const std::string& target, const json::object& body) {
    return ask("POST", target, body.empty() ? std::string{} : json::serialize(body));
}

json::object Remote::remove(const std::string& target) {
    return ask("DELETE", target, {});
}

json::object Remote::put(const std::string& target, std::string body) {
    return ask("PUT", target, std::move(body));
}

void Remote::download(const std::string& target, const std::string& path,
                      const std::function<void(std::int64_t, std::int64_t)>& progress) {
    value_or_fail(client_->download(target, path, progress));
}

std::string escape(std::string_view part) {
    std::string out;
    for (const char c : part) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                           (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
        if (plain)
            out += c;
        else
            out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
    return out;
}

} // namespace baton::cli
