#pragma once

#include "process/run.h"
#include "rfb_servers_test/live_screens.h"

#include <cstdio>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

/// A display of its own for a real viewer, and what is to be seen on it. What fails is thrown as
/// std::runtime_error.
namespace baton::rfb {

inline process::Child start_program(const std::vector<std::string>& words,
                                    const std::vector<std::string>& environment) {
    auto child = process::Child::start(words.front(), words, environment);
    if (!child)
        throw std::runtime_error(child.error().message());
    return std::move(*child);
}

/// A screen for the viewer to be seen on.
class ViewersScreen {
  public:
    ViewersScreen()
        : xvfb_(start_program({"/usr/bin/Xvfb", "-displayfd", "1", "-screen", "0", "1000x700x24",
                               "-nolisten", "tcp", "-noreset"},
                              {})) {
        const std::string number = read_until(xvfb_.output, '\n');
        display_ = ":" + number.substr(0, number.find('\n'));
    }

    [[nodiscard]] const std::string& display() const { return display_; }

    /// Rows of 3 bytes per pixel.
    [[nodiscard]] std::string shot() const {
        const auto finished = process::run(
            {{"import", "-display", display_, "-window", "root", "-depth", "8", "rgb:-"}});
        if (!finished || finished->out.size() != std::size_t{width} * height * 3)
            throw std::runtime_error("no picture of the viewer's screen could be taken");
        return finished->out;
    }

    /// `ppm` (P6) is to be seen somewhere.
    [[nodiscard]] bool shows(const std::string& ppm) const {
        unsigned its_width = 0;
        unsigned its_height = 0;
        int head = 0;
        if (std::sscanf(ppm.c_str(), "P6\n%u %u\n255\n%n", &its_width, &its_height, &head) != 2)
            throw std::runtime_error("that is no PPM");
        const std::string screen = shot();
        const std::string_view pixels =
            std::string_view(ppm).substr(static_cast<std::size_t>(head));
        const std::size_t row = std::size_t{its_width} * 3;
        for (std::size_t top = 0; top + its_height <= height; ++top)
            for (std::size_t left = 0; left + its_width <= width; ++left) {
                std::size_t same = 0;
                while (same < its_height && screen.compare(((top + same) * width + left) * 3, row,
                                                           pixels.substr(same * row, row)) == 0)
                    ++same;
                if (same == its_height)
                    return true;
            }
        return false;
    }

  private:
    static constexpr std::size_t width = 1000;
    static constexpr std::size_t height = 700;
    process::Child xvfb_;
    std::string display_;
};

} // namespace baton::rfb
