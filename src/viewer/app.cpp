#include "viewer/app.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace baton::viewer {

namespace {

/// Neither a window system nor a driver of SDL's is asked for.
bool nothing_else_is_there() {
    for (const char* name : {"DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"})
        if (const char* value = std::getenv(name); value != nullptr && *value != 0)
            return false;
    return true;
}

/// For keyboards and mice without a window system; it shows nothing itself.
constexpr const char* driver_for_input = "evdev";

} // namespace

App::App(ViewerSettings settings)
    : settings_(std::move(settings)),
      form_(settings_.user),
      message_file_(settings_.message_file),
      report_(settings_.report),
      status_shown_(settings_.status) {}

App::~App() {
    opening_.reset(); // their threads call wake()
    link_.reset();
    cursor_.reset();
    canvas_.reset();
    view_.reset();
    window_.reset();
    if (TTF_WasInit() != 0)
        TTF_Quit();
    SDL_Quit();
}

Result<void> App::open() {
    SDL_SetHint(SDL_HINT_RENDER_SCALE_QUALITY, "linear");
    SDL_SetHint(SDL_HINT_FRAMEBUFFER_ACCELERATION, "0");
    SDL_SetHint(SDL_HINT_VIDEO_X11_NET_WM_BYPASS_COMPOSITOR, "0");
    const auto font = find_font(settings_.font);
    if (!font)
        return tl::unexpected(font.error());
    std::unique_ptr<BareScreen> screen;
    if (settings_.draw == Draw::screen ||
        (settings_.draw == Draw::automatic && nothing_else_is_there())) {
        auto opened = BareScreen::open();
        if (!opened)
            return tl::unexpected(opened.error());
        screen = std::move(*opened);
        SDL_SetHint(SDL_HINT_VIDEODRIVER, driver_for_input);
    }
    if (SDL_Init(SDL_INIT_VIDEO) != 0)
        return sdl_failed("no display can be used",
                          "an X server ($DISPLAY), Wayland, or a graphics driver with KMS and "
                          "the right to use /dev/dri are needed");
    wake_event_ = SDL_RegisterEvents(1);
    BATON_TRY(open_canvas(std::move(screen)));
    auto view = LoginView::make(*font, canvas_->size().y);
    if (!view)
        return tl::unexpected(view.error());
    view_ = std::move(*view);
    SDL_StartTextInput();
    auto link = Link::start(settings_.link, [this] { wake(); });
    if (!link)
        return tl::unexpected(link.error());
    link_ = std::move(*link);
    input_.emplace(*link_);
    if (!settings_.controller.empty())
        opening_.emplace(settings_.controller, settings_.link.authority, [this] { wake(); });
    // without a CA there are no names, and most often no password
    if (settings_.password || settings_.link.authority.empty()) {
        who_ = {settings_.user, settings_.password.value_or("")};
        log_in();
    }
    return {};
}

Result<void> App::open_canvas(std::unique_ptr<BareScreen> screen) {
    const bool full = settings_.width == 0 && !screen;
    const Spot size = screen ? screen->size()
                      : full ? Spot{1280, 800}
                             : Spot{settings_.width, settings_.height};
    window_.reset(SDL_CreateWindow("Baton", SDL_WINDOWPOS_CENTERED, SDL_WINDOWPOS_CENTERED, size.x,
                                   size.y,
                                   full ? SDL_WINDOW_FULLSCREEN_DESKTOP : SDL_WINDOW_RESIZABLE));
    if (!window_)
        return sdl_failed("no window can be opened");
    if (full)
        SDL_SetWindowKeyboardGrab(window_.get(), SDL_TRUE);
    bare_ = screen || video_driver_is("KMSDRM");
    if (screen) {
        SDL_WarpMouseInWindow(window_.get(), size.x / 2, size.y / 2); // it is nowhere else
        bell_.emplace();
    }
    auto canvas =
        screen ? make_bare_canvas(std::move(screen)) : make_canvas(*window_, settings_.draw);
    if (!canvas)
        return tl::unexpected(canvas.error());
    canvas_ = std::move(*canvas);
    return {};
}

/// One event at a time is enough: whoever looks sees everything.
void App::wake() {
    if (wake_pending_.exchange(true))
        return;
    SDL_Event event{};
    event.type = wake_event_;
    SDL_PushEvent(&event);
    if (bell_)
        bell_->ring();
}

int App::patience_ms() const {
    if (paint_waits_) {
        const auto left = shortest_frame - std::chrono::duration_cast<std::chrono::milliseconds>(
                                               Clock::now() - painted_);
        return static_cast<int>(std::clamp<std::int64_t>(left.count(), 1, shortest_frame.count()));
    }
    return status_shown_ || at_desktop() ? 500 : 1000;
}

bool App::wait_at_bell(SDL_Event& event) {
    if (SDL_PollEvent(&event) != 0)
        return true;
    bell_->wait(std::chrono::milliseconds(patience_ms()));
    return SDL_PollEvent(&event) != 0;
}

Result<void> App::loop() {
    while (!outcome_) {
        SDL_Event event;
        if (bell_ ? wait_at_bell(event) : SDL_WaitEventTimeout(&event, patience_ms()) != 0)
            do
                take(event);
            while (!outcome_ && SDL_PollEvent(&event) != 0);
        input_->flush();
        if (!outcome_)
            paint();
    }
    return *outcome_;
}

