// What a desk's own desktop is made of: settings, programs, the window manager's configuration.
#include "screen/desktop.h"
#include "screen/entries.h"
#include "screen/hotkey.h"
#include "screen/jwm.h"
#include "screen/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <libxml/parser.h>
#include <libxml/xpath.h>
#include <rapidcheck.h>

#include <memory>
#include <set>
#include <xcb/xproto.h>
#include <xkbcommon/xkbcommon-keysyms.h>

namespace baton::screen {
namespace {

using testing::HasSubstr;

TEST(ScreenHotkey, IsAKeyWithModifiers) {
    EXPECT_EQ(parse_hotkey("Ctrl+Alt+Home").value(),
              (Hotkey{XCB_MOD_MASK_CONTROL | XCB_MOD_MASK_1, XKB_KEY_Home}));
    EXPECT_EQ(parse_hotkey("super+D").value(), (Hotkey{XCB_MOD_MASK_4, XKB_KEY_d}));
    EXPECT_EQ(parse_hotkey("F12").value(), (Hotkey{0, XKB_KEY_F12}));
    EXPECT_EQ(parse_hotkey("none").value(), Hotkey{});
    for (const char* text : {"", "+", "Ctrl+", "Hyper+x", "Ctrl+Alt", "d", "Shift+d", "Ctrl++"}) {
        const auto refused = parse_hotkey(text);
        ASSERT_FALSE(refused) << text;
        EXPECT_THAT(refused.error().message(), HasSubstr("Ctrl+Alt+Home"));
    }
}

TEST(ScreenSettings, AreReadFromTheirFile) {
    const auto settings =
        parse_settings("wallpaper = \"#204060\"\nstart = [\"xterm -e top\"]\n"
                       "manager = [\"openbox\", \"--debug\"]\nterminal = \"xterm\"\n");
    ASSERT_TRUE(settings) << settings.error().message();
    EXPECT_EQ(*settings, (Settings{"#204060", {"xterm -e top"}, {"openbox", "--debug"}, "xterm"}));
    EXPECT_EQ(parse_settings("").value(), Settings{});
    for (const auto& [text, why] : std::vector<std::pair<std::string, std::string>>{
             {"wallpaper = 1", "desktop.toml:1: wallpaper must be a text"},
             {"wallpaper = \"#12\"", "a colour is like"},
             {"\nstart = \"x\"", "desktop.toml:2: start must be a list"},
             {"start = [\"\"]", "start must be a list"},
             {"color = \"#123456\"", "color is no key"},
             {"manager = [", "desktop.toml:1"}}) {
        const auto refused = parse_settings(text);
        ASSERT_FALSE(refused) << text;
        EXPECT_THAT(refused.error().what, HasSubstr(why)) << text;
    }
}

TEST(ScreenSettings, DesksAreOfDifferentColours) {
    std::set<std::string> colours;
    for (const char* owner : {"kim", "lee", "park", "choi", "jung", "ann", "bob", "eve"})
        colours.insert(colour_of(owner));
    EXPECT_GE(colours.size(), 4U);
    EXPECT_EQ(colour_of("kim"), colour_of("kim"));
}

TEST(ScreenEntries, AreWhatTheMenuShows) {
    const auto entry =
        parse_entry("# of a package\n[Desktop Entry]\nType=Application\n"
                    "Name=Text Editor\nName[ko]=\xed\x8e\xb8\xec\xa7\x91\xea\xb8\xb0\n"
                    "Exec=edit --title \"100%%\" %U\nTryExec=edit\n"
                    "Categories=GTK;Utility;TextEditor;\n"
                    "[Desktop Action New]\nName=New Window\nExec=edit --new\n",
                    "ko_KR.UTF-8");
    ASSERT_TRUE(entry);
    EXPECT_EQ(*entry, (MenuEntry{"\xed\x8e\xb8\xec\xa7\x91\xea\xb8\xb0", "edit --title \"100%\"",
                                 "edit", "Accessories", false}));
    const auto plain = parse_entry(
        "[Desktop Entry]\nType = Application\nName = Top\nExec = top\nTerminal = true", "");
    EXPECT_EQ(plain.value(), (MenuEntry{"Top", "top", "", "Other", true}));
    for (const char* hidden :
         {"", "Type=Application\nName=x\nExec=x", "[Desktop Entry]\nType=Link\nName=x\nExec=x",
          "[Desktop Entry]\nType=Application\nName=x", "[Desktop Entry]\nType=Application\nExec=x",
          "[Desktop Entry]\nType=Application\nName=x\nExec=x\nNoDisplay=true",
          "[Desktop Entry]\nType=Application\nName=x\nExec=x\nHidden=true",
          "[Desktop Entry]\nType=Application\nName=x\nExec=x\nOnlyShowIn=GNOME;"})
        EXPECT_FALSE(parse_entry(hidden, "en_GB")) << hidden;
}

/// What an XPath finds in a configuration, as text.
std::vector<std::string> found(const std::string& xml, const std::string& path) {
    const std::unique_ptr<xmlDoc, decltype(&xmlFreeDoc)> document(
        xmlReadMemory(xml.data(), static_cast<int>(xml.size()), "jwmrc", nullptr,
                      XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING),
        &xmlFreeDoc);
    if (!document)
        return {"no XML"};
    const std::unique_ptr<xmlXPathContext, decltype(&xmlXPathFreeContext)> context(
        xmlXPathNewContext(document.get()), &xmlXPathFreeContext);
    const std::unique_ptr<xmlXPathObject, decltype(&xmlXPathFreeObject)> result(
        xmlXPathEvalExpression(reinterpret_cast<const xmlChar*>(path.c_str()), context.get()),
        &xmlXPathFreeObject);
    std::vector<std::string> texts;
    for (int i = 0; result && result->nodesetval != nullptr && i < result->nodesetval->nodeNr;
         ++i) {
        xmlChar* text = xmlNodeGetContent(result->nodesetval->nodeTab[i]);
        texts.emplace_back(reinterpret_cast<const char*>(text));
        xmlFree(text);
    }
    return texts;
}

TEST(ScreenJwm, HasMenuWallpaperAndWindowList) {
    Look look{"kim", "/home/kim/a&b.png", {"xterm -e 'a < b'"}, "xterm", {}};
    look.entries = {{"Zed", "zed", "", "Accessories", false},
                    {"Ask <&>", "ask", "", "Accessories", false},
                    {"Top", "top", "", "Other", true}};
    const auto xml = jwm_configuration(look);
    EXPECT_THAT(found(xml, "/JWM/RootMenu/Menu/@label"),
                testing::ElementsAre("Accessories", "Other"));
    EXPECT_THAT(found(xml, "/JWM/RootMenu/Menu/Program/@label"),
                testing::ElementsAre("Ask <&>", "Zed", "Top"));
    EXPECT_THAT(found(xml, "/JWM/RootMenu/Menu/Program[@label='Top']"),
                testing::ElementsAre("xterm -e top"));
    EXPECT_THAT(found(xml, "/JWM/RootMenu/Exit/@label"), testing::ElementsAre("Log out"));
    EXPECT_THAT(found(xml, "/JWM/Tray/TrayButton/@label"), testing::ElementsAre("kim"));
    EXPECT_EQ(found(xml, "/JWM/Tray/TaskList").size(), 1U);
    EXPECT_THAT(found(xml, "/JWM/StartupCommand"), testing::ElementsAre("xterm -e 'a < b'"));
    EXPECT_THAT(found(xml, "/JWM/Desktops/Background"), testing::ElementsAre("/home/kim/a&b.png"));
    EXPECT_THAT(found(xml, "/JWM/Desktops/Background/@type"), testing::ElementsAre("scale"));
    look.wallpaper = "#102030";
    look.terminal = "";
    const auto plain = jwm_configuration(look);
    EXPECT_THAT(found(plain, "/JWM/Desktops/Background/@type"), testing::ElementsAre("solid"));
    EXPECT_THAT(found(plain, "/JWM/RootMenu//Program/@label"),
                testing::ElementsAre("Ask <&>", "Zed"));
}

TEST(ScreenJwm, IsXmlWhateverAnEntrySays) {
    EXPECT_TRUE(rc::check([](const std::string& name, const std::string& exec) {
        const auto entry = parse_entry(
            "[Desktop Entry]\nType=Application\nName=" + name + "\nExec=" + exec + "\n", "C");
        Look look{"kim", "#102030", {}, "xterm", {}};
        if (entry)
            look.entries = {*entry};
        RC_ASSERT(found(jwm_configuration(look), "/JWM/RootMenu/Menu/Program").size() ==
                  look.entries.size());
    }));
}

TEST(ScreenCookie, IsForEveryDisplay) {
    const auto file = cookie_file("0123456789abcdef");
    ASSERT_TRUE(file);
    // family 65535, no address, no number, name, data: each with its length in two bytes
    EXPECT_EQ(*file, std::string("\xff\xff\0\0\0\0\0\x12", 8) + "MIT-MAGIC-COOKIE-1" +
                         std::string("\0\x10", 2) + "0123456789abcdef");
}

} // namespace
} // namespace baton::screen
