#include "routing/nft_words.h"

namespace baton::routing::nft_words {

json::value text(const std::string& of) {
    return json::value(json::string(of));
}

json::value object(const char* name, json::value value) {
    json::object result;
    result[name] = std::move(value);
    return result;
}

json::value payload(const char* protocol, const char* field) {
    return object("payload", json::object{{"protocol", protocol}, {"field", field}});
}

json::value meta(const char* key) {
    return object("meta", json::object{{"key", key}});
}

json::value match(const char* op, json::value left, json::value right) {
    return object("match",
                  json::object{{"op", op}, {"left", std::move(left)}, {"right", std::move(right)}});
}

json::value is(json::value left, json::value right) {
    return match("==", std::move(left), std::move(right));
}

json::value any_of(json::array values) {
    if (values.size() == 1)
        return values.front();
    return object("set", std::move(values));
}

json::value concat(json::array values) {
    return object("concat", std::move(values));
}

json::value network(const Ipv4Network& net) {
    if (net.prefix == 32)
        return json::value(to_string(net.address));
    return object("prefix", json::object{{"addr", to_string(net.address)}, {"len", net.prefix}});
}

json::value networks(const std::vector<Ipv4Network>& nets) {
    json::array values;
    for (const auto& net : nets)
        values.push_back(network(net));
    return any_of(std::move(values));
}

json::value plain(const char* statement) {
    return object(statement, nullptr);
}

json::value reject_tcp() {
    return object("reject", json::object{{"type", "tcp reset"}});
}

json::value reject_rest() {
    return object("reject", json::object{{"type", "icmp"}, {"expr", "admin-prohibited"}});
}

json::value known() {
    return match("in", object("ct", json::object{{"key", "state"}}),
                 json::array{"established", "related"});
}

json::value turned() {
    return match("in", object("ct", json::object{{"key", "status"}}), "dnat");
}

} // namespace baton::routing::nft_words
