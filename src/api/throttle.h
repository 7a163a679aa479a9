#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <string>

namespace baton::api {

/// Back-off against guessing: after `free_tries` failures under one key, each further one doubles
/// the pause before the next try is looked at, up to `longest_pause`. A success forgets the key;
/// so does a quiet hour. Bounded memory: at most `most_keys`, the stalest goes first. Not
/// thread-safe; time is given in.
class Throttle {
  public:
    struct Limits {
        unsigned free_tries = 3;
        std::chrono::nanoseconds first_pause = std::chrono::seconds(1);
        std::chrono::nanoseconds longest_pause = std::chrono::minutes(1);
        std::chrono::nanoseconds forget_after = std::chrono::hours(1);
        std::size_t most_keys = 10'000;
    };

    explicit Throttle(Limits limits) : limits_(limits) {}

    /// How long the caller has to wait before a try under `key` is looked at; zero: now.
    [[nodiscard]] std::chrono::nanoseconds wait(const std::string& key,
                                                std::chrono::nanoseconds now) const;
    void failed(const std::string& key, std::chrono::nanoseconds now);

    void succeeded(const std::string& key) { keys_.erase(key); }

    /// Takes one failure back, and leaves the others standing.
    void forgive(const std::string& key);

    [[nodiscard]] std::size_t size() const { return keys_.size(); }

  private:
    struct State {
        unsigned failures = 0;
        std::chrono::nanoseconds last{};
        std::chrono::nanoseconds not_before{};
    };

    void make_room(std::chrono::nanoseconds now);

    Limits limits_;
    std::map<std::string, State> keys_;
};

} // namespace baton::api
