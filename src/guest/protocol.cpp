#include "guest/protocol.h"

#include "guest/utf8.h"

#include <boost/json.hpp>

#include <limits>
#include <type_traits>
#include <utility>

namespace baton::guest {

namespace {

namespace json = boost::json;

// Free text is cut to what fits into a line even if every byte of it has to be escaped.
constexpr std::size_t max_text = std::size_t{8} * 1024;
constexpr std::size_t max_word = 1024;

// ---- the fields of every message, named once for both directions -------------------------------

template <class Message>
struct Wire;

template <>
struct Wire<Identify> {
    static constexpr std::string_view type = "identify";

    static void fields(auto& message, auto&& field) {
        field("hostname", message.hostname);
        field("person", message.person);
        field("session", message.session);
        field("memory_mib", message.memory_mib);
        field("os_image", message.os_image);
        field("unix_time_ms", message.unix_time_ms);
        field("random_seed_hex", message.random_seed_hex);
    }
};

template <>
struct Wire<Mount> {
    static constexpr std::string_view type = "mount";

    static void fields(auto& message, auto&& field) {
        field("serial", message.serial);
        field("fence", message.fence);
        field("read_only", message.read_only);
    }
};

template <>
struct Wire<Begin> {
    static constexpr std::string_view type = "begin";

    static void fields(auto&, auto&&) {}
};

template <>
struct Wire<Release> {
    static constexpr std::string_view type = "release";

    static void fields(auto& message, auto&& field) { field("grace_ms", message.grace_ms); }
};

template <>
struct Wire<Notify> {
    static constexpr std::string_view type = "notify";

    static void fields(auto& message, auto&& field) {
        field("text", message.text);
        field("seconds", message.seconds);
        field("may_defer", message.may_defer);
    }
};

template <>
struct Wire<Ask> {
    static constexpr std::string_view type = "ask";

    static void fields(auto&, auto&&) {}
};

template <>
struct Wire<Hello> {
    static constexpr std::string_view type = "hello";

    static void fields(auto& message, auto&& field) {
        field("protocol", message.protocol);
        field("agent_version", message.agent_version);
        field("os_image", message.os_image);
        field("boot_id", message.boot_id);
        field("ready", message.ready);
        field("mounted_fence", message.mounted_fence);
    }
};

template <>
struct Wire<Ready> {
    static constexpr std::string_view type = "ready";

    static void fields(auto&, auto&&) {}
};

template <>
struct Wire<Mounted> {
    static constexpr std::string_view type = "mounted";

    static void fields(auto& message, auto&& field) {
        field("fence", message.fence);
        field("free_bytes", message.free_bytes);
    }
};

template <>
struct Wire<Released> {
    static constexpr std::string_view type = "released";

    static void fields(auto& message, auto&& field) { field("fence", message.fence); }
};

template <>
struct Wire<Answer> {
    static constexpr std::string_view type = "answer";

    static void fields(auto& message, auto&& field) { field("now", message.now); }
};

template <>
struct Wire<LoggedOut> {
    static constexpr std::string_view type = "logged-out";

    static void fields(auto&, auto&&) {}
};

template <>
struct Wire<Failed> {
    static constexpr std::string_view type = "failed";

    static void fields(auto& message, auto&& field) {
        field("command", message.command);
        field("reason", message.reason);
    }
};

// ---- values out --------------------------------------------------------------------------------

json::value to_value(std::string_view name, const std::string& text) {
    const bool long_text = name == "text" || name == "reason";
    return json::value(well_formed_utf8(text, long_text ? max_text : max_word));
}

template <class Number>
    requires std::is_arithmetic_v<Number>
json::value to_value(std::string_view, Number number) {
    return json::value(number);
}

template <class Message>
std::string encode_message(const Message& message) {
    json::object object;
    object.emplace("type", json::string_view(Wire<Message>::type));
    Wire<Message>::fields(message, [&object](std::string_view name, const auto& value) {
        object.emplace(name, to_value(name, value));
    });
    return json::serialize(object) + '\n';
}

// ---- values in ---------------------------------------------------------------------------------

/// Reads fields one after the other; after the first fault it only remembers that one.
class Reader {
  public:
    Reader(const json::object& object, std::string_view type) : object_(object), type_(type) {}

