/// Two real desktops of different sizes behind one viewer's inflaters, back and forth.
#include "live_screens.h"
#include "rfb/splice.h"
#include "rfb/switch_plan.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace baton::rfb {
namespace {

/// One viewer that stays, as bytes: what it is sent is walked and drawn.
class OneViewer {
  public:
    explicit OneViewer(Encoding encoding)
        : state_({16, 16}, PixelFormat{}), reader_({16, 16}, PixelFormat{}), decoder_({16, 16}) {
        std::string out;
        write_encodings(out, {encoding, Encoding::last_rect, Encoding::cursor,
                              Encoding::extended_desktop_size, Encoding::qemu_led_state});
        ClientReader reader;
        static_cast<void>(state_.pass(*reader.next(out)));
        splice_.set_last_rect(true);
    }

    /// Connects to the desktop, shows its first whole picture, and asks for one more.
    void visit(const std::string& address) {
        const auto socket = connect_to(address);
        std::string buffer;
        const Size size = shake_hands(socket, buffer);
        std::string opening;
        write_opening(opening, opening_for(state_, size));
        send_all(socket, opening);

        ASSERT_TRUE(splice_.may_change_desktop());
        const auto arrival = write_arrival(state_, size);
        ASSERT_TRUE(arrival);
        feed(*arrival);
        ASSERT_GT(decoder_.missing(), 0U) << "the sizes differ, so that nothing is drawn yet";
        splice_.begin_desktop();
        ServerReader desktop(size, PixelFormat{});
        for (int more = 0; more < 2; ++more) {
            const int before = pictures_;
            while (decoder_.missing() != 0 || pictures_ == before || !desktop.at_boundary())
                pass(socket, desktop, buffer);
            std::string request;
            write(request, UpdateRequest{false, 0, 0, size.width, size.height});
            send_all(socket, request);
        }
        while (!splice_.may_change_desktop())
            pass(socket, desktop, buffer);
    }

    [[nodiscard]] std::string picture() const { return decoder_.picture().ppm(); }

  private:
    static Size shake_hands(const process::Descriptor& socket, std::string& buffer) {
        HandshakeClient handshake({Login::none});
        for (;;) {
            const auto progress = handshake.next(buffer);
            if (!progress)
                throw std::runtime_error(progress.error().message());
            buffer.erase(0, progress->used);
            send_all(socket, handshake.take_output());
            if (progress->step == HandshakeClient::Step::done)
                return {handshake.server_init().width, handshake.server_init().height};
            if (progress->step == HandshakeClient::Step::need_more)
                receive_some(socket, buffer, 64);
        }
    }

    void pass(const process::Descriptor& socket, ServerReader& desktop, std::string& buffer) {
        receive_some(socket, buffer, 4999);
        std::size_t at = 0;
        Gather gather;
        for (;;) {
            const auto event = desktop.next(std::string_view(buffer).substr(at));
            if (!event)
                throw std::runtime_error(event.error().message());
            if (event->part == ServerEvent::Part::need_more)
                break;
            at += event->bytes.size();
            if (const auto taken = splice_.take(desktop, *event, gather); !taken)
                throw std::runtime_error(taken.error().message());
        }
        feed(gather.text());
        buffer.erase(0, at);
    }

    void feed(const std::string& bytes) {
        kept_ += bytes;
        std::size_t at = 0;
        for (;;) {
            const auto event = reader_.next(std::string_view(kept_).substr(at));
            if (!event)
                throw std::runtime_error(event.error().message());
            if (event->part == ServerEvent::Part::need_more)
                break;
            at += event->bytes.size();
            decoder_.take(reader_, *event);
            if (event->ends_rectangle && is_picture(reader_.rectangle().encoding))
                ++pictures_;
        }
        kept_.erase(0, at);
    }

    ViewerState state_;
    Splice splice_;
    ServerReader reader_; ///< the viewer's
    Decoder decoder_;
    std::string kept_;
    int pictures_ = 0; ///< rectangles of them
};

TEST(RfbSwitch, OneViewerGoesBackAndForthBetweenTwoQemus) {
    const QemuScreen patterns(Show::patterns);
    const QemuScreen text(Show::text);
    const std::array<const QemuScreen*, 2> desktops{&patterns, &text};
    for (const Encoding encoding : {Encoding::tight, Encoding::tight_png, Encoding::zrle,
                                    Encoding::zlib, Encoding::hextile}) {
        OneViewer viewer(encoding);
        for (std::size_t turn = 0; turn < 8; ++turn) {
            const QemuScreen& desktop = *desktops.at(turn % 2);
            viewer.visit(desktop.address());
            ASSERT_TRUE(viewer.picture() == desktop.screendump())
                << name_of(encoding) << ", switch " << turn;
        }
    }
}

} // namespace
} // namespace baton::rfb
