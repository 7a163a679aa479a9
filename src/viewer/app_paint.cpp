// What an App shows: the login page, the desktop, the strip over it, the pointer.
#include "viewer/app.h"
#include "viewer/leds.h"

#include <algorithm>
#include <utility>

namespace baton::viewer {

namespace {

/// An update that takes longer than this to come is shown in parts.
constexpr std::chrono::milliseconds longest_update{60};

} // namespace

Notice App::notice() const {
    const auto say = [this](Word which) { return std::string(word(which, settings_.language)); };
    const auto because_of = [&](const Error& why, std::string_view more) {
        return sentence(why, settings_.language) + "\n" + std::string(more);
    };
    if (opening_state_.stage == OpeningState::Stage::working) {
        if (opening_state_.why)
            return {because_of(*opening_state_.why, say(Word::try_again)), true, true};
        return {say(Word::starting), false, true};
    }
    if (opening_state_.stage == OpeningState::Stage::choosing)
        return {say(Word::choose_image), false, false};
    if (!message_.empty())
        return {message_, false, busy()};
    switch (state_.stage) {
    case Stage::idle:
        if (opening_state_.why)
            return {sentence(*opening_state_.why, settings_.language), true, false};
        if (state_.why)
            return {sentence(*state_.why, settings_.language), true, false};
        return {state_.ended ? say(Word::session_ended) : std::string(), false, false};
    case Stage::asking:
        return {say(Word::starting), false, true};
    case Stage::waiting:
        if (state_.why)
            return {because_of(*state_.why, say(Word::try_again)), true, true};
        [[fallthrough]];
    default:
        if (state_.why)
            return {because_of(*state_.why, say(Word::connecting)), true, true};
        return {say(Word::connecting), false, true};
    }
}

void App::paint() {
    const auto now = Clock::now();
    if (now - then_ >= std::chrono::seconds(1)) {
        frames_per_second_ = static_cast<double>(frames_ - frames_then_) /
                             std::chrono::duration<double>(now - then_).count();
        frames_then_ = frames_;
        then_ = now;
        if (const auto message = message_file_.look())
            show_message(*message);
        // this way may lose a picture (its first, one during a change of console) and not say so
        const bool forgetful = video_driver_is("KMSDRM");
        page_is_stale_ = page_is_stale_ || forgetful;
        paint_waits_ = paint_waits_ || status_shown_ || forgetful;
    }
    const bool due = paint_waits_ || everything_is_stale_ || pointer_is_stale_;
    if (!at_desktop()) {
        if (page_is_stale_)
            paint_page();
        paint_waits_ = false;
        return;
    }
    if (due && now - painted_ >= shortest_frame)
        paint_desktop();
    else
        paint_waits_ = due;
}

void App::show_message(const std::string& text) {
    message_ = text;
    page_is_stale_ = true;
    paint_waits_ = true;
}

void App::paint_page() {
    page_is_stale_ = false;
    everything_is_stale_ = true;
    const Spot size = canvas_->size();
    const bool caps_lock = (SDL_GetModState() & KMOD_CAPS) != 0;
    const auto page = view_->page(size.x, size.y, form_, notice(), caps_lock, settings_.language);
    if (!page)
        return;
    canvas_->set_strip(nullptr);
    strip_ = {};
    canvas_->draw_page(*page);
    canvas_->present();
    if (!std::exchange(login_is_told_, true))
        report_.tell("login");
}

void App::update_layout(rfb::Size desktop) {
    const Spot size = canvas_->size();
    const Layout layout(settings_.scale, desktop, size.x, size.y, input_->pointer());
    everything_is_stale_ = everything_is_stale_ || layout != layout_ || desktop != desktop_;
    layout_ = layout;
    desktop_ = desktop;
}

void App::paint_desktop() {
    update_strip();
    bool drawn = false;
    bool early = false;
    std::optional<std::string> copied;
    std::optional<std::uint8_t> leds;
    link_->look([&](picture::Viewing& screen) {
        picture::Decoder& decoder = screen.decoder();
        update_layout(decoder.framebuffer().size());
        frames_ = screen.frames();
        copied = screen.take_clipboard();
        leds = decoder.leds();
        if (decoder.cursors() != cursors_) {
            cursors_ = decoder.cursors();
            shape_ = decoder.cursor();
            pointer_is_stale_ = true;
        }
        if (!screen.between_messages() && Clock::now() - painted_ < longest_update &&
            !everything_is_stale_) {
            early = true;
            return;
        }
        drawn = everything_is_stale_ || !decoder.damage().empty();
        if (drawn)
            canvas_->draw(decoder.framebuffer(), decoder.damage().areas(), layout_,
                          everything_is_stale_);
        decoder.damage().clear();
        everything_is_stale_ = false;
    });
    if (copied)
        input_->take_clipboard(*copied);
    if (leds && leds != leds_) {
        leds_ = leds;
        if (bare_)
            set_leds(*leds);
    }
    if (pointer_is_stale_)
        show_cursor();
    paint_waits_ = early;
    if (drawn || (pointer_is_stale_ && canvas_->draws_pointer())) {
        canvas_->present();
        painted_ = Clock::now();
        if (drawn && std::exchange(first_frame_is_due_, false))
            report_.tell("first_frame");
    }
    pointer_is_stale_ = false;
}

void App::show_cursor() {
    if (canvas_->draws_pointer()) {
        SDL_ShowCursor(SDL_DISABLE);
        canvas_->set_pointer(shape_, input_->pointer(), true);
        return;
    }
    if (cursors_ == 0)
        return;
    if (shape_.pixels.empty()) {
        SDL_ShowCursor(SDL_DISABLE);
        return;
    }
    const Sdl<SDL_Surface> surface(
        SDL_CreateRGBSurfaceWithFormatFrom(shape_.pixels.data(), shape_.width, shape_.height, 32,
                                           shape_.width * 4, SDL_PIXELFORMAT_ARGB8888));
    Sdl<SDL_Cursor> cursor(SDL_CreateColorCursor(surface.get(),
                                                 std::min<int>(shape_.hot_x, shape_.width - 1),
                                                 std::min<int>(shape_.hot_y, shape_.height - 1)));
    if (!cursor)
        return;
    SDL_SetCursor(cursor.get());
    SDL_ShowCursor(SDL_ENABLE);
    cursor_ = std::move(cursor);
}

std::string App::status_text() const {
    const auto say = [this](Word which) { return std::string(word(which, settings_.language)); };
    const auto one_digit = [](double value) {
        std::string text = std::to_string(value);
        return text.substr(0, text.find('.') + 2);
    };
    std::string text;
    if (!form_.name().empty())
        text += say(Word::status_user) + " " + form_.name() + "   ";
    text += say(Word::status_desktop) + " " + std::to_string(desktop_.width) + "x" +
            std::to_string(desktop_.height) + "   " + say(Word::status_host) + " " +
            settings_.link.host;
    if (state_.round_trip.count() > 0)
        text += "   " + say(Word::status_round_trip) + " " +
                one_digit(static_cast<double>(state_.round_trip.count()) / 1000) + " ms";
    return text + "   " + one_digit(frames_per_second_) + " " + say(Word::status_frames);
}

void App::update_strip() {
    if (state_.stage == Stage::showing)
        state_.round_trip = link_->state().round_trip;
    std::pair<std::string, bool> wanted;
    if (state_.stage != Stage::showing)
        wanted = {std::string(word(Word::reconnecting, settings_.language)), true};
    else if (!message_.empty())
        wanted = {message_, true};
    else if (status_shown_)
        wanted = {status_text(), false};
    if (wanted == strip_)
        return;
    strip_ = wanted;
    everything_is_stale_ = everything_is_stale_ || wanted.first.empty();
    canvas_->set_strip(wanted.first.empty()
                           ? nullptr
                           : view_->strip(canvas_->size().x, wanted.first, wanted.second));
    canvas_->present();
}

} // namespace baton::viewer
