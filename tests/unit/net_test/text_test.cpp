#include "net/digest.h"
#include "net/http.h"
#include "net/http_text.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace baton::net {
namespace {

TEST(Target, IsDecodedIntoPathAndQuery) {
    Request request;
    ASSERT_TRUE(parse_target("/v1/users/a%20b?limit=5&name=x+y&bare", request));
    EXPECT_EQ(request.path, "/v1/users/a b");
    EXPECT_EQ(request.query.at("limit"), "5");
    EXPECT_EQ(request.query.at("name"), "x y");
    EXPECT_EQ(request.query.at("bare"), "");
    ASSERT_TRUE(parse_target("/", request));
    EXPECT_EQ(request.path, "/");
    EXPECT_TRUE(request.query.empty());
}

TEST(Target, ThatNothingHonestSendsIsRefused) {
    Request request;
    for (const auto* text : {"", "v1", "/a/../b", "/./a", "/a%2fb", "/%2e%2e/etc/passwd", "/a%00b",
                             "/a%zz", "http://other/a", "/a b", "*"})
        EXPECT_FALSE(parse_target(text, request)) << text;
}

TEST(Range, OfEachForm) {
    Range range;
    EXPECT_EQ(parse_range("bytes=0-4", 10, range), RangeKind::part);
    EXPECT_EQ(range, (Range{0, 4}));
    EXPECT_EQ(parse_range("bytes=7-", 10, range), RangeKind::part);
    EXPECT_EQ(range, (Range{7, 9}));
    EXPECT_EQ(parse_range("bytes=5-99", 10, range), RangeKind::part);
    EXPECT_EQ(range, (Range{5, 9}));
    EXPECT_EQ(parse_range("bytes=-3", 10, range), RangeKind::part);
    EXPECT_EQ(range, (Range{7, 9}));
    EXPECT_EQ(parse_range("bytes=-30", 10, range), RangeKind::part);
    EXPECT_EQ(range, (Range{0, 9}));
    EXPECT_EQ(parse_range("bytes=10-", 10, range), RangeKind::unsatisfiable);
    EXPECT_EQ(parse_range("bytes=-0", 10, range), RangeKind::unsatisfiable);
    EXPECT_EQ(parse_range("bytes=0-", 0, range), RangeKind::unsatisfiable);
    for (const auto* text :
         {"", "bytes", "bytes=", "bytes=-", "bytes=5", "bytes=4-2", "bytes=0-1,3-4", "lines=0-1",
          "bytes=0-x", "bytes=99999999999999999999-"})
        EXPECT_EQ(parse_range(text, 10, range), RangeKind::whole) << text;
}

TEST(Range, StaysInsideTheFile) {
    EXPECT_TRUE(rc::check("whatever is asked for", [](std::int64_t first, std::int64_t last) {
        const auto size = *rc::gen::inRange<std::int64_t>(0, 1000);
        Range range;
        const auto text = "bytes=" + std::to_string(first) + "-" + std::to_string(last);
        if (parse_range(text, size, range) == RangeKind::part)
            RC_ASSERT(0 <= range.first && range.first <= range.last && range.last < size);
    }));
}

TEST(ContentRange, IsReadBack) {
    EXPECT_EQ(parse_content_range("bytes 5-9/10"), (std::pair<std::int64_t, std::int64_t>(5, 10)));
    EXPECT_EQ(parse_content_range("bytes */10"), (std::pair<std::int64_t, std::int64_t>(10, 10)));
    for (const auto* text :
         {"", "bytes", "bytes 5-9", "bytes 5-9/*", "bytes x-9/10", "bytes 11-12/10"})
        EXPECT_FALSE(parse_content_range(text)) << text;
}

TEST(Where, IsReadFromAUrl) {
    const auto https = parse_where("https://10.0.0.1:8443").value();
    EXPECT_EQ(https.kind, Where::Kind::https);
    EXPECT_EQ(https.host, "10.0.0.1");
    EXPECT_EQ(https.port, 8443);
    EXPECT_EQ(https.shown(), "https://10.0.0.1:8443");
    EXPECT_EQ(parse_where("http://boot/").value().port, 80);
    EXPECT_EQ(parse_where("https://[fd00::1]:1").value().host, "fd00::1");
    EXPECT_EQ(parse_where("https://[fd00::1]:1").value().shown(), "https://[fd00::1]:1");
    EXPECT_EQ(parse_where("unix:/run/x.sock").value().path, "/run/x.sock");
}

TEST(Where, SaysWhatIsWrong) {
    for (const auto* text : {"", "10.0.0.1", "ftp://a", "https://", "http://a:0", "http://a:70000",
                             "http://a/path", "http://u:p@a", "unix:", "https://a b"}) {
        const auto where = parse_where(text);
        ASSERT_FALSE(where) << text;
        EXPECT_EQ(where.error().code, Errc::invalid_argument) << text;
        EXPECT_FALSE(where.error().hint.empty());
    }
}

TEST(Errors, SurviveTheWire) {
    for (int code = 0; code <= static_cast<int>(Errc::internal); ++code) {
        const Error error{static_cast<Errc>(code), "the desk 'kim' is in use", "close it", 0};
        const auto response = error_response(error);
        EXPECT_GE(response.status, 400);
        EXPECT_EQ(error_from_response(response), error);
    }
}

TEST(Errors, OfStrangersAreStillErrors) {
    Response response;
    response.status = 403;
    response.body = "<html>";
    EXPECT_EQ(error_from_response(response).code, Errc::forbidden);
    response.status = 599;
    response.body = R"({"error":{"code":7}})";
    EXPECT_EQ(error_from_response(response).code, Errc::internal);
    response.body = R"({"error":{"code":"no_such","what":"x"}})";
    EXPECT_EQ(error_from_response(response).what, "x");
}

TEST(Base64url, KnowsTheStandardsVectors) {
    EXPECT_EQ(base64url_encode(""), "");
    EXPECT_EQ(base64url_encode("f"), "Zg");
    EXPECT_EQ(base64url_encode("fo"), "Zm8");
    EXPECT_EQ(base64url_encode("foobar"), "Zm9vYmFy");
    EXPECT_EQ(base64url_encode("\xfb\xff"), "-_8");
}

TEST(Base64url, ReadsBackOnlyWhatItWrites) {
    EXPECT_TRUE(rc::check("there and back", [](const std::string& bytes) {
        std::string back;
        RC_ASSERT(base64url_decode(base64url_encode(bytes), back));
        RC_ASSERT(back == bytes);
    }));
    EXPECT_TRUE(rc::check("one text per value", [](const std::string& text) {
        std::string bytes;
        if (base64url_decode(text, bytes))
            RC_ASSERT(base64url_encode(bytes) == text);
    }));
    std::string bytes;
    for (const auto* text : {"Z", "Zh", "Zg==", "Z g", "Zm9+"})
        EXPECT_FALSE(base64url_decode(text, bytes)) << text;
}

TEST(Digest, IsSha256) {
    EXPECT_EQ(sha256_hex("abc"),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(random_hex(16).size(), 32U);
    EXPECT_NE(random_hex(16), random_hex(16));
}

} // namespace
} // namespace baton::net
