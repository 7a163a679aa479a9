/// `baton user`, `baton login`, `baton logout`: people and who they are.
#include "net/pki.h"
#include "programs/baton/commands.h"
#include "programs/baton/output.h"
#include "programs/baton/remote.h"
#include "programs/baton/secret.h"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <filesystem>

namespace json = boost::json;

namespace baton::cli {

namespace {

struct UserOptions {
    std::shared_ptr<ConnectionOptions> connection;
    std::string name;
    std::string role = "user";
    bool password_stdin = false;
    bool no_password = false;
    bool as_json = false;
};

std::string new_password(const UserOptions& options) {
    if (options.password_stdin)
        return password_from_stdin();
    return ask_password(fmt::format("new password of {}", options.name), true);
}

void show(const json::object& user, bool as_json, const std::string& sentence) {
    if (as_json)
        fmt::print("{}", pretty(user));
    else
        fmt::print("{}\n", sentence);
}

void add(const UserOptions& options) {
    Remote remote(*options.connection);
    json::object body{{"name", options.name}, {"role", options.role}};
    if (!options.no_password)
        body["password"] = new_password(options);
    const json::object user = remote.post("/v1/users", body);
    show(user, options.as_json, fmt::format("added {}, {}", options.name, options.role));
}

void passwd(const UserOptions& options) {
    Remote remote(*options.connection);
    json::object body;
    const json::object me = remote.get("/v1/whoami");
    const std::string name = options.name.empty() ? field(me, "name") : options.name;
    if (field(me, "role") != "admin")
        body["old_password"] = options.password_stdin
                                   ? password_from_stdin()
                                   : ask_password("present password of " + name, false);
    body["password"] = options.password_stdin ? password_from_stdin()
                                              : ask_password("new password of " + name, true);
    const json::object user = remote.post("/v1/users/" + escape(name) + "/password", body);
    show(user, options.as_json, fmt::format("the password of {} is set", name));
}

void list(const UserOptions& options) {
    Remote remote(*options.connection);
    const json::object answer = remote.get("/v1/users");
    if (options.as_json) {
        fmt::print("{}", pretty(answer.at("users")));
        return;
    }
    Table table({"NAME", "ROLE", "PASSWORD", "DISABLED", "ADDED"});
    for (const json::value& one : answer.at("users").as_array()) {
        const json::object& user = one.get_object();
        table.add({field(user, "name"), field(user, "role"), yes_no(user, "has_password"),
                   yes_no(user, "disabled"), time_field(user, "created")});
    }
    fmt::print("{}", table.text());
}

void set_disabled(const UserOptions& options, bool disabled) {
    Remote remote(*options.connection);
    const json::object user = remote.post(
        fmt::format("/v1/users/{}/{}", escape(options.name), disabled ? "disable" : "enable"));
    show(user, options.as_json,
         fmt::format("{} {}", options.name, disabled ? "is locked out" : "may log in again"));
}

void login(const UserOptions& options) {
    Remote remote(*options.connection, std::chrono::seconds(60), false);
    const std::string password = options.password_stdin
                                     ? password_from_stdin()
                                     : ask_password("password of " + options.name, false);
    const json::object answer =
        remote.post("/v1/login", {{"name", options.name}, {"password", password}});
    const std::string folder = config_folder();
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error)
        throw CommandFailed{
            fail_errno(error.value(), fmt::format("cannot make the folder {}", folder)).value()};
    value_or_fail(net::write_private_file(folder + "/token", field(answer, "token") + "\n"));
    const ConnectionOptions& used = remote.options();
    std::string settings;
    const auto keep = [&](std::string_view key, const std::string& value) {
        if (!value.empty()) // a JSON string is a TOML string
            settings += fmt::format("{} = {}\n", key, json::serialize(json::string(value)));
    };
    keep("controller", used.controller);
    keep("authority",
         used.authority.empty() ? "" : std::filesystem::absolute(used.authority, error).string());
    keep("fingerprint", used.fingerprint);
    value_or_fail(net::write_private_file(folder + "/cli.toml", settings));
    fmt::print("logged in at {} as {} ({}), until {}\n", used.controller, field(answer, "user"),
               field(answer, "role"), time_field(answer, "expires"));
}

void logout(const UserOptions& options) {
    Remote remote(*options.connection);
    remote.post("/v1/logout");
    std::error_code ignored;
    std::filesystem::remove(config_folder() + "/token", ignored);
    fmt::print("logged out\n");
}

void add_json(CLI::App* command, const std::shared_ptr<UserOptions>& options) {
    command->add_flag("--json", options->as_json, "JSON for programs (docs/cli.md)");
}

void add_stdin(CLI::App* command, const std::shared_ptr<UserOptions>& options) {
    command->add_flag("--password-stdin", options->password_stdin,
                      "the password is a line of standard input");
}

void add_name(CLI::App* command, const std::shared_ptr<UserOptions>& options,
              bool required = true) {
    command->add_option("NAME", options->name, "the person's login name")->required(required);
}

} // namespace

void add_user(CLI::App& app) {
    auto options = std::make_shared<UserOptions>();
    CLI::App* group = app.add_subcommand("user", "People: add, password, disable, list");
    group->require_subcommand(1);

    CLI::App* added =
        add_command(group, options, "add", "Add a person; asks for a password",
                    "printf '%s\\n' \"$PASSWORD\" | baton user add kim --password-stdin");
    add_name(added, options);
    added->add_option("--role", options->role, "user, operator or admin")
        ->check(CLI::IsMember({"user", "operator", "admin"}))
        ->capture_default_str();
    added->add_flag("--no-password", options->no_password,
                    "none: an operator opens their sessions");
    add_stdin(added, options);
    add_json(added, options);
    added->callback([options] { add(*options); });

    CLI::App* password = add_command(
        group, options, "passwd",
        "Set a password; your own needs the present one (with --password-stdin: two lines)",
        "baton user passwd kim");
    add_name(password, options, false);
    add_stdin(password, options);
    add_json(password, options);
    password->callback([options] { passwd(*options); });

    for (const bool disabled : {true, false}) {
        const std::string verb = disabled ? "disable" : "enable";
        CLI::App* command = add_command(group, options, verb,
                                        disabled ? "Lock a person out and close their session"
                                                 : "Let a person in again",
                                        "baton user " + verb + " kim");
        add_name(command, options);
        add_json(command, options);
        command->callback([options, disabled] { set_disabled(*options, disabled); });
    }

    CLI::App* listed = add_command(group, options, "list", "Every person", "baton user list");
    add_json(listed, options);
    listed->callback([options] { list(*options); });
}

void add_login(CLI::App& app) {
    auto options = std::make_shared<UserOptions>();
    CLI::App* in =
        add_command(&app, options, "login", "Log in; the token is kept in ~/.config/baton",
                    "baton login kim --controller https://10.99.0.1:8443 --authority ca-cert.pem");
    add_name(in, options);
    add_stdin(in, options);
    in->callback([options] { login(*options); });
    CLI::App* out =
        add_command(&app, options, "logout", "End the token and forget it", "baton logout");
    out->callback([options] { logout(*options); });
}

} // namespace baton::cli
