#include "screen/settings.h"

#include "model/toml.h"

#include <algorithm>
#include <array>
#include <optional>

namespace baton::screen {

namespace {

constexpr const char* file = "desktop.toml";

class Reader {
  public:
    explicit Reader(const toml::table& table) : table_(table) {}

    std::string text(const char* key) {
        known_.emplace_back(key);
        const auto* node = table_.get(key);
        if (node != nullptr && !node->is_string())
            refuse(*node, std::string(key) + " must be a text");
        return node == nullptr ? "" : node->value<std::string>().value_or("");
    }

    std::vector<std::string> texts(const char* key) {
        known_.emplace_back(key);
        std::vector<std::string> result;
        const auto* node = table_.get(key);
        if (node == nullptr)
            return result;
        const auto* list = node->as_array();
        if (list == nullptr) {
            refuse(*node, std::string(key) + " must be a list of texts");
            return result;
        }
        for (const auto& item : *list) {
            const auto one = item.value<std::string>();
            if (!one || one->empty())
                refuse(item, std::string(key) + " must be a list of texts");
            else
                result.push_back(*one);
        }
        return result;
    }

    void refuse(const toml::node& node, const std::string& why) {
        if (!error_)
            error_ = Error{Errc::invalid_argument,
                           std::string(file) + ":" + std::to_string(node.source().begin.line) +
                               ": " + why,
                           "docs/player.md names every key", 0};
    }

    std::optional<Error> finish() {
        for (const auto& [key, node] : table_)
            if (std::ranges::find(known_, key.str()) == known_.end())
                refuse(node, std::string(key.str()) + " is no key");
        return error_;
    }

  private:
    const toml::table& table_;
    std::vector<std::string> known_;
    std::optional<Error> error_;
};

} // namespace

Result<Settings> parse_settings(std::string_view text) {
    const auto table = read_toml(text, file, "docs/player.md names every key");
    if (!table)
        return tl::unexpected(table.error());
    Reader reader(*table);
    Settings settings{reader.text("wallpaper"), reader.texts("start"), reader.texts("manager"),
                      reader.text("terminal")};
    const auto& paper = settings.wallpaper;
    if (paper.starts_with('#') &&
        (paper.size() != 7 ||
         paper.find_first_not_of("0123456789abcdefABCDEF", 1) != std::string::npos))
        reader.refuse(*table->get("wallpaper"), "a colour is like \"#204060\"");
    if (const auto error = reader.finish())
        return tl::unexpected(*error);
    return settings;
}

std::string colour_of(std::string_view owner) {
    constexpr std::array<const char*, 8> calm{"#3b5f7d", "#4f6b4a", "#6b4a62", "#7a5c3a",
                                              "#3f6b68", "#5a5488", "#6e4444", "#56606a"};
    unsigned sum = 2166136261U; // FNV-1a
    for (const char c : owner)
        sum = (sum ^ static_cast<unsigned char>(c)) * 16777619U;
    return calm.at((sum ^ (sum >> 16U)) % calm.size());
}

} // namespace baton::screen
