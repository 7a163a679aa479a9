#include "player/services.h"

#include "model/toml.h"
#include "player/mounts.h"
#include "process/exec.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <set>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace baton::player {

namespace {

constexpr std::size_t most_services = 64;
constexpr std::size_t most_starts = 5;
constexpr std::chrono::minutes counted{1};
constexpr off_t largest_log = 1024 * 1024;

/// The keys of one file; the first fault counts.
class ServiceReader {
  public:
    ServiceReader(const toml::table& table, std::string file)
        : table_(table), file_(std::move(file)) {}

    std::vector<std::string> command() {
        std::vector<std::string> words;
        const auto* node = table_.get("command");
        if (node == nullptr || !node->is_array() || node->as_array()->empty()) {
            refuse(1, "command must be a list: the program and its arguments");
            return words;
        }
        for (const auto& item : *node->as_array())
            words.push_back(text_of(item, "command"));
        if (words[0].empty())
            refuse(1, "command names no program");
        return words;
    }

    std::string text(const char* key) {
        const auto* node = table_.get(key);
        return node == nullptr ? "" : text_of(*node, key);
    }

    std::map<std::string, std::string> environment() {
        std::map<std::string, std::string> result;
        const auto* node = table_.get("environment");
        if (node == nullptr)
            return result;
        if (!node->is_table()) {
            refuse(node->source().begin.line, "environment must be a group of NAME = \"text\"");
            return result;
        }
        for (const auto& [key, value] : *node->as_table())
            result[std::string(key.str())] = text_of(value, "environment");
        return result;
    }

    void only(const std::set<std::string>& keys) {
        for (const auto& [key, node] : table_)
            if (!keys.contains(std::string(key.str())))
                refuse(node.source().begin.line, std::string(key.str()) + " is no key");
    }

    void refuse(unsigned line, const std::string& why) {
        if (!error_)
            error_ = Error{Errc::invalid_argument, file_ + ":" + std::to_string(line) + ": " + why,
                           "docs/player.md names every key", 0};
    }

    [[nodiscard]] const std::optional<Error>& error() const { return error_; }

  private:
    std::string text_of(const toml::node& node, const std::string& key) {
        const auto text = node.value<std::string>();
        if (!node.is_string() || text->find('\0') != std::string::npos) {
            refuse(node.source().begin.line, key + " must be text");
            return "";
        }
        return *text;
    }

    const toml::table& table_;
    std::string file_;
    std::optional<Error> error_;
};

/// One service and what became of it.
struct Kept {
    Service service;
    Patience patience;
    pid_t pid = -1;
};

class Keeper {
  public:
    Keeper(const Account& account, const std::vector<std::string>& environment, int notes)
        : account_(account), environment_(environment), notes_(notes) {}

    [[noreturn]] void run();

  private:
    void read();
    void start(Kept& kept);
    [[noreturn]] void become(const Service& service);
    [[nodiscard]] int open_log(const std::string& name) const;
    void note(std::string text) const;

    const Account& account_;
    const std::vector<std::string>& environment_;
    int notes_;
    std::vector<Kept> services_;
};

void Keeper::note(std::string text) const {
    std::replace(text.begin(), text.end(), '\n', ' ');
    text += '\n';
    [[maybe_unused]] const auto told = ::write(notes_, text.data(), text.size());
}

void Keeper::read() {
    const auto path = account_.home + "/" + services_folder;
    const Descriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const int own = ::fcntl(folder.get(), F_DUPFD_CLOEXEC, 0);
    const std::unique_ptr<DIR, int (*)(DIR*)> entries(own < 0 ? nullptr : ::fdopendir(own),
                                                      ::closedir);
    if (!entries)
        return;
    std::set<std::string> names;
    while (const auto* entry = ::readdir(entries.get())) { // NOLINT(concurrency-mt-unsafe)
        const std::string name = entry->d_name;
        if (name.size() > 5 && name.ends_with(".toml") && name[0] != '.')
            names.insert(name);
    }
    for (const auto& name : names) {
        if (services_.size() == most_services)
            return note("there are more than " + std::to_string(most_services) +
                        " services; the rest is not started");
        auto service = parse_service(contents_of(folder.get(), name).value_or(""),
                                     name.substr(0, name.size() - 5));
        if (service)
            services_.push_back({std::move(*service), {}, -1});
        else
            note("a service is not started: " + service.error().message());
    }
}

int Keeper::open_log(const std::string& name) const {
    std::string path = account_.home;
    for (const char* part : {"/.local", "/state", "/baton", "/services"}) {
        path += part;
        ::mkdir(path.c_str(), 0700);
    }
    path += "/" + name + ".log";
    struct stat status{};
    const bool large = ::stat(path.c_str(), &status) == 0 && status.st_size > largest_log;
    return ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | (large ? O_TRUNC : 0),
                  0600);
}