    void operator()(std::string_view name, std::string& out) {
        if (const json::value* value = find(name)) {
            if (const json::string* text = value->if_string())
                out.assign(text->data(), text->size());
            else
                fault(name, "is not a text");
        }
    }

    void operator()(std::string_view name, bool& out) {
        if (const json::value* value = find(name)) {
            if (const bool* flag = value->if_bool())
                out = *flag;
            else
                fault(name, "is not true or false");
        }
    }

    template <class Number>
        requires std::is_integral_v<Number>
    void operator()(std::string_view name, Number& out) {
        const json::value* value = find(name);
        if (value == nullptr)
            return;
        std::uint64_t number = 0;
        if (const std::uint64_t* big = value->if_uint64()) {
            number = *big;
        } else if (const std::int64_t* plain = value->if_int64(); plain && *plain >= 0) {
            number = static_cast<std::uint64_t>(*plain);
        } else {
            fault(name, "is not a whole number from 0 on");
            return;
        }
        if (number > static_cast<std::uint64_t>(std::numeric_limits<Number>::max())) {
            fault(name, "is too large");
            return;
        }
        out = static_cast<Number>(number);
    }

    [[nodiscard]] const std::string& first_fault() const { return fault_; }

  private:
    const json::value* find(std::string_view name) {
        const json::value* value = object_.if_contains(name);
        if (value == nullptr)
            fault(name, "is missing");
        return value;
    }

    void fault(std::string_view name, std::string_view what) {
        if (fault_.empty())
            fault_ = "in the message '" + std::string(type_) + "' the field '" + std::string(name) +
                     "' " + std::string(what);
    }

    const json::object& object_;
    std::string_view type_;
    std::string fault_;
};

template <class Variant, std::size_t index = 0>
Result<Variant> read_as(std::string_view type, const json::object& object) {
    if constexpr (index == std::variant_size_v<Variant>) {
        return fail(Errc::invalid_argument,
                    "unknown message type '" + well_formed_utf8(type, 40) + "'");
    } else {
        using Message = std::variant_alternative_t<index, Variant>;
        if (type != Wire<Message>::type)
            return read_as<Variant, index + 1>(type, object);
        Message message;
        Reader reader(object, type);
        Wire<Message>::fields(message, reader);
        if (!reader.first_fault().empty())
            return fail(Errc::invalid_argument, reader.first_fault());
        return Variant(std::move(message));
    }
}

template <class Variant>
Result<Variant> decode(std::string_view line) {
    if (line.size() >= max_line)
        return fail(Errc::invalid_argument,
                    "the line is longer than " + std::to_string(max_line) + " bytes");
    boost::system::error_code error;
    const json::value value = json::parse(line, error);
    if (error)
        return fail(Errc::invalid_argument, "the line is not JSON: " + error.message());
    const json::object* object = value.if_object();
    if (object == nullptr)
        return fail(Errc::invalid_argument, "the line is not a JSON object");
    const json::value* type = object->if_contains("type");
    const json::string* name = type == nullptr ? nullptr : type->if_string();
    if (name == nullptr)
        return fail(Errc::invalid_argument, "the message has no 'type'");
    return read_as<Variant>(std::string_view(name->data(), name->size()), *object);
}

} // namespace

std::string encode(const ToGuest& message) {
    return std::visit([](const auto& one) { return encode_message(one); }, message);
}

std::string encode(const FromGuest& message) {
    return std::visit([](const auto& one) { return encode_message(one); }, message);
}

Result<ToGuest> decode_to_guest(std::string_view line) {
    return decode<ToGuest>(line);
}

Result<FromGuest> decode_from_guest(std::string_view line) {
    return decode<FromGuest>(line);
}

void LineSplitter::feed(std::string_view bytes, std::vector<std::string>& lines) {
    while (!bytes.empty()) {
        const std::size_t newline = bytes.find('\n');
        const bool closed = newline != std::string_view::npos;
        const std::string_view part = bytes.substr(0, newline);
        bytes.remove_prefix(closed ? newline + 1 : bytes.size());

        if (!skipping_ && pending_.size() + part.size() >= max_line) {
            skipping_ = true;
            ++dropped_;
            pending_.clear();
        }
        if (!skipping_)
            pending_ += part;
        if (!closed)
            continue;
        if (!skipping_ && !pending_.empty())
            lines.push_back(std::move(pending_));
        pending_.clear();
        skipping_ = false;
    }
}

} // namespace baton::guest
