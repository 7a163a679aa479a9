#include "net/json.h"

#include <boost/json/parse.hpp>

namespace baton::net {

Result<boost::json::object> parse_object(std::string_view text, std::string_view what) {
    boost::json::parse_options options;
    options.max_depth = 32;
    boost::system::error_code error;
    auto value =
        boost::json::parse(boost::json::string_view(text.data(), text.size()), error, {}, options);
    if (error)
        return fail(Errc::invalid_argument, std::string(what) + " is not JSON: " + error.message());
    if (!value.is_object())
        return fail(Errc::invalid_argument, std::string(what) + " is no JSON object");
    return std::move(value.get_object());
}

Fields::Fields(const boost::json::object& object, std::string what)
    : object_(object), what_(std::move(what)) {}

bool Fields::has(std::string_view name) const {
    const auto* value = object_.if_contains(name);
    return value != nullptr && !value->is_null();
}

void Fields::refuse(std::string_view name, std::string_view why) {
    if (!error_)
        error_ =
            Error{Errc::invalid_argument,
                  what_ + ": the field '" + std::string(name) + "' " + std::string(why), "", 0};
}

Result<void> Fields::finish() const {
    if (error_)
        return tl::unexpected(*error_);
    return {};
}

const boost::json::value* Fields::find(std::string_view name, std::string_view wanted) {
    const auto* value = object_.if_contains(name);
    if (value == nullptr)
        refuse(name, "is missing; it must be " + std::string(wanted));
    return error_ ? nullptr : value;
}

std::string Fields::text(std::string_view name) {
    const auto* value = find(name, "a text");
    if (value == nullptr)
        return {};
    if (const auto* text = value->if_string())
        return std::string(*text);
    refuse(name, "must be a text");
    return {};
}

std::string Fields::text_or(std::string_view name, std::string fallback) {
    return has(name) ? text(name) : std::move(fallback);
}

std::int64_t Fields::integer(std::string_view name, std::int64_t least, std::int64_t most) {
    const auto* value = find(name, "a whole number");
    if (value == nullptr)
        return 0;
    std::int64_t number = 0;
    if (const auto* as_signed = value->if_int64()) {
        number = *as_signed;
    } else if (const auto* as_unsigned = value->if_uint64();
               as_unsigned != nullptr && *as_unsigned <= INT64_MAX) {
        number = static_cast<std::int64_t>(*as_unsigned); // made in memory, not read from text
    } else {
        refuse(name, as_unsigned != nullptr ? "is too large" : "must be a whole number");
        return 0;
    }
    if (number >= least && number <= most)
        return number;
    refuse(name, "must be from " + std::to_string(least) + " to " + std::to_string(most) +
                     ", not " + std::to_string(number));
    return 0;
}

std::int64_t Fields::integer_or(std::string_view name, std::int64_t fallback, std::int64_t least,
                                std::int64_t most) {
    return has(name) ? integer(name, least, most) : fallback;
}

std::uint64_t Fields::natural(std::string_view name) {
    const auto* value = find(name, "a whole number from 0 on");
    if (value == nullptr)
        return 0;
    if (const auto* as_unsigned = value->if_uint64())
        return *as_unsigned;
    if (const auto* as_signed = value->if_int64(); as_signed != nullptr && *as_signed >= 0)
        return static_cast<std::uint64_t>(*as_signed);
    refuse(name, "must be a whole number from 0 on");
    return 0;
}

std::uint16_t Fields::port(std::string_view name) {
    return static_cast<std::uint16_t>(integer(name, 0, 65'535));
}

bool Fields::truth(std::string_view name) {
    const auto* value = find(name, "true or false");
    if (value == nullptr)
        return false;
    if (const auto* truth = value->if_bool())
        return *truth;
    refuse(name, "must be true or false");
    return false;
}

bool Fields::truth_or(std::string_view name, bool fallback) {
    return has(name) ? truth(name) : fallback;
}

const boost::json::object& Fields::object(std::string_view name) {
    static const boost::json::object empty;
    const auto* value = find(name, "an object");
    if (value == nullptr)
        return empty;
    if (const auto* object = value->if_object())
        return *object;
    refuse(name, "must be an object");
    return empty;
}

const boost::json::array& Fields::array(std::string_view name) {
    static const boost::json::array empty;
    const auto* value = find(name, "a list");
    if (value == nullptr)
        return empty;
    if (const auto* array = value->if_array())
        return *array;
    refuse(name, "must be a list");
    return empty;
}

} // namespace baton::net
