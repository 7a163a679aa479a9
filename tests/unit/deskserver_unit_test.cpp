#include "deskserver/qmp.h"
#include "deskserver/storage_daemon.h"

#include <boost/json/serialize.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace baton::deskserver {
namespace {

using testing::Contains;
using testing::HasSubstr;

DaemonOrder sample() {
    DaemonOrder order;
    order.runtime = "/run/baton,deskd";
    order.tls_folder = "/run/baton,deskd/tls";
    order.image = "/srv/desks/kim.desk";
    order.size_bytes = (32_GiB).bytes();
    order.desk = DeskName("kim");
    order.id = DeskId("0c5d1b42-d2f3-4f0c-ba83-83cf4eb5251e");
    order.fence = FencingNumber{7};
    order.holder = HostId("host1");
    return order;
}

TEST(StorageDaemon, CommandLineLetsOneCertificateInOverTls) {
    const auto words = daemon_words(sample(), 5, 6);
    EXPECT_EQ(words.front(), "qemu-storage-daemon");
    EXPECT_THAT(words, Contains("tls-creds-x509,id=tls,endpoint=server,verify-peer=on,"
                                "dir=/run/baton,,deskd/tls"));
    EXPECT_THAT(words, Contains("authz-simple,id=holder,identity=CN=host1"));
    EXPECT_THAT(words, Contains("addr.type=fd,addr.str=5,tls-creds=tls,tls-authz=holder,"
                                "max-connections=16"));
    EXPECT_THAT(words, Contains("socket,id=monitor,server=on,wait=off,fd=6"));
    EXPECT_THAT(words, Contains("/run/baton,deskd/kim.7.pid"));
}

TEST(StorageDaemon, TheGuestNeverSeesTheHeader) {
    const auto node = node_arguments(sample());
    EXPECT_EQ(node.at("driver").as_string(), "raw");
    EXPECT_EQ(node.at("offset").as_int64(), 1024 * 1024);
    EXPECT_EQ(node.at("size").as_int64(), (32_GiB).bytes());
    EXPECT_EQ(node.at("file").at("locking").as_string(), "on");
    EXPECT_EQ(node.at("file").at("filename").as_string(), "/srv/desks/kim.desk");
    const auto exported = export_arguments(sample());
    EXPECT_EQ(exported.at("name").as_string(), "desk.0c5d1b42-d2f3-4f0c-ba83-83cf4eb5251e.7");
    EXPECT_TRUE(exported.at("writable").as_bool());

    auto away = sample();
    away.read_only = true;
    EXPECT_FALSE(export_arguments(away).at("writable").as_bool());
    EXPECT_TRUE(node_arguments(away).at("file").at("read-only").as_bool());
}

TEST(Qmp, ReadsMessagesHoweverTheyAreCut) {
    const std::string stream =
        "{\"QMP\": {}}\r\n{\"event\": \"X\"}\n\n{\"return\": {\"a\": 1}}\r\n";
    for (std::size_t piece = 1; piece <= stream.size(); ++piece) {
        QmpReader reader;
        std::vector<std::string> read;
        for (std::size_t i = 0; i < stream.size(); i += piece) {
            ASSERT_TRUE(reader.take(std::string_view(stream).substr(i, piece)));
            boost::json::object message;
            while (reader.next(message))
                read.push_back(boost::json::serialize(message));
        }
        EXPECT_THAT(read, testing::ElementsAre("{\"QMP\":{}}", "{\"event\":\"X\"}",
                                               "{\"return\":{\"a\":1}}"));
    }
}

TEST(Qmp, RefusesWhatIsNoMessage) {
    QmpReader reader;
    EXPECT_EQ(reader.take("nonsense\n").error().code, Errc::corrupt);
    QmpReader list;
    EXPECT_EQ(list.take("[1]\n").error().code, Errc::corrupt);
    QmpReader endless;
    EXPECT_EQ(endless.take(std::string(2 * 1024 * 1024, '{')).error().code, Errc::corrupt);
}

TEST(Qmp, ErrorsSayWhatToDo) {
    const auto busy = qmp_error(
        "blockdev-add", {{"class", "GenericError"}, {"desc", "Failed to get \"write\" lock"}});
    EXPECT_EQ(busy.code, Errc::busy);
    EXPECT_FALSE(busy.hint.empty());
    EXPECT_EQ(qmp_error("x", {{"desc", "No space left on device"}}).code, Errc::full);
    EXPECT_EQ(qmp_error("x", {}).code, Errc::io);
    EXPECT_THAT(qmp_error("block-export-add", {{"desc", "no"}}).what,
                HasSubstr("block-export-add"));
}

} // namespace
} // namespace baton::deskserver
