#include "api/fields.h"
#include "api/throttle.h"
#include "unit/api_test/site.h"

#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

/// Whatever is sent: an answer comes, once, and it is never a fault of ours.
namespace baton::api::testing {
namespace {

/// JSON of any shape, with the names that the API knows mixed in.
rc::Gen<json::value> any_json(int depth) {
    const auto name = rc::gen::element<std::string>(
        "name", "user", "password", "image", "client", "role", "token_secret", "csr_pem", "address",
        "memory_mib", "now", "size_bytes", "owner", "old_password", "", "x");
    auto leaf = rc::gen::oneOf(
        rc::gen::map(rc::gen::arbitrary<std::int64_t>(), [](auto n) { return json::value(n); }),
        rc::gen::map(rc::gen::arbitrary<double>(), [](auto n) { return json::value(n); }),
        rc::gen::map(rc::gen::arbitrary<bool>(), [](auto b) { return json::value(b); }),
        rc::gen::map(rc::gen::string<std::string>(),
                     [](const std::string& text) { return json::value(text); }),
        rc::gen::map(rc::gen::element<std::string>("kim", "admin", "host1", "..", "10.0.0.1", "-1",
                                                   "tiny-1"),
                     [](const std::string& text) { return json::value(text); }),
        rc::gen::just(json::value(nullptr)));
    if (depth == 0)
        return leaf;
    return rc::gen::oneOf(
        leaf, rc::gen::map(rc::gen::container<std::vector<std::pair<std::string, json::value>>>(
                               rc::gen::pair(name, any_json(depth - 1))),
                           [](const auto& members) {
                               json::object object;
                               for (const auto& [key, value] : members)
                                   object[key] = value;
                               return json::value(object);
                           }));
}

RC_GTEST_PROP(Hostile, AnyJsonToAnyRouteIsAnsweredAndNeverAFaultOfOurs, ()) {
    Site site;
    for (int i = 0; i < 12; ++i) {
        const Route& route = routes()[*rc::gen::inRange<std::size_t>(0, routes().size())];
        if (route.id == RouteId::logout)
            continue;
        std::string path(route.pattern);
        const std::string part =
            *rc::gen::element<std::string>("kim", "..", "%00", "admin", "s-00000001", "host1");
        for (std::size_t at = path.find('{'); at != std::string::npos; at = path.find('{'))
            path.replace(at, path.find('}') - at + 1, part);
        const json::value body = *any_json(2);
        net::Request request = Site::request(site.admin, std::string(route.method), path,
                                             route.body_limit == 0 ? "" : json::serialize(body));
        const auto response = site.begin(request);
        site.clock.advance(std::chrono::seconds(600));
        RC_ASSERT(response->has_value());
        RC_ASSERT((*response)->status >= 200);
        RC_ASSERT((*response)->status < 500);
    }
    RC_ASSERT(site.log.empty());
}

RC_GTEST_PROP(Hostile, AnyBytesAreReadOrRefused, (const std::string& bytes)) {
    auto fields = Fields::parse(bytes);
    if (fields) {
        (void)fields->text("name");
        (void)fields->number("n", 0, 10);
        (void)fields->flag("f");
        (void)fields->error();
    } else {
        RC_ASSERT(fields.error().code == Errc::invalid_argument);
    }
}

TEST(Hostile, DeepNestingIsRefused) {
    const std::string deep = "{\"a\":" + std::string(5000, '[') + std::string(5000, ']') + "}";
    EXPECT_FALSE(Fields::parse(deep));
}

TEST(Fields, EveryKindOfMistakeIsNamed) {
    const auto complaint = [](const std::string& body) {
        auto fields = Fields::parse(body);
        (void)fields->text("name", 5);
        (void)fields->number("count", 1, 10);
        (void)fields->optional_flag("fast");
        return fields->error() ? std::string("fine") : fields->error().error().what;
    };
    EXPECT_EQ(complaint(R"({"name":"kim","count":3})"), "fine");
    EXPECT_EQ(complaint(R"({"name":"kim","count":3,"fast":null})"), "fine");
    EXPECT_EQ(complaint(R"({"count":3})"), "the field 'name' is missing");
    EXPECT_EQ(complaint(R"({"name":"kimkim","count":3})"),
              "the field 'name' is longer than 5 bytes");
    EXPECT_EQ(complaint(R"({"name":"k\u0000","count":3})"),
              "the field 'name' has control characters in it");
    EXPECT_EQ(complaint(R"({"name":"kim","count":11})"),
              "the field 'count' is not between 1 and 10");
    EXPECT_EQ(complaint(R"({"name":"kim","count":18446744073709551615})"),
              "the field 'count' is not between 1 and 10");
    EXPECT_EQ(complaint(R"({"name":"kim","count":1.5})"),
              "the field 'count' is not a whole number");
    EXPECT_EQ(complaint(R"({"name":"kim","count":3,"fast":1})"),
              "the field 'fast' is neither true nor false");
    EXPECT_EQ(complaint(R"({"name":"kim","count":3,"slow":true})"),
              "the field 'slow' is not known here");
}

TEST(Throttle, MemoryIsBoundedAndTheStalestGoesFirst) {
    Throttle::Limits limits;
    limits.free_tries = 0;
    limits.most_keys = 100;
    Throttle throttle(limits);
    std::chrono::nanoseconds now = std::chrono::hours(2);
    for (int i = 0; i < 1000; ++i)
        throttle.failed(std::to_string(i), now += std::chrono::milliseconds(1));
    EXPECT_EQ(throttle.size(), 100U);
    EXPECT_GT(throttle.wait("999", now).count(), 0);
    EXPECT_EQ(throttle.wait("1", now).count(), 0);
}

TEST(Throttle, PausesDoubleUpToTheLongest) {
    Throttle throttle(Throttle::Limits{});
    const std::chrono::nanoseconds now = std::chrono::hours(2);
    std::chrono::nanoseconds before{};
    for (int i = 0; i < 200; ++i) {
        throttle.failed("kim", now);
        EXPECT_GE(throttle.wait("kim", now), before);
        before = throttle.wait("kim", now);
    }
    EXPECT_EQ(before, std::chrono::minutes(1));
    throttle.failed("kim", now + std::chrono::hours(1));
    EXPECT_EQ(throttle.wait("kim", now + std::chrono::hours(1)).count(), 0) << "forgotten";
}

} // namespace
} // namespace baton::api::testing
