/// Every byte of real servers is walked, in every encoding and pixel format that they have; where
/// an encoding loses nothing, the picture is theirs to the last pixel.
#include "live_screens.h"
#include "rfb/client_messages.h"
#include "rfb/message_types.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace baton::rfb {
namespace {

PixelFormat format_of_16() {
    PixelFormat format;
    format.bits_per_pixel = 16;
    format.depth = 16;
    format.red_max = 31;
    format.green_max = 63;
    format.blue_max = 31;
    format.red_shift = 11;
    format.green_shift = 5;
    return format;
}

PixelFormat format_of_8() {
    PixelFormat format;
    format.bits_per_pixel = 8;
    format.depth = 8;
    format.red_max = 7;
    format.green_max = 7;
    format.blue_max = 3;
    format.red_shift = 0;
    format.green_shift = 3;
    format.blue_shift = 6;
    return format;
}

TEST(RfbServers, QemusPicturesAreItsOwnScreendumpInEveryEncoding) {
    for (const Show show : {Show::patterns, Show::text}) {
        const QemuScreen screen(show);
        for (const Encoding encoding : {Encoding::raw, Encoding::hextile, Encoding::zlib,
                                        Encoding::tight, Encoding::tight_png, Encoding::zrle}) {
            Connection connection(screen.address(), {PixelFormat{}, with_pseudo({encoding}), true});
            connection.look(3);
            EXPECT_TRUE(connection.stands_at_boundary());
            EXPECT_EQ(connection.decoder().missing(), 0U) << name_of(encoding);
            EXPECT_GT(connection.decoder().counts().at(name_of(encoding)), 0);
            EXPECT_TRUE(connection.decoder().picture().ppm() == screen.screendump())
                << name_of(encoding) << " is not what QEMU shows";
            fmt::print("QEMU {:10} {:9} bytes walked\n", name_of(encoding),
                       connection.walked_bytes());
        }
    }
}

TEST(RfbServers, QemusSmallPixelsAndLossyPicturesAreWalked) {
    const QemuScreen screen(Show::patterns, ",lossy=on");
    for (const Encoding encoding :
         {Encoding::raw, Encoding::hextile, Encoding::zlib, Encoding::tight, Encoding::tight_png,
          Encoding::zrle, Encoding::zywrle})
        for (const PixelFormat& format : {format_of_8(), format_of_16(), PixelFormat{}}) {
            auto encodings = with_pseudo({encoding});
            encodings.push_back(Encoding{-28}); // JPEG where it can
            Connection connection(screen.address(), {format, encodings, false});
            connection.look(3);
            EXPECT_TRUE(connection.stands_at_boundary());
            EXPECT_GE(connection.updates(), 3) << name_of(encoding);
        }
}

TEST(RfbServers, QemuTellsOfItsExtensions) {
    const QemuScreen screen(Show::text);
    Connection connection(screen.address(), {PixelFormat{}, with_pseudo({Encoding::tight}), true});
    connection.look();
    const auto& counts = connection.decoder().counts();
    for (const Encoding encoding : {Encoding::qemu_extended_key, Encoding::qemu_audio,
                                    Encoding::qemu_led_state, Encoding::extended_desktop_size})
        EXPECT_EQ(counts.count(name_of(encoding)), 1U) << name_of(encoding);
    EXPECT_EQ(connection.messages().count(server_type::cut_text), 1U) << "clipboard capabilities";
}

TEST(RfbServers, TigerVncsServerIsWalkedAndItsEncodingsAgree) {
    XvncScreen screen;
    // flat, then full of colours; both with the connections' zlib streams going on
    const std::vector<std::string> drawings{"pattern:checkerboard", "gradient:red-blue",
                                            "plasma:tomato-steelblue"};
    const std::vector<Encoding> encodings{Encoding::raw, Encoding::rre, Encoding::hextile,
                                          Encoding::tight, Encoding::zrle};
    std::vector<std::unique_ptr<Connection>> connections;
    for (const Encoding encoding : encodings)
        connections.push_back(std::make_unique<Connection>(
            screen.address(),
            Connection::Wish{PixelFormat{}, with_pseudo({encoding, Encoding::copy_rect}), true}));
    std::string before;
    for (const auto& drawing : drawings) {
        screen.draw(drawing);
        for (auto& connection : connections)
            connection->look(2);
        const std::string reference = connections.front()->decoder().picture().ppm();
        EXPECT_TRUE(reference != before) << drawing << " is not to be seen";
        before = reference;
        for (std::size_t i = 0; i < encodings.size(); ++i) {
            EXPECT_EQ(connections[i]->decoder().missing(), 0U);
            EXPECT_GT(connections[i]->decoder().counts().at(name_of(encodings[i])), 0);
            EXPECT_TRUE(connections[i]->decoder().picture().ppm() == reference)
                << name_of(encodings[i]) << " is not what Raw shows of " << drawing;
        }
    }
    for (std::size_t i = 0; i < encodings.size(); ++i) {
        EXPECT_EQ(connections[i]->messages().count(server_type::fence), 1U);
        EXPECT_EQ(connections[i]->messages().count(server_type::end_of_continuous_updates), 1U);
        fmt::print("Xvnc {:10} {:9} bytes walked\n", name_of(encodings[i]),
                   connections[i]->walked_bytes());
    }
}

} // namespace
} // namespace baton::rfb
