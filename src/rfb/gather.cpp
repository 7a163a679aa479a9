#include "rfb/gather.h"

#include <algorithm>

namespace baton::rfb {

void Gather::view(std::string_view bytes) {
    if (bytes.empty())
        return;
    bytes_ += bytes.size();
    if (!pieces_.empty() && pieces_.back().outside != nullptr &&
        pieces_.back().outside + pieces_.back().size == bytes.data()) {
        pieces_.back().size += bytes.size();
        return;
    }
    pieces_.push_back({bytes.data(), bytes.size(), {}});
}

void Gather::own(std::string_view bytes) {
    bytes_ += bytes.size();
    while (!bytes.empty()) {
        Piece& piece = pieces_.emplace_back();
        piece.size = std::min(bytes.size(), piece.patch.size());
        std::copy_n(bytes.begin(), piece.size, piece.patch.begin());
        bytes.remove_prefix(piece.size);
    }
}

std::string_view Gather::piece(std::size_t index) const {
    const Piece& piece = pieces_[index];
    return {piece.outside != nullptr ? piece.outside : piece.patch.data(), piece.size};
}

std::string Gather::text() const {
    std::string all;
    all.reserve(bytes_);
    for (std::size_t i = 0; i < pieces_.size(); ++i)
        all += piece(i);
    return all;
}

void Gather::clear() {
    pieces_.clear();
    bytes_ = 0;
}

} // namespace baton::rfb
