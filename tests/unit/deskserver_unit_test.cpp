#include "deskserver/codec.h"
#include "deskserver/qmp.h"
#include "deskserver/storage_daemon.h"

#include <boost/json/serialize.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

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

DeskView full_view() {
    DeskView view;
    view.name = DeskName("kim");
    view.header.id = DeskId("0c5d1b42-d2f3-4f0c-ba83-83cf4eb5251e");
    view.header.owner = "kim";
    view.header.created = WallTime(std::chrono::milliseconds(1'795'168'334'123));
    view.header.size_bytes = (32_GiB).bytes();
    view.header.state = desk::State::damaged;
    view.header.generation = 3;
    view.header.largest_fence = FencingNumber{~0ULL};
    view.header.lease = {desk::HolderKind::player, "pc-7", FencingNumber{2},
                         WallTime(std::chrono::milliseconds(1))};
    view.header.checked_out =
        desk::CheckOut{"pc-7", WallTime(std::chrono::milliseconds(86'400'000)), 2};
    view.header.journey = "1c5d1b42-d2f3-4f0c-ba83-83cf4eb5251e";
    view.warnings = {"one", "two"};
    view.allocated_bytes = 5;
    view.free_bytes = 6;
    view.problem = Error{Errc::corrupt, "it is damaged", "mend it", 0};
    ExportView exported;
    exported.desk_export = {view.name,
                            view.header.id,
                            FencingNumber{2},
                            {"10.0.0.1", 4711},
                            "desk.x.2",
                            (32_GiB).bytes(),
                            true};
    exported.holder = HostId("host1");
    exported.process = 12;
    exported.restarts = 1;
    exported.failure = "no";
    view.exported = exported;
    return view;
}

bool same(const DeskView& a, const DeskView& b) {
    return a.name == b.name && a.header == b.header && a.warnings == b.warnings &&
           a.allocated_bytes == b.allocated_bytes && a.free_bytes == b.free_bytes &&
           a.problem == b.problem && a.exported.has_value() == b.exported.has_value() &&
           (!a.exported || (a.exported->desk_export == b.exported->desk_export &&
                            a.exported->holder == b.exported->holder &&
                            a.exported->process == b.exported->process &&
                            a.exported->restarts == b.exported->restarts &&
                            a.exported->failure == b.exported->failure));
}

TEST(Codec, AViewComesBackAsItWent) {
    const auto back = desk_view_from(to_json(full_view()));
    ASSERT_TRUE(back) << back.error().message();
    EXPECT_TRUE(same(*back, full_view()));
    DeskView bare;
    bare.name = DeskName("lee");
    const auto empty = desk_view_from(to_json(bare));
    ASSERT_TRUE(empty) << empty.error().message();
    EXPECT_TRUE(same(*empty, bare));
    EXPECT_FALSE(desk_view_from({}));
}

RC_GTEST_PROP(CodecProperty, TimesComeBackAsTheyWent, ()) {
    const WallTime time(std::chrono::milliseconds(
        *rc::gen::inRange<std::int64_t>(1, 32'503'680'000'000))); // to the year 3000
    const auto text = to_json(time);
    RC_ASSERT(time_from(std::string_view(text.as_string())).value() == time);
}

TEST(Codec, RefusesWhatIsNoTime) {
    for (const auto* text :
         {"", "yesterday", "2026-02-30T00:00:00.000Z", "2026-01-01T24:00:00.000Z",
          "2026-01-01T00:00:00.000Zx", "2026-01-01 00:00:00"})
        EXPECT_FALSE(time_from(text)) << text;
}

} // namespace
} // namespace baton::deskserver
