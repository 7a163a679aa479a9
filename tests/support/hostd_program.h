#pragma once

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <spawn.h>
#include <stdexcept>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

extern char** environ;

namespace baton::testing {

inline std::string environment(const char* name) {
    const char* value = std::getenv(name);
    if (value == nullptr)
        throw std::runtime_error(std::string(name) + " is not set: run this test with ctest");
    return value;
}

/// A baton-hostd, ended with this.
class HostdProgram {
  public:
    HostdProgram(std::vector<std::string> words, std::string log) : log_(std::move(log)) {
        words.insert(words.begin(), environment("BATON_HOSTD"));
        std::vector<char*> raw;
        for (auto& word : words)
            raw.push_back(word.data());
        raw.push_back(nullptr);
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_addopen(&actions, 1, log_.c_str(), O_WRONLY | O_CREAT | O_APPEND,
                                         0600);
        posix_spawn_file_actions_adddup2(&actions, 1, 2);
        const int error = ::posix_spawn(&child_, raw[0], &actions, nullptr, raw.data(), environ);
        posix_spawn_file_actions_destroy(&actions);
        if (error != 0)
            throw std::runtime_error("cannot start baton-hostd");
    }

    ~HostdProgram() {
        if (child_ > 0)
            end(SIGKILL);
    }

    HostdProgram(const HostdProgram&) = delete;
    HostdProgram& operator=(const HostdProgram&) = delete;

    /// Its exit status, or 128 + the signal.
    int end(int signal) {
        ::kill(child_, signal);
        return wait();
    }

    int wait() {
        int status = 0;
        ::waitpid(std::exchange(child_, 0), &status, 0);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }

    /// Waits until it has said that; false: it did not in a minute, or has ended.
    [[nodiscard]] bool says(const std::string& text) const {
        const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
        while (said().find(text) == std::string::npos) {
            siginfo_t ended{};
            if (std::chrono::steady_clock::now() > end ||
                (::waitid(P_PID, static_cast<id_t>(child_), &ended, WEXITED | WNOHANG | WNOWAIT) ==
                     0 &&
                 ended.si_pid == child_))
                return said().find(text) != std::string::npos;
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
        }
        return true;
    }

    /// On both of its outputs.
    [[nodiscard]] std::string said() const {
        std::ifstream file(log_);
        return {std::istreambuf_iterator<char>(file), {}};
    }

  private:
    std::string log_;
    pid_t child_ = 0;
};

} // namespace baton::testing
