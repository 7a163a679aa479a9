#include "hostlink/protocol.h"
#include "support/altered_json.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace baton::hostlink {
namespace {

monitor::Reading reading() {
    monitor::Reading one;
    one.host = HostId("host1");
    one.address = "10.0.0.2";
    one.wall = WallTime(std::chrono::milliseconds(1'800'000'000'123));
    one.rates.processors = 2;
    one.rates.cpu_percent.corrected = 12.5;
    one.desktops.resize(1);
    one.desktops[0].wall = one.wall;
    one.desktops[0].who.uuid = "u-1";
    one.desktops[0].who.desktop = DesktopId("d-1");
    one.desktops[0].rates.memory_given_bytes = 512.0 * 1024 * 1024;
    return one;
}

const std::vector<FromHost>& host_messages() {
    static const std::vector<FromHost> all{
        Hello{1, {HostId("host1"), "10.0.0.2", 4_GiB, 2, {false, "no /dev/kvm"}, "0.1.0"}},
        Reply{7, boost::json::object{{"free_bytes", 5}}},
        Reply{8, tl::unexpected(Error{Errc::timeout, "not ready", "see the console", 0})},
        DesktopGone{DesktopId("d-1"), "crashed"},
        PersonAnswered{DesktopId("d-1"), true},
        PersonLoggedOut{DesktopId("d-1")},
        Sampled{reading()},
        SharesTold{{CpuSharesState::unsupported, "no control groups", {}, true}},
        SharesTold{{CpuSharesState::on, "", {{DesktopId("d-1"), 100, 250}}, false}}};
    return all;
}

std::vector<Call> calls() {
    handoff::StartOrder order;
    order.desktop = DesktopId("d-1");
    order.session = SessionId("s-1");
    order.person = UserName("kim");
    order.image = OsImageId("tiny-1");
    order.memory = 512_MiB;
    order.screen_password = "s\"ecret";
    order.screen_password_until = WallTime(std::chrono::milliseconds(1'800'000'000'123));
    handoff::StartOrder local = order;
    local.screen_password.clear();
    local.screen_ticket = "0123456789abcdef0123456789abcdef";
    local.without_desk = true;
    const DeskExport desk{DeskName("kim"),
                          DeskId("1-2-3"),
                          FencingNumber{UINT64_MAX},
                          {"10.0.0.9", 10809},
                          "desk.1-2-3.5",
                          std::int64_t{32} << 30,
                          true};
    return {Start{order},
            Start{local},
            Attach{DesktopId("d-1"), desk, std::chrono::seconds(30)},
            Release{DesktopId("d-1"), std::chrono::seconds(3), std::chrono::seconds(30)},
            Stop{DesktopId("d-1")},
            SetScreenPassword{DesktopId("d-1"), "pw", order.screen_password_until},
            Notify{DesktopId("d-1"), "zzz 책상", std::chrono::seconds(30), true},
            List{}};
}

TEST(HostLink, HostsMessagesSurviveTheWire) {
    for (const auto& message : host_messages())
        EXPECT_EQ(decode_from_host(encode(message)).value(), message) << encode(message);
}

TEST(HostLink, ControllersMessagesSurviveTheWire) {
    const auto welcome = decode_from_controller(encode(Welcome{1, "0.1.0"})).value();
    EXPECT_EQ(std::get<Welcome>(welcome), (Welcome{1, "0.1.0"}));
    const Refused refused{Error{Errc::forbidden, "not joined", "join it", 0}};
    EXPECT_EQ(std::get<Refused>(decode_from_controller(encode(refused)).value()), refused);
    for (const auto& call : calls()) {
        const auto text = encode(Request{9, call});
        const auto back = std::get<Request>(decode_from_controller(text).value());
        EXPECT_EQ(back.id, 9U);
        EXPECT_EQ(method_of(back.call), method_of(call));
        EXPECT_EQ(desktop_of(back.call), desktop_of(call));
        EXPECT_EQ(encode(back), text); // every field of it came back
    }
}

TEST(HostLink, ResultsSurviveTheWire) {
    const handoff::Started started{{"10.0.0.2", 5900}, 512_MiB};
    const auto back = started_from_json(to_json(started)).value();
    EXPECT_EQ(back.screen, started.screen);
    EXPECT_EQ(back.memory, started.memory);
    EXPECT_EQ(mount_report_from_json(to_json(handoff::MountReport{77}))->free_bytes, 77);
    const std::vector<DesktopInfo> desktops{
        {DesktopId("d-1"),
         SessionId("s-1"),
         OsImageId("tiny-1"),
         512_MiB,
         true,
         true,
         true,
         FencingNumber{5},
         {"10.0.0.2", 5900}},
        {DesktopId("d-2"), {}, {}, {}, false, false, false, {}, {}}};
    EXPECT_EQ(desktops_from_json(to_json(desktops)).value(), desktops);
}

TEST(HostLink, UnknownFieldsArePassedOver) {
    EXPECT_TRUE(decode_from_host(R"({"type":"logged_out","desktop":"d-1","new":{"a":[1]}})"));
}

TEST(HostLink, IllFormedMessagesNameWhatIsWrong) {
    for (
        const auto* text : {
            "",
            "5",
            "[]",
            "{}",
            R"({"type":5})",
            R"({"type":"none"})",
            R"({"type":"logged_out"})",
            R"({"type":"logged_out","desktop":""})",
            R"({"type":"logged_out","desktop":"../etc"})",
            R"({"type":"reply","id":-1,"result":{}})",
            R"({"type":"reply","id":1})",
            R"({"type":"reply","id":1,"error":{}})",
            R"({"type":"answer","desktop":"d-1","now":1})",
            R"({"type":"hello","protocol":1,"host":"h","address":"10.0.0.256","memory_mib":1,"processors":1,"agent_version":"","acceleration":{"kvm":true,"reason":""}})",
            R"({"type":"hello","protocol":1,"host":"h","address":"10.0.0.2","memory_mib":0,"processors":1,"agent_version":"","acceleration":{"kvm":true,"reason":""}})",
            R"({"type":"hello","protocol":1,"host":"h","address":"10.0.0.2","memory_mib":1,"processors":1,"agent_version":"","acceleration":{"kvm":"yes","reason":""}})",
        }) {
        const auto message = decode_from_host(text);
        ASSERT_FALSE(message) << text;
        EXPECT_EQ(message.error().code, Errc::invalid_argument) << text;
    }
    EXPECT_EQ(decode_from_controller(R"({"type":"request","id":1,"method":"dance","params":{}})")
                  .error()
                  .code,
              Errc::unsupported);
    EXPECT_EQ(decode_from_controller(R"({"type":"request","id":1,"method":"stop","params":{}})")
                  .error()
                  .what,
              "stop: the field 'desktop' is missing; it must be a text");
}

TEST(HostLink, AScreensTicketIsNoneOrWellFormed) {
    const auto start = [](const std::string& field) {
        return decode_from_controller(
            R"({"type":"request","id":1,"method":"start","params":{"desktop":"d-1","session":"s-1",)"
            R"("person":"kim","image":"tiny-1","memory_mib":512,"screen_password":"",)"
            R"("screen_password_until":0,"ready_deadline_ms":1)" +
            field + "}}");
    };
    const auto ticket_of = [](const FromController& message) {
        return std::get<Start>(std::get<Request>(message).call).order.screen_ticket;
    };
    const std::string word = "0123456789abcdef0123456789abcdef";
    EXPECT_EQ(ticket_of(start("").value()), "") << "an older controller says nothing of it";
    EXPECT_EQ(ticket_of(start(R"(,"screen_ticket":"")").value()), "");
    EXPECT_EQ(ticket_of(start(R"(,"screen_ticket":")" + word + "\"").value()), word);
    for (const std::string& bad :
         {word.substr(1), word + "0", "X" + word.substr(1), "A" + word.substr(1)})
        EXPECT_FALSE(start(R"(,"screen_ticket":")" + bad + "\"")) << bad;
    EXPECT_FALSE(start(R"(,"screen_ticket":5)"));
}

TEST(HostLink, AnAlteredMessageIsReadOrRefusedButNeverMisread) {
    // Each field in turn replaced by something of another kind, in every message and result.
    std::vector<std::string> texts;
    for (const auto& message : host_messages())
        texts.push_back(encode(message));
    for (const auto& call : calls())
        texts.push_back(encode(Request{3, call}));
    EXPECT_TRUE(rc::check("any field replaced", [&texts] {
        const auto text = *rc::gen::elementOf(texts);
        const auto altered = baton::testing::with_one_field_altered(text);
        // What is taken says the same again when it is written and read once more.
        if (const auto message = decode_from_host(altered))
            RC_ASSERT(decode_from_host(encode(*message)).value() == *message);
        if (const auto message = decode_from_controller(altered))
            RC_ASSERT(encode(decode_from_controller(encode(*message)).value()) == encode(*message));
    }));
}

} // namespace
} // namespace baton::hostlink
