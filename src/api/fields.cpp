#include "api/fields.h"

#include <boost/json/parse.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace json = boost::json;

namespace baton::api {

Result<Fields> Fields::parse(std::string_view body) {
    Fields fields;
    if (body.empty())
        return fields;
    json::parse_options options;
    options.max_depth = 8;
    boost::system::error_code error;
    const json::value value = json::parse(body, error, {}, options);
    if (error)
        return fail(Errc::invalid_argument,
                    fmt::format("the request's body is not JSON: {}", error.message()));
    if (!value.is_object())
        return fail(Errc::invalid_argument, "the request's body is not a JSON object");
    fields.object_ = value.get_object();
    return fields;
}

void Fields::refuse(std::string_view name, std::string_view why) {
    if (problem_.empty())
        problem_ = fmt::format("the field '{}' {}", name, why);
}

const json::value* Fields::take(std::string_view name, bool required) {
    known_.emplace(name);
    const json::value* value = object_.if_contains(name);
    if (value && value->is_null())
        value = nullptr;
    if (!value && required)
        refuse(name, "is missing");
    return value;
}

std::optional<std::string> Fields::optional_text(std::string_view name, std::size_t longest) {
    const json::value* value = take(name, false);
    if (!value)
        return std::nullopt;
    if (!value->is_string()) {
        refuse(name, "is not text");
        return std::nullopt;
    }
    const json::string& text = value->get_string();
    if (text.size() > longest) {
        refuse(name, fmt::format("is longer than {} bytes", longest));
        return std::nullopt;
    }
    const bool control = std::ranges::any_of(text, [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return (byte < 0x20 && c != '\n' && c != '\t' && c != '\r') || byte == 0x7f;
    });
    if (control) {
        refuse(name, "has control characters in it");
        return std::nullopt;
    }
    return std::string(text);
}

std::string Fields::text(std::string_view name, std::size_t longest) {
    if (!take(name, true))
        return {};
    return optional_text(name, longest).value_or(std::string{});
}

std::optional<std::int64_t> Fields::optional_number(std::string_view name, std::int64_t least,
                                                    std::int64_t most) {
    const json::value* value = take(name, false);
    if (!value)
        return std::nullopt;
    const auto outside = [&] {
        refuse(name, fmt::format("is not between {} and {}", least, most));
    };
    if (value->is_uint64()) { // only numbers over 2^63 are kept as unsigned
        outside();
        return std::nullopt;
    }
    if (!value->is_int64()) {
        refuse(name, "is not a whole number");
        return std::nullopt;
    }
    if (value->get_int64() < least || value->get_int64() > most) {
        outside();
        return std::nullopt;
    }
    return value->get_int64();
}

std::int64_t Fields::number(std::string_view name, std::int64_t least, std::int64_t most) {
    if (!take(name, true))
        return least;
    return optional_number(name, least, most).value_or(least);
}

std::optional<bool> Fields::optional_flag(std::string_view name) {
    const json::value* value = take(name, false);
    if (!value)
        return std::nullopt;
    if (!value->is_bool()) {
        refuse(name, "is neither true nor false");
        return std::nullopt;
    }
    return value->get_bool();
}

bool Fields::flag(std::string_view name) {
    if (!take(name, true))
        return false;
    return optional_flag(name).value_or(false);
}

Result<void> Fields::error() const {
    for (const auto& member : object_) {
        if (known_.contains(std::string_view(member.key())))
            continue;
        std::string names;
        for (const std::string& name : known_)
            names += (names.empty() ? "" : ", ") + name;
        const std::string_view key(member.key());
        return fail(Errc::invalid_argument,
                    fmt::format("the field '{}' is not known here", key.substr(0, 64)),
                    names.empty() ? "this request takes no fields" : "known fields: " + names);
    }
    if (!problem_.empty())
        return fail(Errc::invalid_argument, problem_);
    return {};
}

Result<std::int64_t> query_number(const std::map<std::string, std::string>& query,
                                  const std::string& name, std::int64_t otherwise,
                                  std::int64_t least, std::int64_t most) {
    const auto found = query.find(name);
    if (found == query.end())
        return otherwise;
    const std::string& text = found->second;
    std::int64_t value = 0;
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (status != std::errc{} || end != text.data() + text.size() || value < least || value > most)
        return fail(Errc::invalid_argument,
                    fmt::format("the query's '{}' is not a whole number between {} and {}", name,
                                least, most));
    return value;
}

Result<void> only_query(const std::map<std::string, std::string>& query,
                        std::initializer_list<std::string_view> known) {
    for (const auto& [name, value] : query) {
        if (std::ranges::find(known, name) != known.end())
            continue;
        std::string names;
        for (const std::string_view one : known)
            names += fmt::format("{}{}", names.empty() ? "" : ", ", one);
        return fail(Errc::invalid_argument,
                    fmt::format("the query's '{}' is not known here", name.substr(0, 64)),
                    names.empty() ? "this request takes no query" : "known: " + names);
    }
    return {};
}

Result<void> check_ipv4(std::string_view what, std::string_view text) {
    const auto bad = [&] {
        return fail(Errc::invalid_argument,
                    fmt::format("{} '{}' is not an IPv4 address", what, text.substr(0, 64)),
                    "write for example 10.99.0.20");
    };
    const char* at = text.data();
    const char* const end = text.data() + text.size();
    for (int part = 0; part < 4; ++part) {
        if (part > 0) {
            if (at == end || *at != '.')
                return bad();
            ++at;
        }
        unsigned value = 0;
        const auto [rest, status] = std::from_chars(at, end, value);
        if (status != std::errc{} || value > 255 || rest - at > 3 || (rest - at > 1 && *at == '0'))
            return bad();
        at = rest;
    }
    if (at != end)
        return bad();
    return {};
}

} // namespace baton::api
