#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace baton::rfb {

/// Bytes to be sent, gathered from where they lie: views into a buffer, neighbours joined, with
/// small patches between them that it owns. What writev() takes, without a copy of the screen.
class Gather {
  public:
    /// `bytes` must outlive what is read of this.
    void view(std::string_view bytes);

    /// Copies, for what is small.
    void own(std::string_view bytes);

    [[nodiscard]] std::size_t pieces() const { return pieces_.size(); }

    /// Valid until the next change.
    [[nodiscard]] std::string_view piece(std::size_t index) const;

    [[nodiscard]] std::size_t bytes() const { return bytes_; }

    /// All of it in one.
    [[nodiscard]] std::string text() const;

    void clear();

  private:
    struct Piece {
        const char* outside = nullptr; ///< nullptr: it is in patch
        std::size_t size = 0;
        std::array<char, 16> patch{};
    };

    std::vector<Piece> pieces_;
    std::size_t bytes_ = 0;
};

} // namespace baton::rfb
