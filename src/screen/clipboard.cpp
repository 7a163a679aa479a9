#include "screen/clipboard.h"

#include <algorithm>
#include <array>
#include <xcb/xfixes.h>

namespace baton::screen {

namespace {

constexpr std::size_t most_text = 4 * 1024 * 1024;
constexpr std::size_t most_waiting = 64;
constexpr std::chrono::milliseconds to_answer{2'000};

} // namespace

ClipboardSide::ClipboardSide(const X& x, bool given) : x_(x), given_(given) {
    auto* connection = x_.get();
    const auto* extension = xcb_get_extension_data(connection, &xcb_xfixes_id);
    if (extension == nullptr || extension->present == 0)
        return;
    const XPointer<xcb_xfixes_query_version_reply_t> version(xcb_xfixes_query_version_reply(
        connection,
        xcb_xfixes_query_version(connection, XCB_XFIXES_MAJOR_VERSION, XCB_XFIXES_MINOR_VERSION),
        nullptr));
    if (!version)
        return;
    selection_event_ = extension->first_event + XCB_XFIXES_SELECTION_NOTIFY;
    clipboard_ = x_.atom("CLIPBOARD");
    targets_ = x_.atom("TARGETS");
    utf8_ = x_.atom("UTF8_STRING");
    incr_ = x_.atom("INCR");
    place_ = x_.atom("_BATON_CLIPBOARD");
    window_ = xcb_generate_id(connection);
    const std::uint32_t events = XCB_EVENT_MASK_PROPERTY_CHANGE;
    xcb_create_window(connection, 0, window_, x_.screen().root, -1, -1, 1, 1, 0,
                      XCB_WINDOW_CLASS_INPUT_ONLY, XCB_COPY_FROM_PARENT, XCB_CW_EVENT_MASK,
                      &events);
    if (given_)
        xcb_xfixes_select_selection_input(
            connection, window_, clipboard_,
            XCB_XFIXES_SELECTION_EVENT_MASK_SET_SELECTION_OWNER |
                XCB_XFIXES_SELECTION_EVENT_MASK_SELECTION_CLIENT_CLOSE |
                XCB_XFIXES_SELECTION_EVENT_MASK_SELECTION_WINDOW_DESTROY);
    works_ = true;
    xcb_flush(connection);
}

void ClipboardSide::offer(bool something) const {
    // what a program here has copied since stays: only our own is taken away
    if (!something) {
        const XPointer<xcb_get_selection_owner_reply_t> owner(xcb_get_selection_owner_reply(
            x_.get(), xcb_get_selection_owner(x_.get(), clipboard_), nullptr));
        if (!owner || owner->owner != window_)
            return;
    }
    xcb_set_selection_owner(x_.get(), something ? window_ : xcb_window_t{XCB_NONE}, clipboard_,
                            XCB_CURRENT_TIME);
    xcb_flush(x_.get());
}

void ClipboardSide::fetch() {
    fetching_ = true;
    in_parts_ = false;
    parts_.clear();
    xcb_delete_property(x_.get(), window_, place_);
    xcb_convert_selection(x_.get(), window_, clipboard_, utf8_, place_, XCB_CURRENT_TIME);
    xcb_flush(x_.get());
}

void ClipboardSide::notify(const Request& request, xcb_atom_t property) const {
    xcb_selection_notify_event_t event{};
    event.response_type = XCB_SELECTION_NOTIFY;
    event.time = request.time;
    event.requestor = request.requestor;
    event.selection = clipboard_;
    event.target = request.target;
    event.property = property;
    std::array<char, 32> bytes{}; // every event has this size
    std::copy_n(reinterpret_cast<const char*>(&event), sizeof event, bytes.data());
    xcb_send_event(x_.get(), 0, request.requestor, XCB_EVENT_MASK_NO_EVENT, bytes.data());
    xcb_flush(x_.get());
}

void ClipboardSide::asked(const xcb_selection_request_event_t& event, Heard& heard) {
    Request request{event.requestor, event.target, event.property, event.time};
    if (request.property == XCB_NONE) // as very old programs ask
        request.property = request.target;
    if (request.target == targets_) {
        const std::array<xcb_atom_t, 2> known{targets_, utf8_};
        xcb_change_property(x_.get(), XCB_PROP_MODE_REPLACE, request.requestor, request.property,
                            XCB_ATOM_ATOM, 32, known.size(), known.data());
        notify(request, request.property);
    } else if (request.target == utf8_ && waiting_.size() < most_waiting) {
        waiting_.push_back(request);
        heard.wanted = true;
    } else {
        notify(request, XCB_NONE);
    }
}

void ClipboardSide::answer(const std::optional<std::string>& text) {
    for (const auto& request : waiting_) {
        if (text)
            xcb_change_property(x_.get(), XCB_PROP_MODE_REPLACE, request.requestor,
                                request.property, utf8_, 8,
                                static_cast<std::uint32_t>(text->size()), text->data());
        notify(request, text ? request.property : xcb_atom_t{XCB_NONE});
    }
    waiting_.clear();
}

xcb_atom_t ClipboardSide::take_property(std::string& text) const {
    const XPointer<xcb_get_property_reply_t> reply(xcb_get_property_reply(
        x_.get(),
        xcb_get_property(x_.get(), 1, window_, place_, XCB_GET_PROPERTY_TYPE_ANY, 0, most_text / 4),
        nullptr));
    if (!reply)
        return XCB_NONE;
    if (reply->format == 8)
        text.append(static_cast<const char*>(xcb_get_property_value(reply.get())),
                    static_cast<std::size_t>(xcb_get_property_value_length(reply.get())));
    return reply->type;
}

void ClipboardSide::converted(const xcb_selection_notify_event_t& event, Heard& heard) {
    if (!fetching_ || in_parts_)
        return;
    std::string text;
    const auto type = event.property == XCB_NONE ? xcb_atom_t{XCB_NONE} : take_property(text);
    if (type == incr_) {
        in_parts_ = true; // the next parts come one by one
        return;
    }
    fetching_ = false;
    heard.text = type == XCB_NONE ? "" : std::move(text);
}

void ClipboardSide::changed(const xcb_property_notify_event_t& event, Heard& heard) {
    if (!in_parts_ || event.atom != place_ || event.state != XCB_PROPERTY_NEW_VALUE)
        return;
    std::string part;
    take_property(part);
    parts_ += part;
    if (!part.empty() && parts_.size() <= most_text)
        return;
    in_parts_ = fetching_ = false;
    heard.text = parts_.size() <= most_text ? std::move(parts_) : "";
}

ClipboardSide::Heard ClipboardSide::hear(const xcb_generic_event_t& event) {
    Heard heard;
    const auto type = static_cast<std::uint8_t>(event.response_type & 0x7fU);
    if (type == selection_event_) {
        const auto& notice = reinterpret_cast<const xcb_xfixes_selection_notify_event_t&>(event);
        heard.taken = notice.window == window_;
        if (heard.taken && notice.owner != window_)
            heard.has_content = notice.owner != XCB_NONE;
    } else if (type == XCB_SELECTION_REQUEST) {
        heard.taken = true;
        asked(reinterpret_cast<const xcb_selection_request_event_t&>(event), heard);
    } else if (type == XCB_SELECTION_NOTIFY) {
        heard.taken = true;
        converted(reinterpret_cast<const xcb_selection_notify_event_t&>(event), heard);
    } else if (type == XCB_PROPERTY_NOTIFY) {
        const auto& notice = reinterpret_cast<const xcb_property_notify_event_t&>(event);
        heard.taken = notice.window == window_;
        if (heard.taken)
            changed(notice, heard);
    } else if (type == XCB_SELECTION_CLEAR) {
        heard.taken = true;
    }
    return heard;
}

void ClipboardBridge::begin() {
    using player::Clipboard;
    if (allowed_ == Clipboard::apart)
        return;
    const bool in = allowed_ == Clipboard::in || allowed_ == Clipboard::both;
    const bool out = allowed_ == Clipboard::out || allowed_ == Clipboard::both;
    pc_side_.emplace(pc_, in);
    desk_side_.emplace(desk_, out);
    if (!pc_side_->works() || !desk_side_->works()) {
        pc_side_.reset();
        desk_side_.reset();
        return;
    }
    if (in) // what was copied before the desk was opened
        desk_side_->offer(true);
}

bool ClipboardBridge::carry(ClipboardSide& from, ClipboardSide& to,
                            const xcb_generic_event_t& event) {
    const auto heard = from.hear(event);
    if (heard.has_content)
        to.offer(*heard.has_content);
    if (heard.text) {
        to.answer(heard.text->empty() ? std::nullopt : heard.text);
        deadline_.reset();
    }
    // anybody can send what looks like a question: the way is asked here, not whether we offered
    if (heard.wanted && !to.given())
        from.answer(std::nullopt);
    else if (heard.wanted && !to.fetching()) {
        to.fetch();
        deadline_ = Clock::now() + to_answer;
    }
    return heard.taken;
}

bool ClipboardBridge::hear_pc(const xcb_generic_event_t& event) {
    return pc_side_ && carry(*pc_side_, *desk_side_, event);
}

bool ClipboardBridge::hear_desk(const xcb_generic_event_t& event) {
    return desk_side_ && carry(*desk_side_, *pc_side_, event);
}

void ClipboardBridge::end() {
    if (pc_side_)
        pc_side_->offer(false);
    desk_side_.reset();
    pc_side_.reset();
    deadline_.reset();
}

void ClipboardBridge::late() {
    deadline_.reset();
    for (auto* side : {&pc_side_, &desk_side_})
        if (*side) {
            (*side)->give_up();
            (*side)->answer(std::nullopt);
        }
}

} // namespace baton::screen
