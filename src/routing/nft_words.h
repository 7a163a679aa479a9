#pragma once

#include "routing/ipv4.h"

#include <boost/json.hpp>

#include <string>
#include <vector>

/// The words that rulesets for `nft -j` are made of (libnftables-json(5)), for the .cpp files of
/// this room.
namespace baton::routing::nft_words {

namespace json = boost::json;

json::value text(const std::string& of);
/// {"name": value}. Written out: Boost.JSON takes nested braces of two for objects.
json::value object(const char* name, json::value value);
json::value payload(const char* protocol, const char* field);
json::value meta(const char* key);
json::value match(const char* op, json::value left, json::value right);
json::value is(json::value left, json::value right);
/// One of these values; a single one as itself.
json::value any_of(json::array values);
json::value concat(json::array values);
json::value network(const Ipv4Network& net);
json::value networks(const std::vector<Ipv4Network>& nets);
/// A statement without operands.
json::value plain(const char* statement);
json::value reject_tcp();
json::value reject_rest();
/// Belongs to a connection that was let through.
json::value known();
/// Its destination was changed by a map.
json::value turned();

/// Collects the commands of one transaction on one table of family ip.
class Batch {
  public:
    explicit Batch(std::string table) : table_(std::move(table)) {}

    void add(const char* command, const char* kind, json::object what) {
        what["family"] = "ip";
        what["table"] = table_;
        commands_.push_back(object(command, object(kind, std::move(what))));
    }

    /// A chain at a hook, without rules.
    void hook(const char* name, const char* type, const char* hook, int priority) {
        add("add", "chain",
            {{"name", name},
             {"type", type},
             {"hook", hook},
             {"prio", priority},
             {"policy", "accept"}});
        add("flush", "chain", {{"name", name}});
    }

    void chain(const char* name) {
        add("add", "chain", {{"name", name}});
        add("flush", "chain", {{"name", name}});
    }

    void rule(const char* chain, json::array expressions) {
        add("add", "rule", {{"chain", chain}, {"expr", std::move(expressions)}});
    }

    void elements(const char* command, const char* set, json::array elements) {
        if (!elements.empty())
            add(command, "element", {{"name", set}, {"elem", std::move(elements)}});
    }

    [[nodiscard]] json::value take() { return object("nftables", std::move(commands_)); }

  private:
    std::string table_;
    json::array commands_;
};

} // namespace baton::routing::nft_words
