#include "viewer/bare_screen.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <optional>
#include <span>
#include <string>
#include <sys/mman.h>
#include <utility>
#include <xf86drm.h>
#include <xf86drmMode.h>

namespace baton::viewer {

namespace {

struct DrmFree {
    void operator()(drmModeRes* what) const { drmModeFreeResources(what); }

    void operator()(drmModeConnector* what) const { drmModeFreeConnector(what); }

    void operator()(drmModeEncoder* what) const { drmModeFreeEncoder(what); }
};

template <class T>
using Drm = std::unique_ptr<T, DrmFree>;

constexpr int most_cards = 16;
constexpr std::uint32_t bits_per_pixel = 32;
constexpr std::uint8_t bits_of_colour = 24;

/// The screen that is switched on at a card.
struct Output {
    std::uint32_t connector = 0;
    std::uint32_t crtc = 0; ///< the card's part that reads pixels and sends them out
    drmModeModeInfo mode{};
};

const drmModeModeInfo& preferred(const drmModeConnector& connector) {
    const std::span modes(connector.modes, static_cast<std::size_t>(connector.count_modes));
    const auto found = std::ranges::find_if(
        modes, [](const auto& mode) { return (mode.type & DRM_MODE_TYPE_PREFERRED) != 0; });
    return found == modes.end() ? modes.front() : *found;
}

/// The one that shows something now, or else the first that can.
std::uint32_t crtc_for(int card, const drmModeRes& resources, const drmModeConnector& connector) {
    const Drm<drmModeEncoder> now(drmModeGetEncoder(card, connector.encoder_id));
    if (now && now->crtc_id != 0)
        return now->crtc_id;
    for (int which = 0; which < connector.count_encoders; ++which) {
        const Drm<drmModeEncoder> encoder(drmModeGetEncoder(card, connector.encoders[which]));
        for (int crtc = 0; encoder && crtc < resources.count_crtcs; ++crtc)
            if ((encoder->possible_crtcs & (1U << static_cast<unsigned>(crtc))) != 0)
                return resources.crtcs[crtc];
    }
    return 0;
}

std::optional<Output> output_of(int card) {
    const Drm<drmModeRes> resources(drmModeGetResources(card));
    for (int which = 0; resources && which < resources->count_connectors; ++which) {
        const Drm<drmModeConnector> connector(
            drmModeGetConnector(card, resources->connectors[which]));
        if (!connector || connector->connection != DRM_MODE_CONNECTED ||
            connector->count_modes == 0)
            continue;
        if (const auto crtc = crtc_for(card, *resources, *connector); crtc != 0)
            return Output{connector->connector_id, crtc, preferred(*connector)};
    }
    return std::nullopt;
}

} // namespace

std::uint32_t blended(std::uint32_t below, std::uint32_t above) {
    const std::uint32_t alpha = above >> 24U;
    std::uint32_t result = 0;
    for (const unsigned shift : {0U, 8U, 16U}) {
        const std::uint32_t from = (below >> shift) & 0xFFU;
        const std::uint32_t to = (above >> shift) & 0xFFU;
        result |= (to * alpha + from * (255 - alpha) + 127) / 255 << shift;
    }
    return result;
}

Result<std::unique_ptr<BareScreen>> BareScreen::open() {
    std::optional<Error> why;
    for (int number = 0; number < most_cards; ++number) {
        const std::string path = "/dev/dri/card" + std::to_string(number);
        const int card = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
        if (card < 0) {
            if (errno != ENOENT && errno != ENXIO && !why)
                why = fail_errno(errno, "cannot open the graphics card " + path).value();
            continue;
        }
        std::unique_ptr<BareScreen> screen(new BareScreen(card));
        const auto lit = screen->light_up();
        if (lit)
            return screen;
        // a card that has no screen says less than one that is somebody else's
        if (!why || why->code == Errc::unsupported)
            why = lit.error().in(path);
    }
    if (why)
        return tl::unexpected(*why);
    return fail(Errc::unsupported, "no graphics card is in /dev/dri",
                "its driver has to be loaded, or simpledrm for what the firmware has set up");
}

Result<void> BareScreen::light_up() {
    std::uint64_t can = 0;
    if (drmGetCap(card_.get(), DRM_CAP_DUMB_BUFFER, &can) != 0 || can == 0)
        return fail(Errc::unsupported, "this card shows nothing that a processor draws");
    const auto output = output_of(card_.get());
    if (!output)
        return fail(Errc::unsupported, "no screen is switched on at it");
    if (drmSetMaster(card_.get()) != 0)
        return errno == EACCES || errno == EPERM
                   ? fail(Errc::forbidden, "the screen may not be taken",
                          "this takes root, or the session of who sits at the PC")
                   : fail(Errc::busy, "another program has the screen",
                          "end the window system that shows on it");
    size_ = {output->mode.hdisplay, output->mode.vdisplay};
    BATON_TRY(make_buffer());
    std::uint32_t connector = output->connector;
    drmModeModeInfo mode = output->mode;
    if (drmModeSetCrtc(card_.get(), output->crtc, framebuffer_, 0, 0, &connector, 1, &mode) != 0)
        return fail_errno(errno, "cannot set the mode " + std::string(mode.name));
    return {};
}

Result<void> BareScreen::make_buffer() {
    std::uint64_t offset = 0;
    std::uint32_t pitch = 0;
    const auto width = static_cast<std::uint32_t>(size_.x);
    const auto height = static_cast<std::uint32_t>(size_.y);
    if (drmModeCreateDumbBuffer(card_.get(), width, height, bits_per_pixel, 0, &buffer_, &pitch,
                                &length_) != 0)
        return fail_errno(errno, "the card has no memory for a picture");
    if (drmModeAddFB(card_.get(), width, height, bits_of_colour, bits_per_pixel, pitch, buffer_,
                     &framebuffer_) != 0)
        return fail_errno(errno, "the card cannot show a picture of 32 bits");
    if (drmModeMapDumbBuffer(card_.get(), buffer_, &offset) != 0)
        return fail_errno(errno, "the card's memory cannot be reached");
    void* mapped = ::mmap(nullptr, length_, PROT_READ | PROT_WRITE, MAP_SHARED, card_.get(),
                          static_cast<off_t>(offset));
    if (mapped == MAP_FAILED)
        return fail_errno(errno, "the card's memory cannot be mapped");
    pixels_ = static_cast<std::uint32_t*>(mapped);
    stride_ = pitch / sizeof(std::uint32_t);
    row_.resize(width);
    return {};
}

/// The kernel's own console comes back when the card is closed.
BareScreen::~BareScreen() {
    if (pixels_ != nullptr)
        ::munmap(pixels_, length_);
    if (framebuffer_ != 0)
        drmModeRmFB(card_.get(), framebuffer_);
    if (buffer_ != 0)
        drmModeDestroyDumbBuffer(card_.get(), buffer_);
}

void BareScreen::set_pointer(const picture::Cursor& shape, Spot at, bool seen) {
    if (shape != shape_)
        shape_ = shape;
    at_ = at;
    seen_ = seen;
}

Area BareScreen::pointer_area() const {
    if (!seen_)
        return {};
    return common({at_.x - shape_.hot_x, at_.y - shape_.hot_y, shape_.width, shape_.height},
                  {0, 0, size_.x, size_.y});
}

void BareScreen::show_row(const std::uint32_t* row, const Area& part, int y) {
    std::uint32_t* to = pixels_ + static_cast<std::size_t>(y) * stride_ + part.x;
    const Area pointer = common(pointer_area(), {part.x, y, part.width, 1});
    const auto length = static_cast<std::size_t>(part.width);
    if (pointer.empty()) {
        std::copy_n(row + part.x, length, to);
        return;
    }
    // the card's memory is written once, and never read: that takes ten times as long
    std::copy_n(row + part.x, length, row_.begin());
    const std::size_t shape_row = static_cast<std::size_t>(y - at_.y + shape_.hot_y) * shape_.width;
    for (int x = pointer.x; x < pointer.x + pointer.width; ++x) {
        std::uint32_t& pixel = row_[static_cast<std::size_t>(x - part.x)];
        pixel = blended(
            pixel, shape_.pixels[shape_row + static_cast<std::size_t>(x - at_.x + shape_.hot_x)]);
    }
    std::copy_n(row_.begin(), length, to);
}

void BareScreen::show(const std::uint32_t* picture, std::size_t stride,
                      const std::vector<Area>& parts) {
    std::vector<drmModeClip> clips;
    for (const Area& wanted : parts) {
        const Area part = common(wanted, {0, 0, size_.x, size_.y});
        if (part.empty())
            continue;
        for (int y = part.y; y < part.y + part.height; ++y)
            show_row(picture + static_cast<std::size_t>(y) * stride, part, y);
        clips.push_back({static_cast<std::uint16_t>(part.x), static_cast<std::uint16_t>(part.y),
                         static_cast<std::uint16_t>(part.x + part.width),
                         static_cast<std::uint16_t>(part.y + part.height)});
    }
    if (wants_to_know_ && !clips.empty() &&
        drmModeDirtyFB(card_.get(), framebuffer_, clips.data(),
                       static_cast<std::uint32_t>(clips.size())) != 0)
        wants_to_know_ = errno != ENOSYS && errno != EINVAL && errno != ENOTTY;
}

} // namespace baton::viewer
