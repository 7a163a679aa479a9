#pragma once

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <rapidcheck.h>

#include <cstddef>
#include <cstdint>
#include <string>

namespace baton::testing {

/// Inside a property: the JSON object in `text` with one of its fields, at any depth, gone or
/// replaced by something of another kind.
inline std::string with_one_field_altered(const std::string& text) {
    auto object = boost::json::parse(text).as_object();
    auto* place = &object;
    while (true) {
        auto it = place->begin() +
                  *rc::gen::inRange<std::ptrdiff_t>(0, static_cast<std::ptrdiff_t>(place->size()));
        if (it->value().is_object() && !it->value().get_object().empty() &&
            *rc::gen::arbitrary<bool>()) {
            place = &it->value().get_object();
            continue;
        }
        switch (*rc::gen::inRange(0, 6)) {
        case 0:
            it->value() = nullptr;
            break;
        case 1:
            it->value() = *rc::gen::arbitrary<std::int64_t>();
            break;
        case 2:
            it->value() = *rc::gen::arbitrary<std::string>();
            break;
        case 3:
            it->value() = boost::json::array{1, "x"};
            break;
        case 4:
            it->value() = true;
            break;
        default:
            place->erase(it);
            break;
        }
        break;
    }
    return boost::json::serialize(object);
}

} // namespace baton::testing
