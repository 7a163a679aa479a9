// The pure parts of the player: policy, rules, ids, accounts, leases, and what is forbidden inside.
#include "player/base.h"
#include "player/base_image.h"
#include "player/blueprint.h"
#include "player/changes.h"
#include "player/confine.h"
#include "player/desk_disk.h"
#include "player/held_desk.h"
#include "player/id_range.h"
#include "player/mounts.h"
#include "player/policy.h"
#include "player/program.h"
#include "player/services.h"
#include "player/user_network.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <linux/capability.h>
#include <seccomp.h>

namespace baton::player {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

Policy built_in() {
    auto policy = parse_policy(default_policy_text(), "policy.toml");
    EXPECT_TRUE(policy) << policy.error().message();
    return policy.value_or(Policy{});
}

std::string refusal(const std::string& text) {
    const auto policy = parse_policy(text, "p.toml");
    EXPECT_FALSE(policy) << text;
    if (policy)
        return "";
    EXPECT_EQ(policy.error().code, Errc::invalid_argument);
    return policy.error().what;
}

TEST(PlayerPolicy, TheOneBuiltInIsThePapers) {
    const auto policy = built_in();
    for (const char* path : {"/home", "/root", "/opt", "/usr/local", "/srv"})
        EXPECT_EQ(policy.rules.at(path).rule, Rule::forward) << path;
    EXPECT_EQ(policy.rules.at("/usr").rule, Rule::copy_on_write);
    EXPECT_EQ(policy.rules.at("/etc").rule, Rule::copy_on_write);
    EXPECT_EQ(policy.rules.at("/var").rule, Rule::own);
    EXPECT_EQ(policy.rules.at("/tmp").memory.mode, 01777U);
    EXPECT_THAT(policy.masks.unreadable, ElementsAre("/etc"));
}

TEST(PlayerPolicy, TheLongestPathCounts) {
    const auto policy = built_in();
    EXPECT_EQ(find_rule(policy, "/usr/local/bin/x").at, "/usr/local");
    EXPECT_EQ(find_rule(policy, "/usr/locale/x").at, "/usr");
    EXPECT_EQ(find_rule(policy, "/var/lib/dpkg").at, "/var/lib/dpkg");
    EXPECT_EQ(find_rule(policy, "/var/lib/dpkg2").at, "/var");
    EXPECT_EQ(find_rule(policy, "/elsewhere").rule.rule, Rule::absent);
    EXPECT_TRUE(find_rule(policy, "/etc/ssh/ssh_host_rsa_key").masked);
    EXPECT_TRUE(find_rule(policy, "/etc/ssl/private/key.pem").masked);
    EXPECT_FALSE(find_rule(policy, "/etc/ssl/certs").masked);
}

TEST(PlayerPolicy, FaultsAreNamedWithTheirLine) {
    EXPECT_THAT(refusal("[forward]\n\"/home\" = \"elsewhere\"\n"), HasSubstr("p.toml:2"));
    EXPECT_THAT(refusal("[forward]\n\"home\" = \"fwd/home\"\n"), HasSubstr("no path"));
    EXPECT_THAT(refusal("[forward]\n\"/a/../b\" = \"fwd/home\"\n"), HasSubstr("no path"));
    EXPECT_THAT(refusal("[forward]\n\"/a\" = \"fwd/../b\"\n"), HasSubstr("fwd/home"));
    EXPECT_THAT(refusal("[own]\npaths = [\"/a\"]\n[absent]\npaths = [\"/a\"]\n"),
                HasSubstr("two rules"));
    EXPECT_THAT(refusal("[memory]\n\"/tmp\" = \"50%\"\n"), HasSubstr("memory"));
    EXPECT_THAT(refusal("[memory]\n\"/tmp\" = { mode = \"1777\", size = \"0%\" }\n"),
                HasSubstr("memory"));
    EXPECT_THAT(refusal("[memory]\n\"/a/b\" = { mode = \"1777\", size = \"9%\" }\n"),
                HasSubstr("top"));
    EXPECT_THAT(refusal("[masked]\npaths = [\"/etc/*/x\"]\n"), HasSubstr("last part"));
    EXPECT_THAT(refusal("[hardware]\ndevices = [\"../mem\"]\n"), HasSubstr("no name"));
    EXPECT_THAT(refusal("[network]\nmode = \"mars\"\n"), HasSubstr("mars"));
    EXPECT_THAT(refusal("[networks]\nmode = \"none\"\n"), HasSubstr("networks"));
    EXPECT_THAT(refusal("[own]\npath = [\"/a\"]\n"), HasSubstr("own.path"));
    EXPECT_THAT(refusal("[own\n"), HasSubstr("p.toml:1"));
}

TEST(PlayerPolicy, ExplainsWhereAFileReallyIs) {
    const auto policy = built_in();
    EXPECT_THAT(explain(policy, "b", "/home/kim/a"), HasSubstr("fwd/home/kim/a"));
    EXPECT_THAT(explain(policy, "b", "/usr/bin/ls"), HasSubstr("cow/b/usr/upper/bin/ls"));
    EXPECT_THAT(explain(policy, "b", "/var/lib/dpkg/status"),
                HasSubstr("cow/b/var/over/lib-dpkg/upper/status"));
    EXPECT_THAT(explain(policy, "b", "/var/log/x"), HasSubstr("cow/b/var/tree/log/x"));
    EXPECT_THAT(explain(policy, "", "/etc/shadow"), HasSubstr("masked"));
    EXPECT_EQ(clean_path("/usr//bin/./x/").value_or(""), "/usr/bin/x");
    EXPECT_FALSE(clean_path("usr"));
    EXPECT_FALSE(clean_path("/a/../b"));
}

TEST(PlayerIds, OneRangeForEachDeviceNeverOneOfSomebodyElse) {
    EXPECT_EQ(choose_ids(0, {})->first, 0x70000000U);
    EXPECT_EQ(choose_ids(3, {})->first, 0x70000000U + 3 * 65536);
    const auto aside = choose_ids(3, {{0x70000000ULL + 3 * 65536 + 65535, 1}});
    ASSERT_TRUE(aside);
    EXPECT_EQ(aside->first, 0x70000000U + 1003 * 65536);
    EXPECT_EQ(choose_ids(3, {{100000, 65536}})->first, 0x70000000U + 3 * 65536) << "far away";
    EXPECT_FALSE(choose_ids(5, {{0, ~0ULL}}));
    EXPECT_FALSE(choose_ids(1000, {})) << "its range is the second of device 0";
    const auto taken = parse_subordinate_ids("kim:100000:65536\nbroken\nx:1:\n:2:3\n");
    ASSERT_EQ(taken.size(), 2U);
    EXPECT_EQ(taken[0].first, 100000U);
}

TEST(PlayerBase, IsNamedByWhatIsInstalled) {
    const auto name = base_name("ID=debian\nVERSION_ID=\"12\"\n", "Package: a\n");
    EXPECT_EQ(name.substr(0, 13), "pc-debian-12-");
    EXPECT_NE(name, base_name("ID=debian\nVERSION_ID=\"12\"\n", "Package: b\n"));
    EXPECT_EQ(base_name("ID=../../x\n", "").find('/'), std::string::npos);
    EXPECT_THAT(packages_only_in("Package: a\nStatus: install ok installed\n\nPackage: b\n"
                                 "Status: deinstall ok config-files\n\nPackage: c\n"
                                 "Status: install ok installed\n",
                                 "Package: a\nStatus: install ok installed\n\n"),
                ElementsAre("c"));
}

TEST(PlayerAccounts, NobodyOfThePcIsAmongThem) {
    const auto accounts =
        accounts_for("root:x:0:0:root:/root:/bin/bash\nalice:x:1000:1000::/home/alice:/bin/sh\n"
                     "nobody:x:65534:65534::/:/sbin/nologin\nbroken\n",
                     "root:x:0:\nsudo:x:27:alice\nalice:x:1000:\n", "kim", 1000, 1000);
    EXPECT_THAT(accounts.passwd, HasSubstr("root:x:0:0:"));
    EXPECT_THAT(accounts.passwd, HasSubstr("kim:x:1000:1000::/home/kim:"));
    for (const auto& text : {accounts.passwd, accounts.group, accounts.shadow, accounts.gshadow})
        EXPECT_THAT(text, Not(HasSubstr("alice")));
    const auto found = find_account(accounts.passwd, accounts.group + "audio:x:29:kim,x\n", "kim");
    ASSERT_TRUE(found);
    EXPECT_EQ(found->home, "/home/kim");
    EXPECT_THAT(found->groups, ElementsAre(29U));
    EXPECT_FALSE(find_account(accounts.passwd, accounts.group, "alice"));
}

desk::Header header_with(desk::HolderKind kind, const std::string& holder) {
    desk::Header header;
    header.owner = "kim";
    header.lease = {kind, holder, FencingNumber{3}, WallTime{}};
    return header;
}

TEST(PlayerLease, IsTakenFromNobodyOrOneself) {
    EXPECT_TRUE(may_take(header_with(desk::HolderKind::none, ""), "pc-1", false, "x"));
    EXPECT_TRUE(may_take(header_with(desk::HolderKind::player, "pc-1"), "pc-1", false, "x"));
    const auto other = may_take(header_with(desk::HolderKind::player, "pc-2"), "pc-1", false, "x");
    ASSERT_FALSE(other);
    EXPECT_EQ(other.error().code, Errc::busy);
    EXPECT_THAT(other.error().message(), HasSubstr("pc-2 since 19"));
    EXPECT_FALSE(may_take(header_with(desk::HolderKind::host, "pc-1"), "pc-1", false, "x"));
    EXPECT_TRUE(may_take(header_with(desk::HolderKind::host, "host1"), "pc-1", true, "x"));
    auto damaged = header_with(desk::HolderKind::none, "");
    damaged.state = desk::State::damaged;
    EXPECT_EQ(may_take(damaged, "pc-1", true, "x").error().code, Errc::corrupt);
    auto away = header_with(desk::HolderKind::none, "");
    away.checked_out = desk::CheckOut{"stick", WallTime{}, 1};
    EXPECT_EQ(may_take(away, "pc-1", false, "x").error().code, Errc::refused);
}

TEST(PlayerLease, NamesFitTheHeader) {
    EXPECT_EQ(holder_name("PC_7.example.org", ""), "pc7");
    EXPECT_EQ(holder_name("--", ""), "pc");
    EXPECT_NE(holder_name("pc", "a"), holder_name("pc", "b"));
    EXPECT_TRUE(check_name("holder", holder_name(std::string(200, 'x'), "id")));
}

TEST(PlayerConfine, KeepsWhatIsTheDesksAndNothingOfThePc) {
    for (const unsigned never : {CAP_SYS_ADMIN, CAP_SYS_MODULE, CAP_SYS_TIME, CAP_SYS_RAWIO,
                                 CAP_SYS_BOOT, CAP_MKNOD, CAP_SYSLOG, CAP_BPF, CAP_PERFMON})
        EXPECT_THAT(kept_capabilities(), Not(Contains(never)));
    std::vector<int> calls;
    for (const auto& call : forbidden_calls())
        calls.push_back(call.call);
    for (const int call : {SCMP_SYS(clock_settime), SCMP_SYS(init_module), SCMP_SYS(kexec_load),
                           SCMP_SYS(bpf), SCMP_SYS(open_by_handle_at), SCMP_SYS(keyctl)})
        EXPECT_THAT(calls, Contains(call));
    const auto filter = system_call_filter();
    ASSERT_TRUE(filter);
    EXPECT_EQ(filter->size() % 8, 0U);
}

TEST(PlayerNetwork, PastaIsKeptOffThePcsLoopback) {
    const auto plain = pasta_command({}, "").words;
    EXPECT_THAT(plain, Contains("--no-map-gw"));
    EXPECT_THAT(plain, testing::IsSupersetOf({"-t", "none", "-u", "-T", "-U"}));
    const auto published = pasta_command({"127.0.0.1/8080:80", "9000"}, "169.254.0.53").words;
    EXPECT_THAT(published, testing::IsSupersetOf({"127.0.0.1/8080:80", "9000", "--dns-forward"}));
    for (const char* sound : {"80", "8080:80", "127.0.0.1/8080:80"})
        EXPECT_TRUE(check_publish(sound)) << sound;
    for (const char* wrong : {"", "0", "65536", "80:", "80:x", "/80", "a b/80", "none", "80,90"})
        EXPECT_FALSE(check_publish(wrong)) << wrong;
    EXPECT_EQ(resolver_for("nameserver 9.9.9.9\n", Network::user).text, "nameserver 9.9.9.9\n");
    EXPECT_EQ(resolver_for("nameserver 127.0.0.53\n", Network::user).forward, "169.254.0.53");
    EXPECT_EQ(resolver_for("nameserver 127.0.0.53\n", Network::none).text, "");
}

TEST(PlayerProgram, TravelsWhole) {
    Program program;
    program.words = {"sh", "-c", "echo \"a\nb\" \\"};
    program.user = "root";
    program.environment = {{"TERM", "xterm"}};
    program.terminal = true;
    program.rows = 50;
    EXPECT_EQ(program_from(to_words(program)).value_or(Program{}), program);
    EXPECT_FALSE(program_from({{"words", 3}}));
    const auto lines =
        environment_for(Account{"kim", 1000, 1000, "/home/kim", "/bin/sh", {}}, program);
    EXPECT_THAT(lines, Contains("HOME=/home/kim"));
    EXPECT_THAT(lines, Contains("TERM=xterm"));
}

TEST(PlayerServices, AreReadFromTheirFiles) {
    const auto web = parse_service("command = [\"python3\", \"-m\", \"http.server\"]\n"
                                   "folder = \"/srv\"\nrestart = \"always\"\n"
                                   "[environment]\nPORT = \"80\"\n",
                                   "web");
    ASSERT_TRUE(web) << web.error().message();
    EXPECT_EQ(
        *web,
        (Service{
            "web", {"python3", "-m", "http.server"}, "/srv", {{"PORT", "80"}}, Restart::always}));
    EXPECT_EQ(parse_service("command = [\"x\"]", "x")->restart, Restart::on_failure);
    for (const auto& [text, why] : std::vector<std::pair<std::string, std::string>>{
             {"", "x.toml:1: command must be a list"},
             {"command = \"x y\"", "command must be a list"},
             {"command = []", "command must be a list"},
             {"command = [\"\"]", "names no program"},
             {"command = [1]", "command must be text"},
             {"command = [\"x\"]\nuser = \"root\"", "x.toml:2: user is no key"},
             {"command = [\"x\"]\nrestart = \"often\"", "restart is \"no\""},
             {"command = [\"x\"]\nenvironment = 1", "environment must be a group"},
             {"command = [", "x.toml:1"}}) {
        const auto refused = parse_service(text, "x");
        ASSERT_FALSE(refused) << text;
        EXPECT_EQ(refused.error().code, Errc::invalid_argument);
        EXPECT_THAT(refused.error().what, HasSubstr(why)) << text;
    }
}

TEST(PlayerServices, ThoseThatCannotRunAreLeftAlone) {
    Patience patience;
    const Patience::Time begin{};
    for (int i = 0; i < 5; ++i)
        EXPECT_TRUE(patience.again(begin + std::chrono::seconds(i)));
    EXPECT_FALSE(patience.again(begin + std::chrono::seconds(59)));
    EXPECT_TRUE(patience.again(begin + std::chrono::seconds(61)));
    EXPECT_FALSE(patience.again(begin + std::chrono::seconds(61)) &&
                 patience.again(begin + std::chrono::seconds(61)));
}

TEST(PlayerRoot, IsOfThePcAndOfNoContainer) {
    EXPECT_TRUE(check_root(0, "         0          0 4294967295\n", "kim.desk"));
    const auto why = [](uid_t user, const char* map) {
        const auto may = check_root(user, map, "kim.desk");
        EXPECT_FALSE(may) << map;
        return may ? "" : may.error().message();
    };
    EXPECT_THAT(why(1000, "0 0 4294967295"), HasSubstr("sudo baton-play kim.desk"));
    EXPECT_THAT(why(0, "0 1000 1"), HasSubstr("root of a container"));
    EXPECT_THAT(why(0, "0 0 65536"), HasSubstr("root of a container"));
    EXPECT_THAT(why(0, ""), HasSubstr("root of a container"));
}

TEST(PlayerDisk, ItsPlaceIsReadOutOfWhatWasSaid) {
    const auto at = place_of("nbds://10.99.0.1:4711/desk.x.7");
    ASSERT_TRUE(at) << at.error().message();
    EXPECT_EQ(at->kind, DeskPlace::Kind::server);
    EXPECT_EQ(at->host, "10.99.0.1");
    EXPECT_EQ(at->port, 4711);
    EXPECT_EQ(at->export_name, "desk.x.7");
    EXPECT_EQ(place_of("nbds://desks.example/kim")->port, 10809);
    EXPECT_EQ(place_of("nbds://[fd00::1]:5/kim")->host, "fd00::1");
    EXPECT_EQ(place_of("https://example.org/kim.desk")->kind, DeskPlace::Kind::web);
    EXPECT_EQ(place_of("./kim.desk")->kind, DeskPlace::Kind::file);
    for (const char* text : {"nbds://", "nbds://x", "nbds://x/", "nbds:///kim", "nbds://x:0/kim",
                             "nbds://x:65536/kim", "nbds://x:1a/kim", "nbds://[fd00::1/kim",
                             "nbds://[fd00::1]x/kim", "nbd://x/kim", "http://x/kim.desk"}) {
        const auto refused = place_of(text);
        ASSERT_FALSE(refused) << text;
        EXPECT_EQ(refused.error().code, Errc::invalid_argument) << text;
    }
}

TEST(PlayerDisk, NothingSecretIsOnTheCommandLine) {
    DiskOrder order;
    order.passphrase = []() -> Result<std::string> { return "secret"; };
    order.tls = "/etc/tls,x=y";
    DeskPlace place;
    place.kind = DeskPlace::Kind::encrypted;
    place.text = "/media/stick/a,b.desk";
    const auto words = show_words(show_order(place, order), 3);
    EXPECT_THAT(words, testing::Contains(HasSubstr(R"("mountpoint":"/media/stick/a,b.desk")")));
    const auto encrypted = process::shown({show_words(show_order(place, order), 3)});
    EXPECT_THAT(encrypted, HasSubstr("secret,id=key,file=/proc/self/fd/5"));
    EXPECT_THAT(encrypted, HasSubstr(R"("encrypt":{"format":"luks","key-secret":"key"})"));
    place = place_of("nbds://far:1/kim,writable=on").value();
    const auto far = process::shown({show_words(show_order(place, order), 3)});
    EXPECT_THAT(far, HasSubstr(R"("export":"kim,writable=on")"));
    EXPECT_THAT(far, HasSubstr(R"("verify-peer":true)"));
    EXPECT_THAT(far, HasSubstr(R"("dir":"/etc/tls,x=y")"));
}

TEST(PlayerDisk, WhatTheStorageDaemonSaysIsSaidInOurWords) {
    const auto code = [](const char* words) { return show_error("the desk", words, 0).code; };
    EXPECT_EQ(code("x: Invalid password, cannot unlock any keyslot"), Errc::unauthenticated);
    EXPECT_EQ(code("Is another process using the image [/proc/self/fd/4]?"), Errc::busy);
    EXPECT_EQ(code("The certificate hasn't got a known issuer"), Errc::unauthenticated);
    EXPECT_EQ(code("Failed to connect to 'far:1': Connection refused"), Errc::unavailable);
    EXPECT_EQ(code("problem doing HEAD request to fetch size"), Errc::unavailable);
    EXPECT_EQ(code(""), Errc::unsupported);
}

TEST(PlayerBaseImage, ItsExportIsReadOnly) {
    const auto order = base_order(7, "tiny-1");
    EXPECT_EQ(order.files, std::vector<int>{7});
    const auto words = process::shown({show_words(order, 3)});
    EXPECT_THAT(words, HasSubstr("filename=/proc/self/fd/4,read-only=on"));
    EXPECT_THAT(words, HasSubstr("driver=qcow2,node-name=shown,file=disk,read-only=on"));
    EXPECT_THAT(words, HasSubstr(R"("mountpoint":"/tmp/base","writable":false)"));
}

TEST(PlayerChanges, AreToldFromWhatTheBaseHas) {
    const auto policy = parse_policy(default_policy_text(), "built in").value();
    desk::Tree tree;
    tree.sums = {{"fwd/usrlocal", 2, 10}, {"cow/b/var/tree", 1, 5}};
    const auto entry = [&](const char* layer, const char* path, const char* kind, bool copied,
                           bool covers = false) {
        tree.entries.push_back({layer, path, kind, 3, copied, covers});
    };
    entry("cow/b/usr", "bin", "folder", true);
    entry("cow/b/usr", "bin/env", "gone", false);
    entry("cow/b/usr", "bin/tool", "file", false);
    entry("cow/b/usr", "new", "folder", false);
    entry("cow/b/usr", "over", "folder", false, true);
    entry("cow/b/var/over/lib-dpkg", "status", "file", true);
    entry("cow/c/etc", "motd", "file", true);
    entry("cow/c/lib", "odd", "link", false);
    const auto changes = changes_of(tree, policy, "b", [](const std::string& path) {
        return path == "/usr/bin" || path == "/usr/bin/tool" || path == "/usr/over" ||
               path == "/var/lib/dpkg/status";
    });
    EXPECT_EQ(changes.forwarded, (std::vector<desk::FolderSum>{{"/usr/local", 2, 10}}));
    ASSERT_EQ(changes.bases.size(), 2U);
    const auto& b = changes.bases[0];
    EXPECT_TRUE(b.compared);
    EXPECT_EQ(b.own, (std::vector<desk::FolderSum>{{"/var", 1, 5}}));
    EXPECT_EQ(b.changes, (std::vector<Change>{{How::removed, "/usr/bin/env", "", 0},
                                              {How::changed, "/usr/bin/tool", "file", 3},
                                              {How::added, "/usr/new", "folder", 3},
                                              {How::changed, "/usr/over", "folder", 3},
                                              {How::changed, "/var/lib/dpkg/status", "file", 3}}));
    const auto& c = changes.bases[1];
    EXPECT_FALSE(c.compared);
    EXPECT_EQ(c.changes, (std::vector<Change>{{How::changed, "/etc/motd", "file", 3},
                                              {How::added, "/lib/odd", "link", 3}}));
    EXPECT_EQ(b.count(How::changed), 3U);
    EXPECT_EQ(b.size_bytes(), 12);
}

} // namespace
} // namespace baton::player
