// The desk server's API: the door with plain requests, then the client through real TLS.
#include "desk/image.h"
#include "desk/pack.h"
#include "deskserver/client.h"
#include "deskserver/http.h"
#include "integration/deskserver_fixture.h"

#include <boost/json/parse.hpp>

#include <fstream>

namespace baton::deskserver {
namespace {

using testing::HasSubstr;

class DoorTest : public ServerTest {
  protected:
    DoorTest() {
        open();
        contents_ = std::make_unique<ContentStore>(ContentStore::open(folder_ / "content").value());
        door_ = std::make_unique<Door>(*server_, *contents_, "controller");
    }

    net::Response ask(const std::string& method, const std::string& path,
                      const std::string& body = {},
                      const std::map<std::string, std::string>& query = {}) {
        net::Request request;
        request.method = method;
        request.path = path;
        request.body = body;
        request.query = query;
        request.peer.certificate_name = "controller";
        return door_->answer(request);
    }

    static boost::json::object body_of(const net::Response& response) {
        return boost::json::parse(response.body).as_object();
    }

    std::unique_ptr<ContentStore> contents_;
    std::unique_ptr<Door> door_;
};

TEST_F(DoorTest, OnlyTheControllerMayCall) {
    net::Request request;
    request.method = "GET";
    request.path = "/v1/desks";
    EXPECT_EQ(door_->answer(request).status, net::http_status(Errc::unauthenticated));
    request.peer.certificate_name = "host1";
    EXPECT_EQ(door_->answer(request).status, net::http_status(Errc::forbidden));
    request.peer.certificate_name = "controller";
    EXPECT_EQ(door_->answer(request).status, 200);
}

TEST_F(DoorTest, ADesksLife) {
    EXPECT_EQ(ask("PUT", "/v1/desks/kim", R"({"owner":"kim","size_bytes":268435456})").status, 201);
    EXPECT_EQ(ask("PUT", "/v1/desks/kim", R"({"owner":"kim"})").status,
              net::http_status(Errc::already_exists));
    const auto shown = body_of(ask("GET", "/v1/desks/kim"));
    EXPECT_EQ(shown.at("owner").as_string(), "kim");
    EXPECT_TRUE(shown.at("exported").is_null());
    EXPECT_EQ(body_of(ask("GET", "/v1/desks")).at("desks").as_array().size(), 1U);
    EXPECT_EQ(body_of(ask("POST", "/v1/desks/kim/check")).at("verdict").as_string(), "clean");

    const auto leased = ask("PUT", "/v1/leases/kim", R"({"fence":1,"holder":"host1"})");
    ASSERT_EQ(leased.status, 200) << leased.body;
    EXPECT_EQ(body_of(leased).at("fence").to_number<int>(), 1);
    EXPECT_EQ(ask("PUT", "/v1/leases/kim", R"({"fence":1,"holder":"host2"})").status,
              net::http_status(Errc::conflict));
    EXPECT_EQ(ask("DELETE", "/v1/desks/kim").status, net::http_status(Errc::busy));
    EXPECT_EQ(ask("DELETE", "/v1/leases/kim", {}, {{"fence", "1"}}).status, 200);
    EXPECT_EQ(ask("DELETE", "/v1/desks/kim").status, 200);
    EXPECT_EQ(ask("GET", "/v1/desks/kim").status, net::http_status(Errc::not_found));
}

TEST_F(DoorTest, BadRequestsAreAnsweredWithTheReason) {
    for (const auto& [method, path, body] : std::vector<std::array<std::string, 3>>{
             {"PUT", "/v1/desks/kim", "{"},
             {"PUT", "/v1/desks/kim", "{}"},
             {"PUT", "/v1/desks/kim", "[]"},
             {"PUT", "/v1/desks/Kim", R"({"owner":"kim"})"},
             {"PUT", "/v1/desks/..", R"({"owner":"kim"})"},
             {"PUT", "/v1/desks/a/../b", R"({"owner":"k"})"},
             {"PUT", "/v1/desks/kim", R"({"owner":"kim","size_bytes":1})"},
             {"PUT", "/v1/leases/kim", R"({"fence":-1})"},
             {"DELETE", "/v1/leases/kim", ""},
             {"GET", "/v1/content/../../etc/passwd", ""},
             {"GET", "/v1/content/x", ""},
             {"PUT", "/v1/desks/kim/snapshots/now", ""},
             {"PUT", "/v1/desks/kim/snapshots/..", ""},
             {"PUT", "/v1/desks/kim/snapshots", ""},
             {"GET", "/v1/desks/kim/snapshots", ""},
             {"POST", "/v1/desks/kim/snapshots/now/restore", ""},
             {"DELETE", "/v1/desks/../snapshots/now", ""},
             {"PUT", "/v1/desks/kim/checkout", "{}"},
             {"PUT", "/v1/desks/kim/checkout", R"({"journey":"x","generation":1,"to":"stick"})"},
             {"DELETE", "/v1/desks/kim/checkout", ""},
             {"PUT", "/v1/desks/kim/checkin", R"({"content":"../x"})"},
             {"GET", "/", ""},
             {"GET", "", ""},
             {"GET", "/v2/desks", ""},
             {"PATCH", "/v1/desks/kim", ""}}) {
        const auto response = ask(method, path, body);
        EXPECT_GE(response.status, 400) << method << " " << path << " " << body;
        EXPECT_LT(response.status, 500) << method << " " << path << " " << body;
        EXPECT_FALSE(body_of(response).at("error").at("what").as_string().empty());
    }
    EXPECT_TRUE(server_->list().value().empty());
}

TEST_F(DoorTest, PiecesOfContentFollowEachOther) {
    const auto id = std::string(body_of(ask("POST", "/v1/content")).at("content").as_string());
    const auto put = [&](const std::string& offset, const std::string& bytes) {
        return ask("PUT", "/v1/content/" + id, bytes, {{"offset", offset}}).status;
    };
    EXPECT_EQ(put("0", "abc"), 200);
    EXPECT_EQ(put("3", "def"), 200);
    EXPECT_EQ(put("3", "def"), 200) << "a repeated piece";
    EXPECT_EQ(put("7", "x"), net::http_status(Errc::conflict)) << "a gap";
    EXPECT_EQ(put("-1", "x"), net::http_status(Errc::invalid_argument));
    EXPECT_EQ(fs::file_size(contents_->path(id).value()), 6U);
    EXPECT_EQ(ask("PUT", "/v1/desks/kim/content", R"({"content":")" + id + "\"}").status,
              net::http_status(Errc::corrupt));
    EXPECT_EQ(ask("DELETE", "/v1/content/" + id).status, 200);
    EXPECT_EQ(ask("GET", "/v1/content/" + id).status, net::http_status(Errc::not_found));
}

class ClientTest : public DoorTest {
  protected:
    ClientTest() : workers_(*door_, 4) {
        net::ServerSettings listen;
        listen.tls = {settings_.certificate, settings_.key, settings_.authority};
        listen.require_client_certificate = true;
        http_ = net::serve(listen, workers_.handler()).value();
        const auto tls = make_certificates(folder_, "controller");
        client_ = std::make_unique<Client>(connect(tls));
    }

