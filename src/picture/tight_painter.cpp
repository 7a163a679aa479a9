#include "picture/tight_painter.h"

#include "picture/image_file.h"
#include "rfb/limits.h"
#include "rfb/tight_reader.h"
#include "rfb/wire.h"

#include <algorithm>

namespace baton::picture {

void TightPainter::begin() {
    kind_ = Kind::copy;
    resets_ = 0;
    colours_ = 0;
    colours_there_ = 0;
    filled_ = false;
    left_ = corner_ = {};
    file_.clear();
}

void TightPainter::take_head(std::string_view head) {
    const unsigned control = rfb::get8(head, 0);
    resets_ = control & 15;
    switch (control >> 4) {
    case 8:
        kind_ = Kind::fill;
        return;
    case 9:
        kind_ = Kind::jpeg;
        return;
    case 10:
        kind_ = Kind::png;
        return;
    default:
        break;
    }
    const unsigned filter = head.size() > 1 ? rfb::get8(head, 1) : 0;
    kind_ = filter == 0 ? Kind::copy : filter == 1 ? Kind::palette : Kind::gradient;
    if (kind_ == Kind::palette)
        colours_ = rfb::get8(head, 2) + 1U;
    if (kind_ == Kind::gradient)
        above_.assign(rectangle_.width, {});
}

bool TightPainter::done() const {
    if (kind_ == Kind::fill)
        return filled_;
    return is_file() || (all_drawn() && colours_there_ == colours_);
}

Result<std::size_t> TightPainter::draw(std::string_view bytes) {
    switch (kind_) {
    case Kind::fill:
        if (bytes.size() < 3)
            return 0;
        filled_ = true;
        screen_->fill({rectangle_.x, rectangle_.y, rectangle_.width, rectangle_.height},
                      tight_pixel_at(bytes.data()));
        return 3;
    case Kind::copy:
        return draw_copy(bytes);
    case Kind::gradient:
        return draw_gradient(bytes);
    case Kind::palette:
        return draw_palette(bytes);
    default:
        file_.append(bytes);
        return bytes.size();
    }
}

void TightPainter::next_row() {
    x_ = 0;
    ++y_;
}

std::size_t TightPainter::draw_copy(std::string_view bytes) {
    std::size_t used = 0;
    while (!all_drawn() && bytes.size() - used >= 3) {
        const std::size_t count =
            std::min<std::size_t>(rectangle_.width - x_, (bytes.size() - used) / 3);
        std::uint32_t* to = row(y_) + x_;
        const char* from = bytes.data() + used;
        for (std::size_t i = 0; i < count; ++i)
            to[i] = tight_pixel_at(from + i * 3);
        used += count * 3;
        x_ += static_cast<unsigned>(count);
        if (x_ == rectangle_.width)
            next_row();
    }
    return used;
}

/// Each colour is told against a guess: what is left and above of it, less what is above on the
/// left.
std::size_t TightPainter::draw_gradient(std::string_view bytes) {
    std::size_t used = 0;
    for (; !all_drawn() && bytes.size() - used >= 3; used += 3) {
        auto& above = above_[x_];
        std::array<std::uint8_t, 3> now{};
        for (unsigned c = 0; c < 3; ++c) {
            const int guess = std::clamp(left_[c] + above[c] - corner_[c], 0, 255);
            now[c] = static_cast<std::uint8_t>(guess + rfb::get8(bytes, used + c));
        }
        corner_ = above;
        above = now;
        left_ = now;
        row(y_)[x_] = static_cast<std::uint32_t>(now[0] << 16 | now[1] << 8 | now[2]);
        if (++x_ == rectangle_.width) {
            next_row();
            left_ = corner_ = {};
        }
    }
    return used;
}

Result<std::size_t> TightPainter::draw_palette(std::string_view bytes) {
    std::size_t used = 0;
    for (; colours_there_ < colours_; ++colours_there_, used += 3) {
        if (bytes.size() - used < 3)
            return used;
        palette_[colours_there_] = tight_pixel_at(bytes.data() + used);
    }
    if (colours_ <= 2) {
        const std::size_t row_bytes = (rectangle_.width + 7U) / 8;
        for (; !all_drawn() && bytes.size() - used >= row_bytes; used += row_bytes) {
            std::uint32_t* to = row(y_);
            for (unsigned x = 0; x < rectangle_.width; ++x) {
                const unsigned bit = rfb::get8(bytes, used + x / 8) >> (7 - x % 8) & 1U;
                if (bit >= colours_)
                    return rfb::not_rfb("the screen uses a colour that its palette does not have");
                to[x] = palette_[bit];
            }
            next_row();
        }
        return used;
    }
    while (!all_drawn() && used < bytes.size()) {
        const std::size_t count = std::min<std::size_t>(rectangle_.width - x_, bytes.size() - used);
        std::uint32_t* to = row(y_) + x_;
        unsigned most = 0;
        for (std::size_t i = 0; i < count; ++i) {
            const unsigned index = rfb::get8(bytes, used + i);
            most = std::max(most, index);
            to[i] = palette_[index];
        }
        if (most >= colours_)
            return rfb::not_rfb("the screen uses a colour that its palette does not have");
        used += count;
        x_ += static_cast<unsigned>(count);
        if (x_ == rectangle_.width)
            next_row();
    }
    return used;
}

Result<void> TightPainter::end() {
    if (!is_file())
        return {};
    std::string_view file = file_;
    file.remove_prefix(rfb::read_compact_length(file).bytes);
    const Area area{rectangle_.x, rectangle_.y, rectangle_.width, rectangle_.height};
    return kind_ == Kind::jpeg ? draw_jpeg(file, *screen_, area) : draw_png(file, *screen_, area);
}

} // namespace baton::picture
