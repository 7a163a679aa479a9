#pragma once

#include "viewer/canvas.h"
#include "viewer/input.h"
#include "viewer/input_bell.h"
#include "viewer/login_view.h"
#include "viewer/opening.h"
#include "viewer/outside.h"
#include "viewer/viewer.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

/// Inside viewer/ alone.
namespace baton::viewer {

/// Everything behind one window. Main thread, but for wake().
class App {
  public:
    explicit App(ViewerSettings settings);
    ~App();
    App(const App&) = delete;
    App& operator=(const App&) = delete;

    /// A display, a window, a font, the link.
    Result<void> open();
    Result<void> loop();

  private:
    using Clock = std::chrono::steady_clock;
    /// Between two pictures: no screen shows more, and what comes meanwhile is shown as one.
    static constexpr std::chrono::milliseconds shortest_frame{8};

    [[nodiscard]] bool at_desktop() const { return state_.shown && state_.stage != Stage::idle; }

    Result<void> open_canvas(std::unique_ptr<BareScreen> screen);
    bool wait_at_bell(SDL_Event& event);
    void wake();
    void take(const SDL_Event& event);
    void take_on_page(const SDL_Event& event);
    void take_window(const SDL_WindowEvent& event);
    void obey(Command command);
    void log_in();
    void look_at_opening();
    [[nodiscard]] bool busy() const;
    void look_at_state();
    void show_message(const std::string& text);
    void paint();
    void paint_page();
    void paint_desktop();
    void show_cursor();
    void update_strip();
    void update_layout(rfb::Size desktop);
    [[nodiscard]] Notice notice() const;
    [[nodiscard]] std::string status_text() const;
    [[nodiscard]] int patience_ms() const;

    ViewerSettings settings_;
    Uint32 wake_event_ = 0;
    std::optional<InputBell> bell_; ///< without a window system; before whoever calls wake()
    std::atomic<bool> wake_pending_{false};
    Sdl<SDL_Window> window_;
    bool bare_ = false; ///< no window system
    std::unique_ptr<Canvas> canvas_;
    std::optional<LoginView> view_;
    std::unique_ptr<Link> link_;
    std::optional<Input> input_;
    LoginForm form_;
    MessageFile message_file_;
    PhaseReport report_;
    std::string message_; ///< until a key is pressed
    bool login_is_told_ = false;
    bool first_frame_is_due_ = false;
    rfb::Credentials who_;
    LinkState state_;
    std::optional<Opening> opening_; ///< where the controller is known
    OpeningState opening_state_;
    std::optional<Result<void>> outcome_; ///< there: the program ends

    bool page_is_stale_ = true;
    bool everything_is_stale_ = true;
    bool status_shown_ = false;
    std::pair<std::string, bool> strip_; ///< what it says, and whether in alarm; "": none
    Layout layout_;
    rfb::Size desktop_;
    std::uint64_t cursors_ = 0;
    picture::Cursor shape_;
    bool pointer_is_stale_ = false;
    Sdl<SDL_Cursor> cursor_;
    std::optional<std::uint8_t> leds_;
    Clock::time_point painted_;
    bool paint_waits_ = false; ///< something has changed and was not painted yet
    std::uint64_t frames_ = 0;
    std::uint64_t frames_then_ = 0; ///< at the beginning of the second that is measured
    Clock::time_point then_ = Clock::now();
    double frames_per_second_ = 0;
};

} // namespace baton::viewer
