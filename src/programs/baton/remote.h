#pragma once

#include "net/http.h"
#include "programs/baton/commands.h"

#include <boost/json/object.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

/// The controller as the command line reaches it.
namespace baton::cli {

/// Where the controller is and who is asking, before the environment and the configuration file
/// have been looked at.
struct ConnectionOptions {
    std::string controller;  ///< --controller: https://..., http://... or unix:...
    std::string token_file;  ///< --token-file
    std::string authority;   ///< --authority: the site's CA certificate, PEM
    std::string fingerprint; ///< --fingerprint: SHA-256 of that certificate
};

/// Adds the four options to a command; what they were given is in the result when it runs.
std::shared_ptr<ConnectionOptions> add_connection(CLI::App* command);

/// A command of `group` that asks the controller: options->connection is its own when it runs.
template <class Options>
CLI::App* add_command(CLI::App* group, const std::shared_ptr<Options>& options,
                      const std::string& name, const std::string& about,
                      const std::string& example) {
    CLI::App* command = group->add_subcommand(name, about);
    command->footer("Example: " + example);
    auto connection = add_connection(command);
    command->preparse_callback(
        [options, connection](std::size_t) { options->connection = connection; });
    return command;
}

/// ~/.config/baton, or $XDG_CONFIG_HOME/baton.
std::string config_folder();

/// What is not given is taken from BATON_CONTROLLER and the like, then from cli.toml, then from
/// what a controller on this machine leaves for its administrator. CommandFailed if nothing says
/// where the controller is.
ConnectionOptions complete(ConnectionOptions options);

class Remote {
  public:
    /// `patience`: how long one answer may take.
    explicit Remote(const ConnectionOptions& options,
                    std::chrono::seconds patience = std::chrono::seconds(60),
                    bool with_token = true);

    boost::json::object get(const std::string& target);
    /// get() by somebody who watches: a controller that is being restarted is waited for, until
    /// `patience` has passed without an answer.
    boost::json::object get_through_restart(const std::string& target,
                                            std::chrono::seconds patience);
    /// Asks for a session, as get_through_restart() asks: who asks twice gets the same one.
    boost::json::object open_through_restart(const boost::json::object& body,
                                             std::chrono::seconds patience);
    boost::json::object post(const std::string& target, const boost::json::object& body = {});
    boost::json::object remove(const std::string& target);
    /// PUT of a file's content, or of a text.
    boost::json::object put(const std::string& target, std::string body);
    void download(const std::string& target, const std::string& path,
                  const std::function<void(std::int64_t, std::int64_t)>& progress = {});

    [[nodiscard]] const ConnectionOptions& options() const { return options_; }

  private:
    boost::json::object ask(const std::string& method, const std::string& target, std::string body);

    ConnectionOptions options_;
    std::unique_ptr<net::Client> client_;
};

/// One part of a path or of a query: everything but [A-Za-z0-9._~-] escaped.
std::string escape(std::string_view part);

} // namespace baton::cli
