#include "screen/jwm.h"

#include <libxml/tree.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <utility>

namespace baton::screen {

namespace {

using Attributes = std::vector<std::pair<const char*, std::string>>;

const xmlChar* xml(const std::string& text) {
    return reinterpret_cast<const xmlChar*>(text.c_str());
}

/// A name of somebody's, as XML may hold it; what is no UTF-8 is shown as it can be.
std::string sound(std::string text) {
    if (xmlCheckUTF8(xml(text)) == 0)
        std::ranges::replace_if(
            text, [](char c) { return static_cast<unsigned char>(c) >= 0x80; }, '?');
    return text;
}

/// A new child with attributes and, maybe, text; libxml2 escapes both.
xmlNode* add(xmlNode* parent, const char* name, const Attributes& attributes = {},
             const std::string& text = {}) {
    xmlNode* node = xmlNewTextChild(parent, nullptr, xml(name), nullptr);
    if (!text.empty())
        xmlNodeAddContent(node, xml(sound(text)));
    for (const auto& [key, value] : attributes)
        xmlNewProp(node, xml(key), xml(sound(value)));
    return node;
}

std::string in_terminal(const Look& look, const std::string& command) {
    // a command of a .desktop file is words for a shell already
    return look.terminal + " -e " + command;
}

void add_programs(xmlNode* menu, const Look& look) {
    std::map<std::string, std::vector<const MenuEntry*>> groups;
    for (const auto& entry : look.entries)
        groups[entry.group].push_back(&entry);
    for (auto& [name, entries] : groups) {
        std::ranges::sort(entries, {}, &MenuEntry::name);
        xmlNode* group = add(menu, "Menu", {{"label", name}});
        for (const auto* entry : entries)
            if (!entry->terminal || !look.terminal.empty())
                add(group, "Program", {{"label", entry->name}},
                    entry->terminal ? in_terminal(look, entry->command) : entry->command);
    }
}

void add_style(xmlNode* root, const char* name, const Attributes& values,
               const Attributes& active) {
    xmlNode* style = add(root, name);
    for (const auto& [key, value] : values)
        add(style, key, {}, value);
    if (active.empty())
        return;
    xmlNode* node = add(style, "Active");
    for (const auto& [key, value] : active)
        add(node, key, {}, value);
}

void add_styles(xmlNode* root) {
    const std::string font = "Sans-10";
    add_style(root, "WindowStyle",
              {{"Font", font},
               {"Width", "3"},
               {"Height", "22"},
               {"Foreground", "#C0C8D0"},
               {"Background", "#39424C"}},
              {{"Foreground", "#FFFFFF"}, {"Background", "#2C5F8A"}});
    add_style(root, "TrayStyle",
              {{"Font", font}, {"Foreground", "#FFFFFF"}, {"Background", "#1F262E"}},
              {{"Background", "#2C5F8A"}});
    add_style(root, "MenuStyle",
              {{"Font", font}, {"Foreground", "#202830"}, {"Background", "#ECEFF2"}},
              {{"Foreground", "#FFFFFF"}, {"Background", "#2C5F8A"}});
}

void add_bindings(xmlNode* root) {
    struct Binding {
        const char* context;
        const char* button;
        const char* action;
    };

    constexpr std::array bindings{
        Binding{"root", "1", "root:1"},      Binding{"root", "3", "root:1"},
        Binding{"title", "1", "move"},       Binding{"title", "3", "window"},
        Binding{"border", "1", "resize"},    Binding{"icon", "1", "window"},
        Binding{"close", "1", "close"},      Binding{"maximize", "1", "maximize"},
        Binding{"minimize", "1", "minimize"}};
    for (const auto& binding : bindings)
        add(root, "Mouse", {{"context", binding.context}, {"button", binding.button}},
            binding.action);
    add(root, "Key", {{"mask", "A"}, {"key", "Tab"}}, "nextstacked");
    add(root, "Key", {{"mask", "A"}, {"key", "F4"}}, "close");
    add(root, "Key", {{"mask", "A"}, {"key", "F1"}}, "root:1");
}

} // namespace

std::string jwm_configuration(const Look& look) {
    const std::unique_ptr<xmlDoc, decltype(&xmlFreeDoc)> document(
        xmlNewDoc(reinterpret_cast<const xmlChar*>("1.0")), &xmlFreeDoc);
    xmlNode* root = xmlNewNode(nullptr, reinterpret_cast<const xmlChar*>("JWM"));
    xmlDocSetRootElement(document.get(), root);
    for (const auto& command : look.start)
        add(root, "StartupCommand", {}, command);
    xmlNode* menu = add(root, "RootMenu", {{"onroot", "1"}});
    if (!look.terminal.empty())
        add(menu, "Program", {{"label", "Terminal"}}, look.terminal);
    add_programs(menu, look);
    add(menu, "Separator");
    add(menu, "Restart", {{"label", "Draw anew"}});
    add(menu, "Exit", {{"label", "Log out"}, {"confirm", "false"}});
    xmlNode* tray =
        add(root, "Tray", {{"x", "0"}, {"y", "-1"}, {"height", "28"}, {"autohide", "off"}});
    add(tray, "TrayButton", {{"label", look.title}}, "root:1");
    add(tray, "TaskList", {{"maxwidth", "240"}});
    add(tray, "Dock");
    add(tray, "Clock", {{"format", "%H:%M"}});
    add_styles(root);
    xmlNode* desktops = add(root, "Desktops", {{"width", "1"}, {"height", "1"}});
    add(desktops, "Background", {{"type", look.wallpaper.starts_with('#') ? "solid" : "scale"}},
        look.wallpaper);
    add(root, "FocusModel", {}, "click");
    add(root, "SnapMode", {{"distance", "10"}}, "border");
    add(root, "MoveMode", {}, "opaque");
    add(root, "ResizeMode", {}, "opaque");
    add_bindings(root);
    xmlChar* text = nullptr;
    int length = 0;
    xmlDocDumpFormatMemoryEnc(document.get(), &text, &length, "UTF-8", 1);
    std::string result(reinterpret_cast<const char*>(text), static_cast<std::size_t>(length));
    xmlFree(text);
    return result;
}

} // namespace baton::screen
