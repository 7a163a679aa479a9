#include "api/routes.h"
#include "unit/api_test/site.h"

#include <fstream>
#include <regex>
#include <set>

/// Every route with every kind of asker: the table is the only door.
namespace baton::api::testing {
namespace {

std::string concrete(const Route& route) {
    std::string path(route.pattern);
    path = std::regex_replace(path, std::regex("\\{(id|name|mac)\\}"), "nothing");
    return path;
}

struct Permissions : ::testing::Test {
    Site site;
};

TEST_F(Permissions, NothingIsOpenWithoutATokenButFiveRoutes) {
    std::set<std::string> open;
    for (const Route& route : routes()) {
        const net::Response response = site.ask("", std::string(route.method), concrete(route));
        if (response.status != 401)
            open.insert(std::string(route.pattern));
        else
            EXPECT_NE(error_of(response).find("token"), std::string::npos);
    }
    EXPECT_EQ(open, (std::set<std::string>{"/v1/clients/up", "/v1/gateways/join", "/v1/health",
                                           "/v1/hosts/join", "/v1/login"}));
}

TEST_F(Permissions, AWrongTokenIsRefusedEverywhereItCounts) {
    for (const Route& route : routes()) {
        if (route.access == Access::open)
            continue;
        const net::Response response =
            site.ask("wrong", std::string(route.method), concrete(route));
        EXPECT_EQ(response.status, 401) << route.pattern;
    }
}

/// What is written in docs/api.md, by hand: the least role of each route, "host" where hosts may.
const std::map<std::string, std::string> expected{
    {"GET /v1/health", "open"},
    {"POST /v1/login", "open"},
    {"POST /v1/logout", "user"},
    {"GET /v1/whoami", "user"},
    {"GET /v1/status", "operator"},
    {"GET /v1/users", "operator"},
    {"POST /v1/users", "admin"},
    {"GET /v1/users/{name}", "user"},
    {"POST /v1/users/{name}/password", "user"},
    {"POST /v1/users/{name}/disable", "admin"},
    {"POST /v1/users/{name}/enable", "admin"},
    {"GET /v1/sessions", "user"},
    {"POST /v1/sessions", "user"},
    {"GET /v1/sessions/{id}", "user"},
    {"DELETE /v1/sessions/{id}", "user"},
    {"POST /v1/sessions/{id}/grow", "user"},
    {"POST /v1/sessions/{id}/answer", "user"},
    {"POST /v1/sessions/{id}/ticket", "user"},
    {"GET /v1/gateways", "operator"},
    {"POST /v1/gateways/invite", "admin"},
    {"POST /v1/gateways/join", "open"},
    {"GET /v1/gateways/{id}", "operator"},
    {"POST /v1/gateways/{id}/drain", "operator"},
    {"POST /v1/gateways/{id}/undrain", "operator"},
    {"DELETE /v1/gateways/{id}", "admin"},
    {"GET /v1/hosts", "operator"},
    {"POST /v1/hosts/invite", "admin"},
    {"POST /v1/hosts/join", "open"},
    {"GET /v1/hosts/{id}", "operator"},
    {"POST /v1/hosts/{id}/drain", "operator"},
    {"POST /v1/hosts/{id}/undrain", "operator"},
    {"DELETE /v1/hosts/{id}", "admin"},
    {"POST /v1/clients/up", "open"},
    {"GET /v1/clients", "operator"},
    {"GET /v1/clients/{mac}", "operator"},
    {"POST /v1/clients/{mac}/assign", "operator"},
    {"POST /v1/clients/{mac}/wake", "operator"},
    {"POST /v1/clients/{mac}/reboot", "operator"},
    {"POST /v1/clients/{mac}/message", "operator"},
    {"GET /v1/clients/{mac}/orders", "open"},
    {"POST /v1/clients/{mac}/phase", "open"},
    {"DELETE /v1/clients/{mac}", "operator"},
    {"GET /v1/desks", "user"},
    {"POST /v1/desks", "operator"},
    {"GET /v1/desks/{name}", "user"},
    {"POST /v1/desks/{name}/check", "user"},
    {"DELETE /v1/desks/{name}", "admin"},
    {"GET /v1/desks/{name}/image", "user"},
    {"PUT /v1/desks/{name}/image", "operator"},
    {"GET /v1/desks/{name}/snapshots", "user"},
    {"PUT /v1/desks/{name}/snapshots/{snapshot}", "user"},
    {"DELETE /v1/desks/{name}/snapshots/{snapshot}", "user"},
    {"POST /v1/desks/{name}/snapshots/{snapshot}/restore", "user"},
    {"GET /v1/desks/{name}/checkout", "user"},
    {"PUT /v1/desks/{name}/checkout", "user"},
    {"DELETE /v1/desks/{name}/checkout", "operator"},
    {"PUT /v1/desks/{name}/checkin", "user"},
    {"GET /v1/os-images", "user"},
    {"GET /v1/os-images/{id}", "user"},
    {"GET /v1/os-images/{id}/manifest", "operator+host"},
    {"GET /v1/os-images/{id}/files/{name}", "operator+host"},
    {"GET /v1/events", "user"},
    {"GET /v1/readings", "operator"},
    {"GET /v1/readings/{id}", "operator"},
    {"GET /v1/history", "operator"},
    {"GET /v1/history/{id}", "user"},
    {"GET /v1/advice", "operator"},
    {"GET /metrics", "operator"},
};

bool expected_to_pass(const std::string& least, Asker asker) {
    if (least == "open")
        return true;
    if (asker == Asker::host)
        return least.ends_with("+host");
    const int rank = asker == Asker::admin       ? 3
                     : asker == Asker::operator_ ? 2
                     : asker == Asker::user      ? 1
                                                 : 0;
    const int needed = least.starts_with("admin") ? 3 : least.starts_with("operator") ? 2 : 1;
    return rank >= needed;
}

TEST_F(Permissions, EveryRouteWithEveryRoleIsAsWritten) {
    site.add_host("host1");
    const std::map<Asker, std::string> tokens{{Asker::user, site.person("una")},
                                              {Asker::operator_, site.person("otto", "operator")},
                                              {Asker::admin, site.admin}};
    ASSERT_EQ(routes().size(), expected.size());
    for (const Route& route : routes()) {
        const std::string name = std::string(route.method) + " " + std::string(route.pattern);
        ASSERT_TRUE(expected.contains(name)) << name;
        if (route.id == RouteId::logout || route.access == Access::open)
            continue; // logging out takes the token away; see the tests of accounts
        for (const Asker asker : {Asker::host, Asker::user, Asker::operator_, Asker::admin}) {
            net::Request request = Site::request(asker == Asker::host ? "" : tokens.at(asker),
                                                 std::string(route.method), concrete(route));
            if (asker == Asker::host)
                request.peer.certificate_sha256 = "feedhost1";
            const auto response = site.begin(request);
            ASSERT_TRUE(response->has_value()) << name;
            const bool stopped =
                (*response)->status == 403 &&
                error_of(**response).find("your role may not") != std::string::npos;
            EXPECT_EQ(!stopped, expected_to_pass(expected.at(name), asker))
                << name << " as " << static_cast<int>(asker) << ": " << (*response)->body;
        }
    }
}

TEST_F(Permissions, EveryRouteIsDocumentedWithItsRole) {
    std::ifstream stream(std::string(BATON_SOURCE) + "/docs/api.md");
    std::map<std::string, std::string> documented;
    for (std::string line; std::getline(stream, line);) {
        std::smatch found;
        if (std::regex_search(line, found, std::regex("^\\| `([A-Z]+ /[^`]+)` \\| ([^|]+) \\|")))
            documented[found[1]] = found[2];
    }
    for (const auto& [route, least] : expected) {
        ASSERT_TRUE(documented.contains(route)) << route << " is not in docs/api.md";
        const std::string wanted = least == "operator+host" ? "operator, host"
                                   : least == "open"        ? "anybody"
                                                            : least;
        EXPECT_TRUE(documented[route] == wanted || documented[route] == "its token") << route;
    }
    EXPECT_EQ(documented.size(), expected.size());
}

TEST_F(Permissions, ACertificateThatIsNoJoinedHostsIsNobody) {
    site.add_host("host1");
    net::Request request = Site::request("", "GET", "/v1/os-images/tiny-1/files/kernel");
    request.peer.certificate_sha256 = "feedhost2";
    EXPECT_EQ((*site.begin(request))->status, 401);
    request.peer.certificate_sha256 = "feedhost1";
    EXPECT_EQ((*site.begin(request))->file, "/images/tiny-1/kernel");
}

TEST_F(Permissions, UnknownPathsAndMethodsAreNamed) {
    EXPECT_EQ(site.ask(site.admin, "GET", "/v1/nothing").status, 404);
    EXPECT_EQ(site.ask(site.admin, "GET", "/v1/users/kim/").status, 404);
    const net::Response response = site.ask(site.admin, "PATCH", "/v1/sessions");
    EXPECT_EQ(response.status, 405);
    EXPECT_EQ(response.headers.at("Allow"), "GET, POST");
}

TEST_F(Permissions, ABodyThatIsTooLargeIsRefusedBeforeItIsRead) {
    const net::Response response =
        site.ask(site.admin, "POST", "/v1/users", std::string(1 << 20, ' '));
    EXPECT_EQ(response.status, 413);
    EXPECT_EQ(site.ask(site.admin, "GET", "/v1/users", "{}").status, 413);
}

} // namespace
} // namespace baton::api::testing
