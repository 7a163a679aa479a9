#include "gateway/spare_buffers.h"

#include <utility>
#include <vector>

namespace baton::gateway {

namespace {

constexpr std::size_t least_bytes = std::size_t{16} * 1024;
constexpr std::size_t most_bytes = std::size_t{512} * 1024;
constexpr std::size_t most_spares = 2;

std::vector<std::string>& spares() {
    static thread_local std::vector<std::string> kept;
    return kept;
}

} // namespace

std::string take_spare_buffer() {
    auto& kept = spares();
    if (kept.empty())
        return {};
    std::string taken = std::move(kept.back());
    kept.pop_back();
    return taken;
}

void give_spare_buffer(std::string&& buffer) {
    auto& kept = spares();
    if (buffer.capacity() < least_bytes || buffer.capacity() > most_bytes ||
        kept.size() == most_spares)
        return;
    buffer.clear();
    kept.push_back(std::move(buffer));
}

} // namespace baton::gateway