    Client connect(const std::string& tls) {
        net::ClientSettings settings;
        settings.url = "https://127.0.0.1:" + std::to_string(http_->port());
        settings.tls = {tls + "/client-cert.pem", tls + "/client-key.pem", tls + "/ca-cert.pem"};
        return Client::make(settings).value();
    }

    Workers workers_;
    std::unique_ptr<net::Server> http_;
    std::unique_ptr<Client> client_;
};

TEST_F(ClientTest, DoesFromAfarWhatTheServerDoes) {
    const DeskName kim("kim");
    const auto made = client_->create(kim, "kim", (256_MiB).bytes());
    ASSERT_TRUE(made) << made.error().message();
    EXPECT_EQ(made->header.size_bytes, (256_MiB).bytes());
    EXPECT_EQ(client_->create(kim, "kim", (256_MiB).bytes()).error().code, Errc::already_exists);
    EXPECT_EQ(client_->list().value().size(), 1U);
    EXPECT_EQ(client_->check(kim, false).value().verdict, desk::Verdict::clean);
    EXPECT_GT(client_->space().value().free_bytes, 0);

    const auto leased = client_->lease(kim, FencingNumber{3}, HostId("host1"));
    ASSERT_TRUE(leased) << leased.error().message();
    EXPECT_EQ(*leased, server_->show(kim).value().exported->desk_export);
    EXPECT_EQ(client_->show(kim).value().exported->desk_export, *leased);
    Holder holder(*leased, host1_);
    ASSERT_TRUE(holder.connected());
    EXPECT_EQ(client_->lease(kim, FencingNumber{2}, HostId("host1")).error().code, Errc::conflict);
    EXPECT_EQ(client_->check(kim, false).error().code, Errc::busy);
    EXPECT_EQ(client_->take_snapshot(kim, "now").error().code, Errc::busy);
    ASSERT_TRUE(client_->close(kim, FencingNumber{3}));
    const auto kept = client_->take_snapshot(kim, "now");
    ASSERT_TRUE(kept) << kept.error().message();
    EXPECT_EQ(client_->snapshots(kim).value().at(0).made, kept->made);
    EXPECT_GT(client_->restore(kim, "now").value().header.generation, kept->generation);
    EXPECT_EQ(client_->restore(kim, "never").error().code, Errc::not_found);
    ASSERT_TRUE(client_->remove_snapshot(kim, "now"));
    EXPECT_TRUE(client_->snapshots(kim).value().empty());
    EXPECT_THAT(holder.tell("write 0 4k"), HasSubstr("error"));
    ASSERT_TRUE(client_->remove(kim));
    EXPECT_EQ(client_->show(kim).error().code, Errc::not_found);
    EXPECT_EQ(connect(host1_).list().error().code, Errc::forbidden);
}

TEST_F(ClientTest, ADeskTravelsAndComesBackOnce) {
    const DeskName kim("kim");
    ASSERT_TRUE(client_->create(kim, "kim", (64_MiB).bytes()));
    const auto packed = folder_ / "away.zst";
    const std::string copy = folder_ / "away.desk";
    ASSERT_TRUE(client_->download(kim, packed));
    const auto generation = desk::unpack(packed, copy).value().header.generation;
    const auto journey = desk::new_desk_id().value().value;
    ASSERT_TRUE(desk::begin_journey(copy, journey));
    EXPECT_EQ(client_->check_out(kim, journey, generation + 1, "stick").error().code,
              Errc::conflict);
    EXPECT_EQ(client_->check_out(kim, "x", generation, "stick").error().code,
              Errc::invalid_argument);
    const auto out = client_->check_out(kim, journey, generation, "stick");
    ASSERT_TRUE(out) << out.error().message();
    EXPECT_EQ(out->header.checked_out->to, "stick");
    EXPECT_EQ(out->header.journey, journey);
    EXPECT_TRUE(client_->check_out(kim, journey, generation, "stick")) << "a lost answer";
    const auto away = client_->lease(kim, FencingNumber{1}, HostId("host1"));
    ASSERT_FALSE(away);
    EXPECT_EQ(away.error().code, Errc::refused);
    EXPECT_THAT(away.error().message(), HasSubstr("stick"));

    const auto send = [&](const std::string& image) {
        const auto to = folder_ / "back.zst";
        fs::remove(to);
        EXPECT_TRUE(desk::pack(image, to));
        return client_->bring_back(kim, to);
    };
    // what a stick says of fencing numbers is not the site's
    const auto change = [&](const std::string& image, auto how) {
        auto opened = desk::Image::open(image, desk::Access::write);
        auto header = opened->header();
        how(header);
        EXPECT_TRUE(opened->change(header));
    };
    const std::string other = folder_ / "other.desk";
    ASSERT_TRUE(desk::copy_image(copy, other));
    change(other, [](auto& header) { header.journey = desk::new_desk_id().value().value; });
    EXPECT_EQ(send(other).error().code, Errc::conflict);
    change(copy, [](auto& header) {
        header.generation += 2;
        header.largest_fence = FencingNumber{~0ULL};
    });
    const auto back = send(copy);
    ASSERT_TRUE(back) << back.error().message();
    EXPECT_FALSE(back->header.checked_out);
    EXPECT_EQ(back->header.generation, generation + 3);
    EXPECT_EQ(back->header.largest_fence, FencingNumber{0});
    EXPECT_TRUE(send(copy)) << "the same once more: an answer that was lost";
    EXPECT_EQ(client_->show(kim).value().header.generation, generation + 3);
    // of the same generation, with other content: somebody's copy of the copy
    const std::string forged = folder_ / "forged.desk";
    ASSERT_TRUE(desk::copy_image(copy, forged));
    std::ofstream(forged, std::ios::in | std::ios::out | std::ios::binary)
            .seekp(desk::data_offset + (63_MiB).bytes())
        << "changed";
    EXPECT_EQ(send(forged).error().code, Errc::conflict);
    EXPECT_TRUE(fs::is_empty(folder_ / "content")) << "nothing is kept at the server";

    EXPECT_EQ(client_->call_off(kim).error().code, Errc::conflict);
    ASSERT_TRUE(client_->check_out(kim, journey, generation + 3, "stick"));
    ASSERT_TRUE(client_->call_off(kim));
    EXPECT_TRUE(client_->lease(kim, FencingNumber{1}, HostId("host1")));
    EXPECT_EQ(client_->check_out(kim, journey, 0, "stick").error().code, Errc::busy);
}

TEST_F(ClientTest, ADeskGoesOutAndComesBackIn) {
    const DeskName kim("kim");
    ASSERT_TRUE(client_->create(kim, "kim", (256_MiB).bytes()));
    const auto image = settings_.desks + "/kim.desk";
    const auto hash = desk::content_hash(image).value();
    const auto id = client_->show(kim).value().header.id;
    const auto packed = folder_ / "kim.zst";
    std::int64_t seen = 0;
    const auto down = client_->download(kim, packed, [&](auto done, auto) { seen = done; });
    ASSERT_TRUE(down) << down.error().message();
    EXPECT_EQ(seen, static_cast<std::int64_t>(fs::file_size(packed)));
    EXPECT_TRUE(fs::is_empty(folder_ / "content")) << "nothing is kept at the server";
    EXPECT_EQ(client_->download(kim, packed).error().code, Errc::already_exists);

    EXPECT_EQ(client_->upload(DeskName("lee"), packed).error().code, Errc::already_exists)
        << "one desk is not two";
    ASSERT_TRUE(client_->lease(kim, FencingNumber{9}, HostId("host1")));
    EXPECT_EQ(client_->download(kim, folder_ / "b.zst").error().code, Errc::busy);
    ASSERT_TRUE(client_->close(kim, FencingNumber{9}));
    ASSERT_TRUE(client_->remove(kim));

    const auto back = client_->upload(DeskName("lee"), packed);
    ASSERT_TRUE(back) << back.error().message();
    EXPECT_EQ(back->header.id, id);
    EXPECT_EQ(desk::content_hash(settings_.desks + "/lee.desk").value(), hash);
    EXPECT_TRUE(client_->lease(DeskName("lee"), FencingNumber{1}, HostId("host1")))
        << "numbers of another site do not count here";

    // cut short on the way
    fs::resize_file(packed, fs::file_size(packed) - 10);
    const auto cut = client_->upload(DeskName("cut"), packed);
    ASSERT_FALSE(cut);
    EXPECT_EQ(cut.error().code, Errc::corrupt);
    EXPECT_EQ(client_->list().value().size(), 1U);
    EXPECT_TRUE(fs::is_empty(folder_ / "content"));
}

TEST_F(ClientTest, ADamagedDeskIsNotTakenIn) {
    const DeskName kim("kim");
    ASSERT_TRUE(client_->create(kim, "kim", (256_MiB).bytes()));
    const auto image = settings_.desks + "/kim.desk";
    {
        std::fstream file(image, std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(desk::data_offset + 4096);
        file << std::string(4096, 'x');
    }
    const auto packed = folder_ / "kim.zst";
    ASSERT_TRUE(client_->download(kim, packed));
    ASSERT_TRUE(client_->remove(kim));
    const auto back = client_->upload(kim, packed);
    ASSERT_FALSE(back);
    EXPECT_EQ(back.error().code, Errc::corrupt);
    EXPECT_THAT(back.error().message(), HasSubstr("kim"));
    EXPECT_TRUE(client_->list().value().empty());
}

} // namespace
} // namespace baton::deskserver
