#pragma once

#include "process/run.h"
#include "rfb_servers_test/viewers_screen.h"
#include "support/temporary_directory.h"

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <optional>
#include <stdexcept>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

/// Viewers that people use, as a test drives them. What fails is thrown as std::runtime_error.
namespace baton::gateway {

class RealViewer {
  public:
    virtual ~RealViewer() = default;
    /// `ppm` (P6) is what it shows at this moment.
    virtual bool shows(const std::string& ppm) = 0;
    /// Lower-case letters and digits, pressed and released.
    virtual void type(const std::string& text) = 0;
    /// Into this file, PNG.
    virtual void photograph(const std::string& path) = 0;
};

/// A program that takes a line and answers with one: "ok ...", or "no ...".
class SpokenViewer : public RealViewer {
  public:
    explicit SpokenViewer(const std::vector<std::string>& words)
        : child_(rfb::start_program(words,
                                    {"PATH=/usr/bin:/bin", "HOME=" + folder_.path().string()})) {
        std::signal(SIGPIPE, SIG_IGN);
    }

    /// The answer without its "ok "; nothing: it says no.
    std::optional<std::string> try_to(const std::string& line) {
        const std::string sent = line + "\n";
        if (::write(child_.input.get(), sent.data(), sent.size()) !=
            static_cast<ssize_t>(sent.size()))
            throw std::runtime_error("the viewer has ended");
        const std::string answer = rfb::read_until(child_.output, '\n');
        if (answer.rfind("ok", 0) != 0)
            return std::nullopt;
        return answer.size() > 3 ? answer.substr(3, answer.size() - 4) : std::string();
    }

    std::string ask(const std::string& line) {
        auto answer = try_to(line);
        if (!answer)
            throw std::runtime_error("the viewer does not do '" + line + "'");
        return std::move(*answer);
    }

    bool shows(const std::string& ppm) override {
        if (!try_to("picture " + folder_.file("picture"))) // it has none yet
            return false;
        std::ifstream file(folder_.file("picture"), std::ios::binary);
        return std::string(std::istreambuf_iterator<char>(file), {}) == ppm;
    }

    void type(const std::string& text) override { ask("type " + text); }

    void photograph(const std::string& path) override { ask("screenshot " + path); }

  protected:
    testing::TemporaryDirectory folder_;

  private:
    process::Child child_;
};

/// A program with a window on a display of its own.
class WindowViewer : public RealViewer {
  public:
    /// `title`: some of its window's.
    explicit WindowViewer(std::string title) : title_(std::move(title)) {}

    void start(const std::vector<std::string>& words, std::vector<std::string> environment) {
        environment.push_back("DISPLAY=" + screen.display());
        environment.push_back("HOME=" + home.path().string());
        child_.emplace(rfb::start_program(words, environment));
    }

    bool shows(const std::string& ppm) override { return screen.shows(ppm); }

    void type(const std::string& text) override {
        xdotool({"search", "--onlyvisible", "--name", title_, "windowfocus", "--sync", "type",
                 "--delay", "15", text});
    }

    void photograph(const std::string& path) override {
        const auto done =
            process::run({{"import", "-display", screen.display(), "-window", "root", path}});
        if (!done || done->status != 0)
            throw std::runtime_error("no picture of the viewer's screen could be taken");
    }

    void xdotool(std::vector<std::string> words) {
        words.insert(words.begin(), "xdotool");
        process::Command command{words};
        command.environment = {"DISPLAY=" + screen.display()};
        const auto done = process::run(command);
        if (!done || done->status != 0)
            throw std::runtime_error("xdotool cannot do that: " +
                                     (done ? done->error : done.error().message()));
    }

    rfb::ViewersScreen screen;
    testing::TemporaryDirectory home;

  private:
    std::string title_;
    std::optional<process::Child> child_;
};

} // namespace baton::gateway