void App::take(const SDL_Event& event) {
    if (event.type == wake_event_) {
        wake_pending_ = false;
        look_at_opening();
        look_at_state();
        paint_waits_ = true;
        return;
    }
    if (event.type == SDL_QUIT) {
        outcome_.emplace();
        return;
    }
    if (event.type == SDL_WINDOWEVENT)
        take_window(event.window);
    if (event.type == SDL_KEYDOWN && !message_.empty())
        show_message(""); // who presses a key has read it
    if (!at_desktop()) {
        take_on_page(event);
        return;
    }
    if (event.type == SDL_MOUSEMOTION)
        pointer_is_stale_ = true;
    if (const auto command = input_->take(event, layout_))
        obey(*command);
}

void App::take_window(const SDL_WindowEvent& event) {
    switch (event.event) {
    case SDL_WINDOWEVENT_EXPOSED:
    case SDL_WINDOWEVENT_SIZE_CHANGED:
    case SDL_WINDOWEVENT_RESTORED:
        page_is_stale_ = everything_is_stale_ = true;
        strip_ = {};
        break;
    default:
        break;
    }
}

void App::take_on_page(const SDL_Event& event) {
    if (event.type == SDL_TEXTINPUT && !busy()) {
        form_.type(event.text.text);
        page_is_stale_ = true;
    }
    if (event.type != SDL_KEYDOWN)
        return;
    page_is_stale_ = true;
    const SDL_Keysym& key = event.key.keysym;
    if (busy()) {
        if (key.sym == SDLK_ESCAPE) {
            link_->close();
            if (opening_)
                opening_->cancel();
            look_at_opening();
        }
        return;
    }
    const bool shift = (key.mod & KMOD_SHIFT) != 0;
    using Key = LoginForm::Key;
    switch (key.sym) {
    case SDLK_TAB:
        form_.press(shift ? Key::previous : Key::next);
        break;
    case SDLK_DOWN:
        form_.press(Key::next);
        break;
    case SDLK_UP:
        form_.press(Key::previous);
        break;
    case SDLK_LEFT:
        form_.press(Key::left);
        break;
    case SDLK_RIGHT:
        form_.press(Key::right);
        break;
    case SDLK_BACKSPACE:
        form_.press(Key::erase);
        break;
    case SDLK_ESCAPE:
        form_.press(Key::erase_all);
        break;
    case SDLK_RETURN:
    case SDLK_KP_ENTER:
        if (form_.press(Key::enter)) {
            who_ = form_.credentials();
            log_in();
        }
        break;
    default:
        break;
    }
}

bool App::busy() const {
    return state_.stage != Stage::idle || opening_state_.stage == OpeningState::Stage::working;
}

/// With a controller: first the session, of an image that the person has chosen if there are more.
void App::log_in() {
    report_.tell("entered");
    if (!opening_)
        link_->open(who_);
    else if (opening_state_.stage == OpeningState::Stage::choosing)
        opening_->choose(form_.images()[form_.image()]);
    else
        opening_->begin(who_);
    if (opening_) // it may have ended already
        opening_state_.stage = OpeningState::Stage::working;
    look_at_opening();
}

void App::look_at_opening() {
    if (!opening_)
        return;
    const auto before = opening_state_.stage;
    opening_state_ = opening_->state();
    page_is_stale_ = true;
    if (opening_state_.stage == before)
        return;
    switch (opening_state_.stage) {
    case OpeningState::Stage::opened:
        opening_->cancel();
        opening_state_ = {};
        link_->open(who_);
        break;
    case OpeningState::Stage::choosing:
        form_.offer(opening_state_.images, opening_state_.preferred);
        break;
    case OpeningState::Stage::idle:
        if (settings_.once && opening_state_.why)
            outcome_ = tl::unexpected(*opening_state_.why);
        form_.begin_again();
        break;
    default:
        break;
    }
}

void App::obey(Command command) {
    switch (command) {
    case Command::status:
        status_shown_ = !status_shown_;
        everything_is_stale_ = true;
        break;
    case Command::scale:
        settings_.scale = settings_.scale == Scale::fit ? Scale::one_to_one : Scale::fit;
        everything_is_stale_ = true;
        break;
    default:
        link_->close();
        break;
    }
}

void App::look_at_state() {
    const bool was_at_desktop = at_desktop();
    const auto endings = state_.endings;
    state_ = link_->state();
    if (state_.endings != endings && state_.stage == Stage::idle) {
        if (settings_.once)
            outcome_ = state_.why ? Result<void>(tl::unexpected(*state_.why)) : Result<void>{};
        form_.begin_again();
    }
    // once: what cannot be reached or is refused is not waited for, what was shown and is lost ends
    if (settings_.once && state_.stage == Stage::waiting && state_.why)
        outcome_ = tl::unexpected(*state_.why);
    page_is_stale_ = true;
    if (was_at_desktop && !at_desktop()) {
        SDL_SetCursor(SDL_GetDefaultCursor());
        SDL_ShowCursor(SDL_ENABLE);
        cursor_.reset();
        cursors_ = 0;
    }
    if (!was_at_desktop && at_desktop()) {
        everything_is_stale_ = true;
        first_frame_is_due_ = true;
    }
}

Result<void> run(ViewerSettings settings) {
    App app(std::move(settings));
    BATON_TRY(app.open());
    return app.loop();
}

} // namespace baton::viewer
