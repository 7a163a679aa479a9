#include "support/mariadb_server.h"

#include "process/run.h"

#include <chrono>
#include <filesystem>
#include <mysql.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdexcept>
#include <unistd.h>

namespace baton::testing {
namespace {

constexpr std::chrono::seconds start_deadline{60};

/// mariadbd refuses to run as root.
std::string unprivileged() {
    return ::geteuid() == 0 ? "nobody" : "";
}

} // namespace

MariadbServer::MariadbServer() {
    if (const passwd* user = ::getpwnam("nobody"); ::geteuid() == 0 && user != nullptr)
        if (::chown(directory_.path().c_str(), user->pw_uid, user->pw_gid) != 0)
            throw std::runtime_error("cannot give the server its folder");
    std::vector<std::string> words{"mariadb-install-db",
                                   "--no-defaults",
                                   "--datadir=" + directory_.file("data"),
                                   "--auth-root-authentication-method=normal",
                                   "--skip-test-db",
                                   "--skip-name-resolve"};
    if (!unprivileged().empty())
        words.push_back("--user=" + unprivileged());
    const auto made =
        process::run({.words = words, .deadline = std::chrono::milliseconds(120'000)});
    if (!made || made->status != 0)
        throw std::runtime_error("mariadb-install-db: " +
                                 (made ? made->out + made->error : made.error().message()));
    start();
}

MariadbServer::~MariadbServer() = default;

void MariadbServer::start() {
    std::vector<std::string> words{"mariadbd",
                                   "--no-defaults",
                                   "--datadir=" + directory_.file("data"),
                                   "--socket=" + directory_.file("socket"),
                                   "--pid-file=" + directory_.file("pid"),
                                   "--skip-networking",
                                   "--innodb-buffer-pool-size=32M",
                                   "--innodb-log-file-size=16M",
                                   "--bind-address=127.0.0.1"};
    if (!unprivileged().empty())
        words.push_back("--user=" + unprivileged());
    auto child = process::Child::start("/usr/sbin/mariadbd", words, {});
    if (!child)
        throw std::runtime_error(child.error().message());
    child_ = std::make_unique<process::Child>(std::move(*child));
    await_readiness();
}

void MariadbServer::await_readiness() {
    const auto end = std::chrono::steady_clock::now() + start_deadline;
    std::string said;
    while (said.find("ready for connections") == std::string::npos) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
            end - std::chrono::steady_clock::now());
        pollfd waiting{child_->error.get(), POLLIN, 0};
        if (left.count() <= 0 || ::poll(&waiting, 1, static_cast<int>(left.count())) <= 0)
            throw std::runtime_error("mariadbd is not ready: " + said);
        char buffer[4096];
        const ssize_t count = ::read(child_->error.get(), buffer, sizeof buffer);
        if (count <= 0)
            throw std::runtime_error("mariadbd has ended: " + said);
        said.append(buffer, static_cast<std::size_t>(count));
    }
}

void MariadbServer::kill() {
    ::kill(child_->pid(), SIGKILL);
    child_->wait();
    child_.reset();
}

std::string MariadbServer::database(const std::string& name) {
    MYSQL* connection = mysql_init(nullptr);
    const std::string socket = directory_.file("socket");
    const std::string sql = "CREATE DATABASE " + name;
    const bool made = mysql_real_connect(connection, nullptr, "root", nullptr, nullptr, 0,
                                         socket.c_str(), 0) != nullptr &&
                      mysql_query(connection, sql.c_str()) == 0;
    const std::string error = mysql_error(connection);
    mysql_close(connection);
    if (!made)
        throw std::runtime_error(error);
    return "mysql://root@localhost/" + name + "?socket=" + socket;
}

} // namespace baton::testing
