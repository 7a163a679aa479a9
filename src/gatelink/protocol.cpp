#include "gatelink/protocol.h"

#include "model/overloaded.h"
#include "net/wire_fields.h"

#include <boost/json/serialize.hpp>

#include <algorithm>

namespace baton::gatelink {

namespace json = boost::json;
using gateway::ScreenLost;
using gateway::ViewerCame;
using gateway::ViewerWent;
using net::Fields;
using net::id_field;
using net::short_text;

namespace {

constexpr std::size_t most_carried = 65'536;
constexpr std::size_t ticket_digits = 32;
constexpr std::size_t longest_secret = 1024;
constexpr std::size_t longest_word = 4096;
constexpr std::int64_t longest_span_ms = 24LL * 3600 * 1000;

json::object message(std::string_view type) {
    return {{"type", type}};
}

std::string_view word_of(Access access) {
    return access == Access::view_only ? "view_only" : "full";
}

Access access_field(Fields& fields) {
    const auto word = fields.text("access");
    if (word == word_of(Access::view_only))
        return Access::view_only;
    if (word != word_of(Access::full))
        fields.refuse("access", "is neither 'full' nor 'view_only'");
    return Access::full;
}

// ---- screens and grants -------------------------------------------------------------------------

json::object to_json(const Screen& screen) {
    return {{"desktop", screen.desktop.value},
            {"relay", net::to_json(screen.relay)},
            {"ticket", screen.ticket}};
}

/// `inner` of `fields` as `read` reads it; the first thing that is wrong with it is told of `name`.
template <class Value, class Read>
Value inner_field(Fields& fields, std::string_view name, Read read) {
    const auto& object = fields.object(name);
    if (!fields.ok())
        return {};
    Fields inner(object, std::string(name));
    Value value = read(inner);
    if (const auto fine = inner.finish(); !fine)
        fields.refuse(name, "is ill-formed: " + fine.error().what);
    return value;
}

Screen screen_of(Fields& fields) {
    Screen screen;
    screen.desktop = id_field<DesktopId>(fields, "desktop");
    screen.relay = net::endpoint_field(fields, "relay");
    screen.ticket = short_text(fields, "ticket", ticket_digits);
    const bool hexadecimal = std::ranges::all_of(screen.ticket, [](char digit) {
        return (digit >= '0' && digit <= '9') || (digit >= 'a' && digit <= 'f');
    });
    if (fields.ok() && (screen.ticket.size() != ticket_digits || !hexadecimal))
        fields.refuse("ticket", "is not 32 hexadecimal digits");
    return screen;
}

Screen screen_field(Fields& fields) {
    return inner_field<Screen>(fields, "screen", screen_of);
}

json::object to_json(const Grant& grant) {
    return {{"session", grant.session.value},
            {"user", grant.user.value},
            {"access", word_of(grant.access)},
            {"screen", to_json(grant.screen)},
            {"resume", grant.resume}};
}

Grant grant_of(Fields& fields) {
    Grant grant;
    grant.session = id_field<SessionId>(fields, "session");
    grant.user = id_field<UserName>(fields, "user");
    grant.access = access_field(fields);
    grant.screen = screen_field(fields);
    grant.resume = short_text(fields, "resume", longest_secret);
    return grant;
}

// ---- switches and news --------------------------------------------------------------------------

std::chrono::microseconds span_field(Fields& fields, std::string_view name) {
    return std::chrono::microseconds(fields.integer(name, 0, longest_span_ms * 1000));
}

json::object to_json(const Switched& switched) {
    return {{"viewers", switched.viewers},
            {"lost", switched.lost},
            {"cut_to_frame_us", switched.cut_to_frame.count()},
            {"frame_to_frame_us", switched.frame_to_frame.count()}};
}

unsigned count_field(Fields& fields, std::string_view name) {
    return static_cast<unsigned>(fields.integer(name, 0, 1'000'000));
}

Switched switched_of(Fields& fields) {
    Switched switched;
    switched.viewers = count_field(fields, "viewers");
    switched.lost = count_field(fields, "lost");
    switched.cut_to_frame = span_field(fields, "cut_to_frame_us");
    switched.frame_to_frame = span_field(fields, "frame_to_frame_us");
    return switched;
}

json::object to_json(const Carried& carried) {
    return {{"session", carried.session.value},
            {"desktop", carried.desktop.value},
            {"viewers", carried.viewers}};
}

std::vector<Carried> carried_field(Fields& fields) {
    std::vector<Carried> all;
    const auto& array = fields.array("carried");
    if (array.size() > most_carried)
        fields.refuse("carried", "is too long");
    for (std::size_t i = 0; fields.ok() && i < array.size(); ++i) {
        const auto* object = array[i].if_object();
        if (object == nullptr) {
            fields.refuse("carried", "holds something that is no object");
            break;
        }
        Fields inner(*object, "carried");
        auto session = id_field<SessionId>(inner, "session");
        auto desktop = id_field<DesktopId>(inner, "desktop");
        all.push_back({std::move(session), std::move(desktop), count_field(inner, "viewers")});
        if (const auto fine = inner.finish(); !fine)
            fields.refuse("carried", "is ill-formed: " + fine.error().what);
    }
    return all;
}

json::object to_json(const News& news) {
    return std::visit(Overloaded{[](const ViewerCame& came) {
                                     auto object = message("viewer_came");
                                     object["viewer"] = came.viewer;
                                     object["session"] = came.session.value;
                                     object["client"] = came.client;
                                     object["access"] = word_of(came.access);
                                     object["browser"] = came.browser;
                                     return object;
                                 },
                                 [](const ViewerWent& went) {
                                     auto object = message("viewer_went");
                                     object["viewer"] = went.viewer;
                                     object["session"] = went.session.value;
                                     object["why"] = went.why;
                                     return object;
                                 },
                                 [](const ScreenLost& lost) {
                                     auto object = message("screen_lost");
                                     object["session"] = lost.session.value;
                                     object["desktop"] = lost.desktop.value;
                                     object["why"] = lost.why;
                                     return object;
                                 }},
                      news);
}

ViewerCame came_of(Fields& fields) {
    ViewerCame came;
    came.viewer = fields.natural("viewer");
    came.session = id_field<SessionId>(fields, "session");
    came.client = short_text(fields, "client", longest_word);
    came.access = access_field(fields);
    came.browser = fields.truth("browser");
    return came;
}

ViewerWent went_of(Fields& fields) {
    ViewerWent went;
    went.viewer = fields.natural("viewer");
    went.session = id_field<SessionId>(fields, "session");
    went.why = short_text(fields, "why", longest_word);
    return went;
}

ScreenLost lost_of(Fields& fields) {
    ScreenLost lost;
    lost.session = id_field<SessionId>(fields, "session");
    lost.desktop = id_field<DesktopId>(fields, "desktop");
    lost.why = short_text(fields, "why", longest_word);
    return lost;
}

// ---- messages -----------------------------------------------------------------------------------

json::object to_json(const Hello& hello) {
    auto object = message("hello");
    object["protocol"] = hello.protocol;
    object["gateway"] = hello.facts.id.value;
    object["address"] = hello.facts.address;
    object["vnc_port"] = hello.facts.vnc_port;
    object["web_port"] = hello.facts.web_port;
    object["version"] = hello.facts.version;
    json::array carried;
    for (const Carried& one : hello.carried)
        carried.push_back(to_json(one));
    object["carried"] = std::move(carried);
    return object;
}

Hello hello_of(Fields& fields) {
    Hello hello;
    hello.protocol = static_cast<int>(fields.integer("protocol", 1, 1'000'000));
    hello.facts.id = id_field<GatewayId>(fields, "gateway");
    hello.facts.address = short_text(fields, "address", 253);
    hello.facts.vnc_port = fields.port("vnc_port");
    hello.facts.web_port = fields.port("web_port");
    hello.facts.version = short_text(fields, "version", 128);
    hello.carried = carried_field(fields);
    return hello;
}

json::object to_json(const Login& login) {
    auto object = message("login");
    object["id"] = login.id;
    object["user"] = login.user.value;
    object["password"] = login.password;
    object["client"] = login.client;
    return object;
}

/// The name as it was typed: whether there is such a person is the controller's to say.
Login login_of(Fields& fields) {
    Login login;
    login.id = fields.natural("id");
    login.user = UserName(short_text(fields, "user", longest_secret));
    login.password = short_text(fields, "password", longest_secret);
    login.client = short_text(fields, "client", longest_word);
    return login;
}

json::object to_json(const Redeem& redeem) {
    auto object = message("redeem");
    object["id"] = redeem.id;
    object["ticket"] = redeem.ticket;
    object["client"] = redeem.client;
    return object;
}

Redeem redeem_of(Fields& fields) {
    Redeem redeem;
    redeem.id = fields.natural("id");
    redeem.ticket = short_text(fields, "ticket", longest_secret);
    redeem.client = short_text(fields, "client", longest_word);
    return redeem;
}

/// {"type", "id", "result"} or {"type", "id", "error"}.
template <class Value>
json::object outcome(std::string_view type, std::uint64_t id, const Result<Value>& result) {
    auto object = message(type);
    object["id"] = id;
    if (result)
        object["result"] = to_json(*result);
    else
        object["error"] = net::to_json(result.error());
    return object;
}

template <class Value, class Read>
Result<Value> outcome_of(Fields& fields, Read read) {
    if (fields.has("error"))
        return tl::unexpected(net::error_field(fields, "error"));
    return inner_field<Value>(fields, "result", read);
}

json::object with_screen(json::object object, const SessionId& session, const Screen& screen) {
    object["session"] = session.value;
    object["screen"] = to_json(screen);
    return object;
}

json::object to_json(const Welcome& welcome) {
    auto object = message("welcome");
    object["protocol"] = welcome.protocol;
    object["version"] = welcome.version;
    object["draining"] = welcome.draining;
    return object;
}

json::object to_json(const Close& close) {
    auto object = message("close");
    object["session"] = close.session.value;
    object["why"] = close.why;
    return object;
}

json::object to_json(const Show& show) {
    auto object = message("show");
    object["session"] = show.session.value;
    object["text"] = show.text;
    object["time_ms"] = show.time.count();
    return object;
}

FromController point_of(Fields& fields) {
    Point point;
    point.id = fields.natural("id");
    point.session = id_field<SessionId>(fields, "session");
    point.screen = screen_field(fields);
    return point;
}

FromController show_of(Fields& fields) {
    Show show;
    show.session = id_field<SessionId>(fields, "session");
    show.text = short_text(fields, "text", longest_word);
    show.time = std::chrono::milliseconds(fields.integer("time_ms", 0, longest_span_ms));
    return show;
}

FromController welcome_of(Fields& fields) {
    Welcome welcome;
    welcome.protocol = static_cast<int>(fields.integer("protocol", 1, 1'000'000));
    welcome.version = short_text(fields, "version", 128);
    welcome.draining = fields.truth_or("draining", false);
    return welcome;
}

} // namespace

std::string encode(const FromGateway& said) {
    return json::serialize(
        std::visit(Overloaded{[](const Told& told) { return to_json(told.news); },
                              [](const Pointed& pointed) {
                                  return outcome("pointed", pointed.id, pointed.result);
                              },
                              [](const auto& other) { return to_json(other); }},
                   said));
}

std::string encode(const FromController& said) {
    return json::serialize(std::visit(
        Overloaded{
            [](const Refused& refused) {
                auto object = message("refused");
                object["error"] = net::to_json(refused.error);
                return object;
            },
            [](const Granted& granted) { return outcome("granted", granted.id, granted.result); },
            [](const Prepare& prepare) {
                return with_screen(message("prepare"), prepare.session, prepare.screen);
            },
            [](const Point& point) {
                auto object = message("point");
                object["id"] = point.id;
                return with_screen(std::move(object), point.session, point.screen);
            },
            [](const Drain& drain) {
                auto object = message("drain");
                object["draining"] = drain.draining;
                return object;
            },
            [](const auto& other) { return to_json(other); }},
        said));
}

Result<FromGateway> decode_from_gateway(std::string_view text) {
    const auto object = net::parse_object(text, "a gateway's message");
    if (!object)
        return tl::unexpected(object.error());
    Fields fields(*object, "a gateway's message");
    const auto type = fields.text("type");
    FromGateway said;
    if (type == "hello")
        said = hello_of(fields);
    else if (type == "login")
        said = login_of(fields);
    else if (type == "redeem")
        said = redeem_of(fields);
    else if (type == "viewer_came")
        said = Told{came_of(fields)};
    else if (type == "viewer_went")
        said = Told{went_of(fields)};
    else if (type == "screen_lost")
        said = Told{lost_of(fields)};
    else if (type == "pointed")
        said = Pointed{fields.natural("id"), outcome_of<Switched>(fields, switched_of)};
    else
        fields.refuse("type", "is none of a gateway's");
    BATON_TRY(fields.finish());
    return said;
}

Result<FromController> decode_from_controller(std::string_view text) {
    const auto object = net::parse_object(text, "the controller's message");
    if (!object)
        return tl::unexpected(object.error());
    Fields fields(*object, "the controller's message");
    const auto type = fields.text("type");
    FromController said;
    if (type == "welcome") {
        said = welcome_of(fields);
    } else if (type == "refused") {
        said = Refused{net::error_field(fields, "error")};
    } else if (type == "granted") {
        said = Granted{fields.natural("id"), outcome_of<Grant>(fields, grant_of)};
    } else if (type == "prepare") {
        auto session = id_field<SessionId>(fields, "session");
        said = Prepare{std::move(session), screen_field(fields)};
    } else if (type == "point") {
        said = point_of(fields);
    } else if (type == "close") {
        auto session = id_field<SessionId>(fields, "session");
        said = Close{std::move(session), short_text(fields, "why", longest_word)};
    } else if (type == "show") {
        said = show_of(fields);
    } else if (type == "drain") {
        said = Drain{fields.truth("draining")};
    } else {
        fields.refuse("type", "is none of the controller's");
    }
    BATON_TRY(fields.finish());
    return said;
}

} // namespace baton::gatelink
