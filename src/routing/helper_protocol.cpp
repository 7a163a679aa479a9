#include "routing/helper_protocol.h"

#include "model/overloaded.h"

#include <boost/json.hpp>

#include <optional>

namespace baton::routing {

namespace json = boost::json;

namespace {

tl::unexpected<Error> ill_formed(const std::string& why) {
    return fail(Errc::invalid_argument, "a request to baton-helper is ill-formed: " + why);
}

json::object to_value(const Route& route) {
    return {{"session", route.session.value},
            {"client", route.client},
            {"listen_port", route.listen_port},
            {"address", route.target.address},
            {"port", route.target.port}};
}

json::array to_value(const std::vector<Route>& routes) {
    json::array values;
    for (const auto& route : routes)
        values.push_back(to_value(route));
    return values;
}

std::optional<std::string> text_in(const json::object& object, const char* name) {
    const auto* value = object.if_contains(name);
    if (value == nullptr || !value->is_string() || value->get_string().size() > 256)
        return std::nullopt;
    return std::string(value->get_string());
}

std::optional<std::uint16_t> port_in(const json::object& object, const char* name) {
    const auto* value = object.if_contains(name);
    if (value == nullptr || !value->is_int64() || value->get_int64() < 0 ||
        value->get_int64() > 65535)
        return std::nullopt;
    return static_cast<std::uint16_t>(value->get_int64());
}

Result<Route> route_from(const json::value* value) {
    if (value == nullptr || !value->is_object())
        return ill_formed("a route is not an object");
    const auto& object = value->get_object();
    const auto session = text_in(object, "session");
    const auto client = text_in(object, "client");
    const auto listen_port = port_in(object, "listen_port");
    const auto address = text_in(object, "address");
    const auto port = port_in(object, "port");
    if (!session || !client || !listen_port || !address || !port || object.size() != 5)
        return ill_formed("a route is not session, client, listen_port, address and port");
    return Route{SessionId(*session), *client, *listen_port, {*address, *port}};
}

Result<std::vector<Route>> routes_from(const json::value* value) {
    if (value == nullptr || !value->is_array())
        return ill_formed("'routes' is not a list");
    std::vector<Route> routes;
    for (const auto& entry : value->get_array()) {
        auto route = route_from(&entry);
        if (!route)
            return tl::unexpected(route.error());
        routes.push_back(std::move(*route));
    }
    return routes;
}

Result<HelperRequest> request_from(const std::string& verb, const json::object& object) {
    // every field is known, so a typing error is not passed over
    const auto fields = object.size() - 2;
    if (verb == "table.ensure" && fields == 0)
        return TableEnsure{};
    if (verb == "routes.list" && fields == 0)
        return RoutesList{};
    if (verb == "flows.cut" && fields == 0)
        return FlowsCut{};
    if (verb == "routes.replace" && fields == 1) {
        auto routes = routes_from(object.if_contains("routes"));
        if (!routes)
            return tl::unexpected(routes.error());
        return RoutesReplace{std::move(*routes)};
    }
    if (verb == "route.point" && fields == 1) {
        auto route = route_from(object.if_contains("route"));
        if (!route)
            return tl::unexpected(route.error());
        return RoutePoint{std::move(*route)};
    }
    if (verb == "route.remove" && fields == 1) {
        const auto session = text_in(object, "session");
        if (!session)
            return ill_formed("'session' is not a text");
        return RouteRemove{SessionId(*session)};
    }
    return ill_formed("there is no verb '" + verb.substr(0, 40) + "' with these fields");
}

std::optional<json::object> object_in(std::string_view line) {
    boost::system::error_code wrong;
    json::parse_options options;
    options.max_depth = 5;
    auto value = json::parse(line, wrong, {}, options);
    if (wrong || !value.is_object())
        return std::nullopt;
    return std::move(value.get_object());
}

} // namespace

std::string encode(const HelperRequest& request) {
    json::object object{{"version", helper_protocol_version}};
    std::visit(Overloaded{[&](const TableEnsure&) { object["verb"] = "table.ensure"; },
                          [&](const RoutesReplace& r) {
                              object["verb"] = "routes.replace";
                              object["routes"] = to_value(r.routes);
                          },
                          [&](const RoutePoint& r) {
                              object["verb"] = "route.point";
                              object["route"] = to_value(r.route);
                          },
                          [&](const RouteRemove& r) {
                              object["verb"] = "route.remove";
                              object["session"] = r.session.value;
                          },
                          [&](const RoutesList&) { object["verb"] = "routes.list"; },
                          [&](const FlowsCut&) { object["verb"] = "flows.cut"; }},
               request);
    return json::serialize(object) + "\n";
}

std::string encode(const Result<HelperAnswer>& answer) {
    json::object object{{"version", helper_protocol_version}};
    if (answer) {
        object["routes"] = to_value(answer->routes);
        object["cut"] = answer->cut;
    } else {
        object["error"] = json::object{{"code", to_string(answer.error().code)},
                                       {"what", answer.error().what},
                                       {"hint", answer.error().hint},
                                       {"native", answer.error().native}};
    }
    return json::serialize(object) + "\n";
}

Result<HelperRequest> decode_helper_request(std::string_view line) {
    const auto object = object_in(line);
    if (!object)
        return ill_formed("it is not a JSON object");
    const auto* version = object->if_contains("version");
    if (version == nullptr || !version->is_int64())
        return ill_formed("it has no version");
    if (version->get_int64() != helper_protocol_version)
        return fail(Errc::unsupported,
                    "a request to baton-helper is of another version than " +
                        std::to_string(helper_protocol_version),
                    "restart baton-helper and batond, so that both are of the installed version");
    const auto verb = text_in(*object, "verb");
    if (!verb)
        return ill_formed("it has no verb");
    return request_from(*verb, *object);
}

Result<HelperAnswer> decode_helper_answer(std::string_view line) {
    const auto strange = [] {
        return fail(Errc::corrupt, "baton-helper answered something that is no answer",
                    "see that its socket is really baton-helper's");
    };
    const auto object = object_in(line);
    if (!object)
        return strange();
    if (const auto* error = object->if_contains("error"); error != nullptr) {
        if (!error->is_object())
            return strange();
        const auto& fields = error->get_object();
        const auto* code = fields.if_contains("code");
        const auto* what = fields.if_contains("what");
        const auto* hint = fields.if_contains("hint");
        if (code == nullptr || what == nullptr || hint == nullptr || !code->is_string() ||
            !what->is_string() || !hint->is_string())
            return strange();
        return fail(errc_from_string(code->get_string()), std::string(what->get_string()),
                    std::string(hint->get_string()));
    }
    const auto* cut = object->if_contains("cut");
    auto routes = routes_from(object->if_contains("routes"));
    if (!routes || cut == nullptr || !cut->is_int64())
        return strange();
    return HelperAnswer{std::move(*routes), cut->get_int64()};
}

} // namespace baton::routing
