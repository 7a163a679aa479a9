/// Any request to any route, as an admin: an answer comes, once, and never a fault of ours.
/// Layout of an input: method and path up to a newline, query up to a newline, the body.
#include "unit/api_test/site.h"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using baton::api::testing::Site;
    const std::string text(reinterpret_cast<const char*>(data), size);
    const std::size_t first = std::min(text.find('\n'), text.size());
    const std::size_t second = std::min(text.find('\n', first + 1), text.size());
    const std::string line = text.substr(0, first);
    const std::size_t space = std::min(line.find(' '), line.size());
    Site site;
    baton::net::Request request =
        Site::request(site.admin, line.substr(0, space),
                      space < line.size() ? line.substr(space + 1) : "/v1/sessions",
                      second < text.size() ? text.substr(second + 1) : "");
    if (second > first + 1)
        request.query["wait"] = text.substr(first + 1, second - first - 1);
    int answers = 0;
    int status = 0;
    site.api->handle(std::move(request), [&](const baton::net::Response& response) {
        ++answers;
        status = response.status;
    });
    site.clock.advance(std::chrono::seconds(600));
    if (answers != 1 || status < 200 || status == 500 || !site.log.empty())
        std::abort();
    return 0;
}
