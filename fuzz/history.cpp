/// What the samples come back from: bytes of a database, JSON of a controller, words of a query.
/// The first byte chooses which, the rest is its text. What is read is written again: it has to be
/// the same.
#include "history/codec.h"
#include "history/mariadb_url.h"
#include "history/pack.h"

#include <boost/json/parse.hpp>

#include <cstdlib>
#include <string_view>

namespace {

using namespace baton::history;

void require(bool holds) {
    if (!holds)
        std::abort();
}

void use_json(std::string_view text) {
    boost::system::error_code error;
    const auto value = boost::json::parse(text, error);
    if (error || !value.is_object())
        return;
    const auto series = series_from_json(value.get_object());
    if (!series)
        return;
    (void)to_csv(*series);
    const auto again = series_from_json(to_json(*series));
    require(again && again->points.size() == series->points.size());
}

void use_span(const std::string& text) {
    const auto first = text.find('\n');
    const auto second = text.find('\n', first == std::string::npos ? first : first + 1);
    SpanWords words;
    words.last = text.substr(0, first);
    if (second != std::string::npos) {
        words.until = text.substr(first + 1, second - first - 1);
        words.every = text.substr(second + 1);
    }
    if (const auto span = parse_span(words, 1'700'000'000))
        require(span->from >= 0 && span->most_points() < (std::size_t{1} << 40));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0)
        return 0;
    const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
    switch (data[0] % 6) {
    case 0:
        if (const auto row = unpack_row(text)) {
            const auto again = unpack_row(pack_row(*row));
            require(again && *again == *row);
        }
        break;
    case 1:
        if (const auto slots = unpack_minute(text)) {
            const auto again = unpack_minute(pack_minute(*slots));
            require(again && *again == *slots);
        }
        break;
    case 2:
        if (const auto all = unpack_roll_up(text)) {
            const auto again = unpack_roll_up(pack_roll_up(*all));
            require(again && *again == *all);
        }
        break;
    case 3:
        use_json(text);
        break;
    case 4:
        use_span(text);
        break;
    default:
        if (text.find("password-file") == std::string::npos) // it would be read
            (void)parse_mariadb_url(text);
    }
    return 0;
}
