#include "picture/keys_down.h"

#include "rfb/limits.h"

#include <algorithm>
#include <utility>

namespace baton::picture {

std::vector<Key>::iterator KeysDown::find(const Key& key) {
    return std::find_if(down_.begin(), down_.end(), [&](const Key& one) {
        return key.scan_code != 0 ? one.scan_code == key.scan_code : one.keysym == key.keysym;
    });
}

std::optional<Key> KeysDown::press(const Key& key) {
    if (const auto known = find(key); known != down_.end())
        return *known;
    if (down_.size() >= rfb::most_keys_held)
        return std::nullopt;
    down_.push_back(key);
    return key;
}

std::optional<Key> KeysDown::release(const Key& key) {
    const auto known = find(key);
    if (known == down_.end())
        return std::nullopt;
    const Key said = *known;
    down_.erase(known);
    return said;
}

std::vector<Key> KeysDown::release_all() {
    std::vector<Key> all = std::exchange(down_, {});
    std::reverse(all.begin(), all.end());
    return all;
}

} // namespace baton::picture
