#include "net/join_token.h"
#include "net/json.h"
#include "net/pki.h"
#include "support/temporary_directory.h"

#include <boost/json/parse.hpp>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <filesystem>
#include <fstream>
#include <sys/stat.h>

namespace baton::net {
namespace {

using baton::testing::TemporaryDirectory;
using namespace std::chrono_literals;

const WallTime now{std::chrono::sys_days{std::chrono::year{2026} / 11 / 20}};

CertificateOrder order_of(std::string name) {
    CertificateOrder order;
    order.common_name = std::move(name);
    order.names = {"10.0.0.1", "fd00::1", "host1.lab"};
    order.server = true;
    return order;
}

TEST(Authority, IssuesWhatIsOrdered) {
    const auto authority = Authority::create("Baton CA of boot1", now).value();
    const auto issued = authority.issue(order_of("host1"), now).value();
    const auto info = inspect_certificate(issued.certificate_pem).value();
    EXPECT_EQ(info.common_name, "host1");
    EXPECT_EQ(info.names, (std::vector<std::string>{"10.0.0.1", "fd00::1", "host1.lab"}));
    EXPECT_EQ(info.not_before, now - 24h);
    EXPECT_EQ(info.not_after, now + certificate_life);
    EXPECT_TRUE(info.server);
    EXPECT_FALSE(info.client);
    EXPECT_FALSE(info.authority);
    EXPECT_EQ(info.sha256.size(), 64U);
    EXPECT_TRUE(authority.issued(issued.certificate_pem));
    EXPECT_FALSE(Authority::create("Baton CA of boot1", now)->issued(issued.certificate_pem));
    const auto own = inspect_certificate(authority.certificate_pem()).value();
    EXPECT_TRUE(own.authority);
    EXPECT_EQ(own.sha256, authority.sha256());
    EXPECT_GE(own.not_after, now + 24h * 3650);
}

TEST(Authority, CertifiesTheKeyOfARequestAndNothingElseOfIt) {
    const auto authority = Authority::create("ca", now).value();
    const auto request = make_signing_request("root").value();
    auto order = order_of("host1");
    order.client = true;
    const auto pem = authority.sign(request.csr_pem, order, now).value();
    const auto info = inspect_certificate(pem).value();
    EXPECT_EQ(info.common_name, "host1");
    EXPECT_TRUE(info.client);
    EXPECT_TRUE(Authority::from_pem(authority.certificate_pem(), authority.key_pem()));
    // The certificate belongs to the request's key: OpenSSL would refuse the pair otherwise.
    EXPECT_EQ(Authority::from_pem(pem, request.key_pem).error().what,
              "the CA certificate is not that of a CA");
}

TEST(Authority, RefusesBadOrdersAndRequests) {
    const auto authority = Authority::create("ca", now).value();
    auto order = order_of("");
    EXPECT_EQ(authority.issue(order, now).error().code, Errc::invalid_argument);
    order = order_of("a");
    order.names = {"a,DNS:evil"};
    EXPECT_EQ(authority.issue(order, now).error().code, Errc::invalid_argument);
    order = order_of("a");
    order.server = false;
    EXPECT_EQ(authority.issue(order, now).error().code, Errc::invalid_argument);
    EXPECT_EQ(authority.sign("nonsense", order_of("a"), now).error().code, Errc::invalid_argument);
    auto spoiled = make_signing_request("a")->csr_pem;
    const auto middle = spoiled.size() / 2;
    spoiled[middle] = spoiled[middle] == 'A' ? 'B' : 'A';
    EXPECT_EQ(authority.sign(spoiled, order_of("a"), now).error().code, Errc::invalid_argument);
}

TEST(Authority, IsNotTakenFromPartsThatDoNotBelongTogether) {
    const auto one = Authority::create("one", now).value();
    const auto other = Authority::create("other", now).value();
    EXPECT_EQ(Authority::from_pem(one.certificate_pem(), other.key_pem()).error().code,
              Errc::corrupt);
    EXPECT_EQ(Authority::from_pem("x", one.key_pem()).error().code, Errc::corrupt);
    EXPECT_EQ(Authority::from_pem(one.certificate_pem(), "x").error().code, Errc::corrupt);
    const auto leaf = one.issue(order_of("leaf"), now).value();
    EXPECT_EQ(Authority::from_pem(leaf.certificate_pem, leaf.key_pem).error().code, Errc::corrupt);
}

TEST(Pki, AnEndIsToldInTime) {
    using std::chrono::days;
    CertificateInfo info;
    const WallTime today{days(20'000)};
    info.not_after = today + days(30);
    EXPECT_EQ(expiry_warning("/c", info, today), std::nullopt);
    EXPECT_EQ(expiry_warning("/c", info, today + days(1)), "the certificate /c ends in 29 days");
    EXPECT_EQ(expiry_warning("/c", info, today + days(30)), "the certificate /c has expired");
}

TEST(PkiFiles, AuthorityIsMadeOnceAndKept) {
    const TemporaryDirectory folder;
    const auto pki = folder.file("deep/pki");
    const auto first = open_authority(pki, "ca", now).value();
    EXPECT_EQ(open_authority(pki, "ca", now + 24h)->sha256(), first.sha256());
    struct stat info{};
    ASSERT_EQ(::stat((pki + "/ca-key.pem").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777U, 0600U);
    std::filesystem::remove(pki + "/ca-key.pem");
    const auto keyless = open_authority(pki, "ca", now);
    ASSERT_FALSE(keyless);
    EXPECT_NE(keyless.error().hint.find("backup"), std::string::npos);
}

TEST(PkiFiles, CertificatesAreRenewedWhenTheyMustBe) {
    const TemporaryDirectory folder;
    const auto authority = Authority::create("ca", now).value();
    const auto keep = [&](const CertificateOrder& order, WallTime when) {
        return keep_certificate(authority, folder.file("tls"), "server", order, when).value();
    };
    auto order = order_of("boot1");
    EXPECT_TRUE(keep(order, now));
    EXPECT_FALSE(keep(order, now + 24h));
    EXPECT_FALSE(keep(order, now - 12h)); // the clock was set back a little
    EXPECT_TRUE(keep(order, now + certificate_life - certificate_renewal + 1h));
    EXPECT_TRUE(keep(order, now)); // the clock jumped back: it would not be valid yet
    order.names.emplace_back("10.0.0.2");
    EXPECT_TRUE(keep(order, now));
    const auto other = Authority::create("ca", now).value();
    EXPECT_TRUE(keep_certificate(other, folder.file("tls"), "server", order, now).value());
    EXPECT_EQ(read_small_file(folder.file("tls/ca-cert.pem")).value(), other.certificate_pem());
    EXPECT_TRUE(other.issued(read_small_file(folder.file("tls/server-cert.pem")).value()));
}

TEST(PkiFiles, ARenewedCertificateFitsTheKeyThatIsThere) {
    const TemporaryDirectory folder;
    const auto authority = Authority::create("ca", now).value();
    const auto keep = [&](WallTime when) {
        return keep_certificate(authority, folder.file("tls"), "server", order_of("boot1"), when)
            .value();
    };
    const auto text = [&](const char* name) {
        return read_small_file(folder.file("tls/") + name).value();
    };
    EXPECT_TRUE(keep(now));
    const auto key = text("server-key.pem");
    const auto certificate = text("server-cert.pem");
    const auto later = now + certificate_life - certificate_renewal + 1h;
    EXPECT_TRUE(keep(later));
    EXPECT_EQ(text("server-key.pem"), key);
    EXPECT_NE(text("server-cert.pem"), certificate);
    EXPECT_TRUE(check_certificate(text("server-cert.pem"), key, authority.certificate_pem()));
    EXPECT_EQ(inspect_certificate(text("server-cert.pem"))->not_after, later + certificate_life);
    struct stat info{};
    ASSERT_EQ(::stat(folder.file("tls/server-cert.pem").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777U, 0600U);
    const std::filesystem::directory_iterator files(folder.file("tls"));
    EXPECT_EQ(std::distance(begin(files), end(files)), 3) << "and no half-written one";
    // Another key was put there: the pair is made anew.
    ASSERT_TRUE(write_private_file(folder.file("tls/server-key.pem"),
                                   make_signing_request("x").value().key_pem));
    EXPECT_TRUE(keep(later + certificate_life));
    EXPECT_TRUE(check_certificate(text("server-cert.pem"), text("server-key.pem"),
                                  authority.certificate_pem()));
}

TEST(PkiFiles, PrivateFilesReplaceWhatWasThereAtomically) {
    const TemporaryDirectory folder;
    const auto path = folder.file("secret");
    ASSERT_TRUE(write_private_file(path, "one"));
    ASSERT_TRUE(write_private_file(path, "two"));
    EXPECT_EQ(read_small_file(path).value(), "two");
    std::size_t files = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder.path()))
        ++files;
    EXPECT_EQ(files, 1U);
    EXPECT_EQ(write_private_file(folder.file("none/secret"), "x").error().code, Errc::not_found);
    EXPECT_EQ(read_small_file(folder.file("none")).error().code, Errc::not_found);
    EXPECT_EQ(read_small_file(folder.path().string()).error().code, Errc::corrupt);
}

TEST(JoinToken, SurvivesCopying) {
    const JoinToken token{"https://10.0.0.1:8443", std::string(64, 'a'), "s3cret"};
    EXPECT_EQ(decode_join_token(encode(token)).value(), token);
    EXPECT_EQ(decode_join_token("  " + encode(token) + "\n").value(), token);
}

TEST(JoinToken, CutShortIsNoToken) {
    const auto text = encode({"https://10.0.0.1:8443", std::string(64, 'a'), "s3cret"});
    for (std::size_t length = 0; length < text.size(); ++length)
        EXPECT_FALSE(decode_join_token(text.substr(0, length))) << length;
    for (const auto& bad : {JoinToken{"", std::string(64, 'a'), "s"},
                            JoinToken{"https://a", std::string(63, 'a'), "s"},
                            JoinToken{"https://a", std::string(64, 'A'), "s"},
                            JoinToken{"https://a", std::string(64, 'a'), ""}})
        EXPECT_EQ(decode_join_token(encode(bad)).error().code, Errc::invalid_argument);
}

TEST(Fields, ReadsWhatIsThere) {
    const auto object =
        parse_object(
            R"({"t":"x","i":-3,"n":18446744073709551615,"b":true,"p":443,"o":{"a":1},"l":[1],"z":null,"new":1})",
            "it")
            .value();
    Fields fields(object, "it");
    EXPECT_EQ(fields.text("t"), "x");
    EXPECT_EQ(fields.integer("i"), -3);
    EXPECT_EQ(fields.natural("n"), 18446744073709551615ULL);
    EXPECT_TRUE(fields.truth("b"));
    EXPECT_EQ(fields.port("p"), 443);
    EXPECT_EQ(fields.object("o").size(), 1U);
    EXPECT_EQ(fields.array("l").size(), 1U);
    EXPECT_EQ(fields.text_or("none", "d"), "d");
    EXPECT_EQ(fields.integer_or("z", 7), 7);
    EXPECT_TRUE(fields.truth_or("none", true));
    EXPECT_TRUE(fields.finish());
}

TEST(Fields, NamesTheFirstThatIsWrong) {
    const auto object =
        parse_object(R"({"t":5,"i":"x","n":-1,"b":0,"p":65536,"f":1.5,"big":9223372036854775808})",
                     "it")
            .value();
    const auto wrong = [&](const std::function<void(Fields&)>& read) {
        Fields fields(object, "it");
        read(fields);
        const auto result = fields.finish();
        EXPECT_FALSE(result);
        EXPECT_EQ(result.error().code, Errc::invalid_argument);
        return result.error().what;
    };
    EXPECT_EQ(wrong([](Fields& f) { f.text("t"); }), "it: the field 't' must be a text");
    EXPECT_EQ(wrong([](Fields& f) {
                  f.text("gone");
                  f.text("t");
              }),
              "it: the field 'gone' is missing; it must be a text");
    EXPECT_EQ(wrong([](Fields& f) { f.integer("i"); }), "it: the field 'i' must be a whole number");
    EXPECT_EQ(wrong([](Fields& f) { f.integer("f"); }), "it: the field 'f' must be a whole number");
    EXPECT_EQ(wrong([](Fields& f) { f.integer("big"); }), "it: the field 'big' is too large");
    EXPECT_EQ(wrong([](Fields& f) { f.natural("n"); }),
              "it: the field 'n' must be a whole number from 0 on");
    EXPECT_EQ(wrong([](Fields& f) { f.truth("b"); }), "it: the field 'b' must be true or false");
    EXPECT_EQ(wrong([](Fields& f) { f.port("p"); }),
              "it: the field 'p' must be from 0 to 65535, not 65536");
    EXPECT_EQ(wrong([](Fields& f) { f.object("t"); }), "it: the field 't' must be an object");
    EXPECT_EQ(wrong([](Fields& f) { f.array("t"); }), "it: the field 't' must be a list");
}

TEST(ParseObject, RefusesWhatIsNone) {
    for (const std::string& text :
         {std::string(), std::string("[]"), std::string("{\"a\":1"), std::string("nul"),
          std::string(100'000, '['), "{\"a\":" + std::string(40, '[') + std::string(40, ']') + "}"})
        EXPECT_EQ(parse_object(text, "it").error().code, Errc::invalid_argument);
}

} // namespace
} // namespace baton::net
