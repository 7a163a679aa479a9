/// `baton`: the command line. Parsing and wiring only; the commands are in baton/*.cpp.
#include "model/exit_status.h"
#include "programs/baton/commands.h"
#include "programs/baton_top/top.h"

#include <fmt/format.h>

#include <cstdio>
#include <exception>

int main(int argc, char** argv) {
    CLI::App app{
        "Baton: a desk that moves. Desktops for every person, shrunk and grown by handoff."};
    app.name("baton");
    app.require_subcommand(1);
    app.set_version_flag("--version", "baton 0.1.0");
    baton::cli::add_common_connection(app);
    baton::cli::add_session(app);
    baton::cli::add_user(app);
    baton::cli::add_desk(app);
    baton::cli::add_host(app);
    baton::cli::add_gateway(app);
    baton::cli::add_os(app);
    baton::cli::add_netboot(app);
    baton::cli::add_client(app);
    baton::cli::add_plan(app);
    baton::cli::add_site(app);
    baton::cli::add_top(app);
    baton::cli::add_history(app);
    baton::cli::add_graph(app);
    baton::cli::add_advise(app);
    baton::cli::add_login(app);
    baton::cli::add_completion(app);

    try {
        app.parse(argc, argv);
        return 0;
    } catch (const CLI::ParseError& error) {
        const int status = app.exit(error);
        return status == 0 ? 0 : baton::exit_status(baton::Errc::invalid_argument);
    } catch (const baton::cli::CommandFailed& failed) {
        fmt::print(stderr, "baton: {}\n", failed.error.message());
        return baton::exit_status(failed.error.code);
    } catch (const std::exception& error) {
        fmt::print(stderr, "baton: this is a fault of Baton's own: {}\n", error.what());
        return baton::exit_status(baton::Errc::internal);
    }
}