void Keeper::become(const Service& service) {
    ::setsid();
    const int log = open_log(service.name);
    for (const int fd : {1, 2})
        ::dup2(log >= 0 ? log : 0, fd);
    ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    auto environment = environment_;
    for (const auto& [name, value] : service.environment) {
        std::erase_if(environment, [&](const auto& line) { return line.starts_with(name + "="); });
        environment.push_back(name + "=" + value);
    }
    const auto& words = service.command;
    const auto word_pointers = process::exec_pointers(words);
    const auto environment_pointers = process::exec_pointers(environment);
    const auto folder = service.folder.empty() ? account_.home : service.folder;
    std::string why = "cannot go into " + folder;
    if (::chdir(folder.c_str()) == 0) {
        const auto program = find_in_path(words[0], environment);
        if (!program.empty())
            ::execve(program.c_str(), word_pointers.data(), environment_pointers.data());
        why = "cannot start " + words[0];
    }
    const std::string text =
        why + ": " + (errno == ENOENT ? "it is not there" : "it is refused") + "\n";
    [[maybe_unused]] const auto told = ::write(2, text.data(), text.size());
    ::_exit(127);
}

void Keeper::start(Kept& kept) {
    if (!kept.patience.again(std::chrono::steady_clock::now())) {
        kept.pid = -1;
        return note("the service " + kept.service.name +
                    " ended again and again and is left alone; see ~/" + services_log + "/" +
                    kept.service.name + ".log");
    }
    kept.pid = ::fork();
    if (kept.pid == 0)
        become(kept.service);
}

void Keeper::run() {
    read();
    for (auto& kept : services_)
        start(kept);
    for (;;) {
        int status = 0;
        const pid_t pid = ::waitpid(-1, &status, 0);
        if (pid < 0 && errno == EINTR)
            continue;
        if (pid < 0)
            ::_exit(0); // none is left
        const auto kept = std::find_if(services_.begin(), services_.end(),
                                       [&](const auto& one) { return one.pid == pid; });
        if (kept == services_.end())
            continue;
        const bool failed = !WIFEXITED(status) || WEXITSTATUS(status) != 0;
        const auto rule = kept->service.restart;
        kept->pid = -1;
        if (rule == Restart::always || (rule == Restart::on_failure && failed))
            start(*kept);
        else if (failed)
            note("the service " + kept->service.name + " failed; see ~/" + services_log + "/" +
                 kept->service.name + ".log");
    }
}

} // namespace

Result<Service> parse_service(std::string_view text, const std::string& name) {
    const auto file = name + ".toml";
    const auto table = read_toml(text, file, "docs/player.md names every key");
    if (!table)
        return tl::unexpected(table.error());
    ServiceReader reader(*table, file);
    Service service;
    service.name = name;
    reader.only({"command", "folder", "environment", "restart"});
    service.command = reader.command();
    service.folder = reader.text("folder");
    service.environment = reader.environment();
    const auto restart = reader.text("restart");
    if (restart == "no")
        service.restart = Restart::no;
    else if (restart == "always")
        service.restart = Restart::always;
    else if (!restart.empty() && restart != "on-failure")
        reader.refuse(table->get("restart")->source().begin.line,
                      "restart is \"no\", \"on-failure\" or \"always\"");
    if (reader.error())
        return tl::unexpected(*reader.error());
    return service;
}

bool Patience::again(Time now) {
    while (!starts_.empty() && now - starts_.front() > counted)
        starts_.pop_front();
    if (starts_.size() == most_starts)
        return false;
    starts_.push_back(now);
    return true;
}

void keep_services(const Account& account, const std::vector<std::string>& environment,
                   const process::Descriptor& notes) {
    try {
        Keeper(account, environment, notes.get()).run();
    } catch (const std::exception&) {
        ::_exit(1);
    }
}

} // namespace baton::player
