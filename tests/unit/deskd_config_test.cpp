#include "programs/baton_deskd/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace baton::deskd {
namespace {

using testing::HasSubstr;

const std::string whole = R"(
[listen]
address = "10.99.0.1"
port = 8446
caller = "batond"
[tls]
certificate = "/e/server-cert.pem"
key = "/e/server-key.pem"
authority = "/e/ca-cert.pem"
[desks]
folder = "/srv/desks"
low_space = "5GiB"
checked_out = "read-only"
[exports]
address = "10.99.0.2"
first_port = 9000
last_port = 9099
runtime = "/run/x"
end_at_exit = true
)";

TEST(DeskdConfig, IsReadWhole) {
    const auto config = parse_config(whole, "f.toml").value();
    EXPECT_EQ(config.listen.address, "10.99.0.1");
    EXPECT_EQ(config.listen.port, 8446);
    EXPECT_TRUE(config.listen.require_client_certificate);
    EXPECT_EQ(config.caller, "batond");
    EXPECT_EQ(config.desks.desks, "/srv/desks");
    EXPECT_EQ(config.desks.low_space_bytes, (5_GiB).bytes());
    EXPECT_TRUE(config.desks.checked_out_read_only);
    EXPECT_EQ(config.desks.export_address, "10.99.0.2");
    EXPECT_EQ(config.desks.first_port, 9000);
    EXPECT_EQ(config.desks.last_port, 9099);
    EXPECT_TRUE(config.desks.end_exports_at_exit);
    EXPECT_EQ(config.desks.certificate, "/e/server-cert.pem") << "the same for both doors";
}

TEST(DeskdConfig, LittleIsNeeded) {
    const auto config = parse_config("[tls]\ncertificate='c'\nkey='k'\nauthority='a'\n"
                                     "[desks]\nfolder='/d'\n[listen]\naddress='10.0.0.1'\n",
                                     "f.toml")
                            .value();
    EXPECT_EQ(config.caller, "controller");
    EXPECT_EQ(config.listen.port, 8445);
    EXPECT_EQ(config.desks.export_address, "10.0.0.1") << "where it listens";
    EXPECT_EQ(config.desks.first_port, 0);
    EXPECT_FALSE(config.desks.end_exports_at_exit);
}

TEST(DeskdConfig, SaysWhatIsWrongAndWhere) {
    const auto error = [](const std::string& text) {
        const auto config = parse_config(text, "f.toml");
        EXPECT_FALSE(config) << text;
        return config ? std::string() : config.error().message();
    };
    EXPECT_THAT(error("[listen"), HasSubstr("f.toml:1"));
    EXPECT_THAT(error("[listen]\nport = 70000"), HasSubstr("f.toml:2: listen.port"));
    EXPECT_THAT(error("[listen]\nport = 'x'"), HasSubstr("listen.port"));
    EXPECT_THAT(error("[listen]\nadress = 'x'"), HasSubstr("listen.adress is no key"));
    EXPECT_THAT(error("[desks]\nlow_space = 5"), HasSubstr("desks.low_space"));
    EXPECT_THAT(error("[desks]\nchecked_out = 'maybe'"), HasSubstr("read-only"));
    EXPECT_THAT(error("[tls]\nkey = 7"), HasSubstr("tls.key must be a text"));
    EXPECT_THAT(error("x = 1"), HasSubstr("x is no group"));
    EXPECT_THAT(error(""), HasSubstr("desks.folder is missing"));
    auto upside_down = whole;
    upside_down.replace(upside_down.find("9099"), 4, "8999");
    EXPECT_THAT(error(upside_down), HasSubstr("first_port is larger"));
    EXPECT_EQ(read_config("/no/such/file").error().code, Errc::not_found);
}

} // namespace
} // namespace baton::deskd
