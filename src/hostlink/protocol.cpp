#include "hostlink/protocol.h"

#include "hostlink/protocol_fields.h"
#include "model/overloaded.h"
#include "monitor/codec.h"
#include "net/json.h"
#include "screenrelay/tickets.h"

#include <boost/json/serialize.hpp>

namespace baton::hostlink {

namespace json = boost::json;
using net::Fields;

namespace {

// ---- calls --------------------------------------------------------------------------------------

json::object parameters(const Start& call) {
    const auto& order = call.order;
    return {{"desktop", order.desktop.value},
            {"session", order.session.value},
            {"person", order.person.value},
            {"image", order.image.value},
            {"memory_mib", order.memory.count},
            {"screen_password", order.screen_password},
            {"screen_password_until", in_ms(order.screen_password_until)},
            {"screen_ticket", order.screen_ticket},
            {"without_desk", order.without_desk},
            {"ready_deadline_ms", order.ready_deadline.count()}};
}

Call start_of(Fields& fields) {
    handoff::StartOrder order;
    order.desktop = id_field<DesktopId>(fields, "desktop");
    order.session = id_field<SessionId>(fields, "session", true);
    order.person = id_field<UserName>(fields, "person", true);
    order.image = id_field<OsImageId>(fields, "image");
    order.memory = size_field(fields, "memory_mib", 1);
    order.screen_password = short_text(fields, "screen_password", 64);
    order.screen_password_until = wall_field(fields, "screen_password_until");
    order.screen_ticket = fields.text_or("screen_ticket", "");
    if (fields.ok() && !order.screen_ticket.empty() &&
        !screenrelay::is_ticket_word(order.screen_ticket))
        fields.refuse("screen_ticket", "must be empty or 32 lower-case hexadecimal digits");
    order.without_desk = fields.truth_or("without_desk", false);
    order.ready_deadline = time_field(fields, "ready_deadline_ms");
    return Start{std::move(order)};
}

json::object parameters(const Attach& call) {
    const auto& desk = call.desk;
    return {{"desktop", call.desktop.value},
            {"deadline_ms", call.deadline.count()},
            {"desk", json::object{{"name", desk.desk.value},
                                  {"id", desk.id.value},
                                  {"fence", desk.fence.value},
                                  {"server", to_json(desk.server)},
                                  {"export", desk.export_name},
                                  {"size_bytes", desk.size_bytes},
                                  {"read_only", desk.read_only}}}};
}

Call attach_of(Fields& fields) {
    Attach call;
    call.desktop = id_field<DesktopId>(fields, "desktop");
    call.deadline = time_field(fields, "deadline_ms");
    const auto& object = fields.object("desk");
    if (!fields.ok())
        return call;
    Fields inner(object, "desk");
    auto& desk = call.desk;
    desk.desk = id_field<DeskName>(inner, "name");
    desk.id = id_field<DeskId>(inner, "id");
    desk.fence = FencingNumber{inner.natural("fence")};
    desk.server = endpoint_field(inner, "server");
    desk.export_name = short_text(inner, "export", 255);
    desk.size_bytes = inner.integer("size_bytes", 0);
    desk.read_only = inner.truth("read_only");
    if (const auto fine = inner.finish(); !fine)
        fields.refuse("desk", "is ill-formed: " + fine.error().what);
    return call;
}

json::object parameters(const Release& call) {
    return {{"desktop", call.desktop.value},
            {"grace_ms", call.grace.count()},
            {"deadline_ms", call.deadline.count()}};
}

Call release_of(Fields& fields) {
    Release call;
    call.desktop = id_field<DesktopId>(fields, "desktop");
    call.grace = time_field(fields, "grace_ms");
    call.deadline = time_field(fields, "deadline_ms");
    return call;
}

json::object parameters(const Stop& call) {
    return {{"desktop", call.desktop.value}};
}

Call stop_of(Fields& fields) {
    return Stop{id_field<DesktopId>(fields, "desktop")};
}

json::object parameters(const SetScreenPassword& call) {
    return {
        {"desktop", call.desktop.value}, {"password", call.password}, {"until", in_ms(call.until)}};
}

Call set_screen_password_of(Fields& fields) {
    SetScreenPassword call;
    call.desktop = id_field<DesktopId>(fields, "desktop");
    call.password = short_text(fields, "password", 64);
    call.until = wall_field(fields, "until");
    return call;
}

json::object parameters(const Notify& call) {
    return {{"desktop", call.desktop.value},
            {"text", call.text},
            {"countdown_s", call.countdown.count()},
            {"may_defer", call.may_defer}};
}

Call notify_of(Fields& fields) {
    Notify call;
    call.desktop = id_field<DesktopId>(fields, "desktop");
    call.text = short_text(fields, "text", 4096);
    call.countdown = std::chrono::seconds(fields.integer("countdown_s", 0, longest_ms / 1000));
    call.may_defer = fields.truth("may_defer");
    return call;
}

json::object parameters(const List& /*call*/) {
    return {};
}

Result<Call> call_from_json(const std::string& method, const json::object& params) {
    Fields fields(params, method);
    Call call = List{};
    if (method == "start")
        call = start_of(fields);
    else if (method == "attach")
        call = attach_of(fields);
    else if (method == "release")
        call = release_of(fields);
    else if (method == "stop")
        call = stop_of(fields);
    else if (method == "set_screen_password")
        call = set_screen_password_of(fields);
    else if (method == "notify")
        call = notify_of(fields);
    else if (method != "list")
        return fail(Errc::unsupported, "this host knows no method '" + method.substr(0, 64) + "'",
                    "update baton-hostd on it");
    BATON_TRY(fields.finish());
    return call;
}

// ---- messages -----------------------------------------------------------------------------------

json::object message(std::string_view type) {
    return {{"type", type}};
}

Result<FromHost> hello_of(Fields& fields) {
    Hello hello;
    hello.protocol = static_cast<int>(fields.integer("protocol", 1, 1'000'000));
    auto& facts = hello.facts;
    facts.id = id_field<HostId>(fields, "host");
    facts.address = address_field(fields, "address");
    facts.memory = size_field(fields, "memory_mib", 1);
    facts.processors = static_cast<unsigned>(fields.integer("processors", 1, 65'536));
    facts.agent_version = short_text(fields, "agent_version", 128);
    const auto& acceleration = fields.object("acceleration");
    if (fields.ok()) {
        Fields inner(acceleration, "acceleration");
        facts.acceleration = {inner.truth("kvm"), short_text(inner, "reason", 4096)};
        if (const auto fine = inner.finish(); !fine)
            fields.refuse("acceleration", "is ill-formed: " + fine.error().what);
    }
    BATON_TRY(fields.finish());
    return hello;
}

Result<FromHost> reply_of(Fields& fields) {
    Reply reply;
    reply.id = fields.natural("id");
    if (fields.has("error"))
        reply.result = tl::unexpected(net::error_field(fields, "error"));
    else
        reply.result = fields.object("result");
    BATON_TRY(fields.finish());
    return reply;
}

/// A list that is longer than any host's desktops is none.
constexpr std::size_t most_changes = 4096;
constexpr unsigned largest_weight = 10'000;

CpuSharesState shares_state_of(Fields& fields) {
    const auto word = fields.text("state");
    for (const auto state : {CpuSharesState::off, CpuSharesState::untried, CpuSharesState::on,
                             CpuSharesState::unsupported})
        if (word == to_string(state))
            return state;
    fields.refuse("state", "is no state of CPU shares");
    return CpuSharesState::off;
}

Result<FromHost> cpu_shares_of(Fields& fields) {
    CpuSharesTold told;
    told.state = shares_state_of(fields);
    told.why = short_text(fields, "why", longest_text);
    told.news = fields.truth("news");
    const auto& changes = fields.array("changes");
    if (changes.size() > most_changes)
        fields.refuse("changes", "is too long");
    for (std::size_t i = 0; fields.ok() && i < changes.size(); ++i) {
        const auto* object = changes[i].if_object();
        if (object == nullptr) {
            fields.refuse("changes", "holds something that is no object");
            break;
        }
        Fields inner(*object, "a change");
        CpuSharesTold::Change change;
        change.desktop = id_field<DesktopId>(inner, "desktop");
        change.was = static_cast<unsigned>(inner.integer("was", 1, largest_weight));
        change.weight = static_cast<unsigned>(inner.integer("weight", 1, largest_weight));
        if (const auto fine = inner.finish(); !fine)
            fields.refuse("changes", "is ill-formed: " + fine.error().what);
        told.changes.push_back(std::move(change));
    }
    BATON_TRY(fields.finish());
    return SharesTold{std::move(told)};
}

} // namespace

std::string_view method_of(const Call& call) {
    return std::visit(
        Overloaded{[](const Start&) { return "start"; }, [](const Attach&) { return "attach"; },
                   [](const Release&) { return "release"; }, [](const Stop&) { return "stop"; },
                   [](const SetScreenPassword&) { return "set_screen_password"; },
                   [](const Notify&) { return "notify"; }, [](const List&) { return "list"; }},
        call);
}

DesktopId desktop_of(const Call& call) {
    return std::visit(Overloaded{[](const Start& start) { return start.order.desktop; },
                                 [](const List&) { return DesktopId(); },
                                 [](const auto& other) { return other.desktop; }},
                      call);
}

std::string encode(const FromHost& said) {
    return json::serialize(std::visit(
        Overloaded{[](const Hello& hello) {
                       auto object = message("hello");
                       const auto& facts = hello.facts;
                       object["protocol"] = hello.protocol;
                       object["host"] = facts.id.value;
                       object["address"] = facts.address;
                       object["memory_mib"] = facts.memory.count;
                       object["processors"] = facts.processors;
                       object["agent_version"] = facts.agent_version;
                       object["acceleration"] = json::object{{"kvm", facts.acceleration.kvm},
                                                             {"reason", facts.acceleration.reason}};
                       return object;
                   },
                   [](const Reply& reply) {
                       auto object = message("reply");
                       object["id"] = reply.id;
                       if (reply.result)
                           object["result"] = *reply.result;
                       else
                           object["error"] = to_json(reply.result.error());
                       return object;
                   },
                   [](const DesktopGone& gone) {
                       auto object = message("desktop_gone");
                       object["desktop"] = gone.desktop.value;
                       object["why"] = gone.why;
                       return object;
                   },
                   [](const PersonAnswered& answered) {
                       auto object = message("answer");
                       object["desktop"] = answered.desktop.value;
                       object["now"] = answered.now;
                       return object;
                   },
                   [](const PersonLoggedOut& out) {
                       auto object = message("logged_out");
                       object["desktop"] = out.desktop.value;
                       return object;
                   },
                   [](const Sampled& sampled) {
                       auto object = message("sampled");
                       object["reading"] = monitor::to_json(sampled.reading);
                       return object;
                   },
                   [](const SharesTold& shares) {
                       auto object = message("cpu_shares");
                       object["state"] = to_string(shares.told.state);
                       object["why"] = shares.told.why;
                       object["news"] = shares.told.news;
                       json::array changes;
                       for (const auto& change : shares.told.changes)
                           changes.push_back(json::object{{"desktop", change.desktop.value},
                                                          {"was", change.was},
                                                          {"weight", change.weight}});
                       object["changes"] = std::move(changes);
                       return object;
                   }},
        said));
}

std::string encode(const FromController& said) {
    return json::serialize(
        std::visit(Overloaded{[](const Welcome& welcome) {
                                  auto object = message("welcome");
                                  object["protocol"] = welcome.protocol;
                                  object["version"] = welcome.version;
                                  return object;
                              },
                              [](const Refused& refused) {
                                  auto object = message("refused");
                                  object["error"] = to_json(refused.error);
                                  return object;
                              },
                              [](const Request& request) {
                                  auto object = message("request");
                                  object["id"] = request.id;
                                  object["method"] = method_of(request.call);
                                  object["params"] =
                                      std::visit([](const auto& call) { return parameters(call); },
                                                 request.call);
                                  return object;
                              }},
                   said));
}

Result<FromHost> decode_from_host(std::string_view text) {
    const auto object = net::parse_object(text, "a host's message");
    if (!object)
        return tl::unexpected(object.error());
    Fields fields(*object, "a host's message");
    const auto type = fields.text("type");
    if (type == "hello")
        return hello_of(fields);
    if (type == "reply")
        return reply_of(fields);
    if (type == "cpu_shares")
        return cpu_shares_of(fields);
    FromHost said;
    if (type == "desktop_gone") {
        auto desktop = id_field<DesktopId>(fields, "desktop");
        said = DesktopGone{std::move(desktop), short_text(fields, "why", 4096)};
    } else if (type == "answer") {
        auto desktop = id_field<DesktopId>(fields, "desktop");
        said = PersonAnswered{std::move(desktop), fields.truth("now")};
    } else if (type == "logged_out") {
        said = PersonLoggedOut{id_field<DesktopId>(fields, "desktop")};
    } else if (type == "sampled") {
        auto reading = monitor::reading_from_json(fields.object("reading"));
        BATON_TRY(fields.finish());
        if (!reading)
            return tl::unexpected(reading.error());
        said = Sampled{std::move(*reading)};
    } else {
        fields.refuse("type", "is none that a host says");
    }
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
        Welcome welcome;
        welcome.protocol = static_cast<int>(fields.integer("protocol", 1, 1'000'000));
        welcome.version = short_text(fields, "version", 128);
        said = std::move(welcome);
    } else if (type == "refused") {
        said = Refused{net::error_field(fields, "error")};
    } else if (type == "request") {
        Request request;
        request.id = fields.natural("id");
        const auto method = fields.text("method");
        const auto& params = fields.object("params");
        BATON_TRY(fields.finish());
        auto call = call_from_json(method, params);
        if (!call)
            return tl::unexpected(call.error());
        request.call = std::move(*call);
        said = std::move(request);
    } else {
        fields.refuse("type", "is none that a controller says");
    }
    BATON_TRY(fields.finish());
    return said;
}

} // namespace baton::hostlink
