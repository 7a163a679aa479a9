#pragma once

#include "guest/console.h"
#include "programs/baton_guest/loop.h"
#include "programs/baton_guest/screen.h"
#include "programs/baton_guest/session.h"

#include <optional>
#include <string>
#include <vector>

namespace baton::guest_program {

/// The text desktop: the header of guest/console.h and a shell below it, on the first Linux
/// console. The header is written through /dev/vcsa1, beside the terminal, so that no state of it
/// matters.
class TextScreen : public Screen {
  public:
    TextScreen(Loop& loop, Session& session, ScreenEvents events);

    Result<void> open() override;
    void show(const guest::ScreenState& state) override;
    Result<void> start_session(const std::string& person) override;
    void session_ended() override;

    bool ask_to_close(std::chrono::milliseconds) override { return false; }

    bool child_ended(pid_t, int) override { return false; }

  private:
    void draw(bool everything);
    void read_keys();
    void read_program();
    void list_files();
    void watch_files();

    Loop& loop_;
    Session& session_;
    ScreenEvents events_;
    Fd console_;
    Fd cells_;
    Fd program_; ///< the shell's pseudo-terminal
    Fd files_watch_;
    std::size_t rows_ = 25;
    std::size_t columns_ = 80;
    std::optional<guest::ConsoleOutput> output_;
    guest::ConsoleInput input_;
    guest::ScreenState state_;
    std::string home_;
    std::vector<std::string> files_;
    std::vector<guest::ConsoleCell> drawn_;
    bool visible_ = false;
};

} // namespace baton::guest_program
