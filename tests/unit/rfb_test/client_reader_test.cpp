#include "rfb/client_reader.h"
#include "rfb/limits.h"
#include "support/rfb_feed.h"
#include "support/rfb_wire.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace baton::rfb {
namespace {

/// Messages as text that does not depend on the buffer; a clipboard's bytes with it.
struct Heard {
    std::vector<std::string> messages;
    std::string refused;
    bool at_boundary = false;
    std::size_t most_kept = 0;
};

Heard hear(const std::string& stream, std::vector<std::size_t> cuts) {
    Heard heard;
    ClientReader reader;
    const Fed fed = feed(reader, stream, std::move(cuts), [&](const ClientEvent& event) {
        if (event.part == ClientEvent::Part::body)
            heard.messages.back() += event.bytes;
        else
            heard.messages.emplace_back(event.bytes);
    });
    heard.refused = fed.refused;
    heard.most_kept = fed.most_kept;
    heard.at_boundary = fed.refused.empty() && reader.at_boundary() && fed.rest == 0;
    return heard;
}

/// Writes a message, reads it, and gives back what was read.
template <class Message>
Message there_and_back(const Message& message) {
    static std::string wire; // the views of what is returned look into it
    wire.clear();
    write(wire, message);
    ClientReader reader;
    for (std::size_t some = 0; some < wire.size(); ++some) {
        const auto early = reader.next(std::string_view(wire).substr(0, some));
        RC_ASSERT(early.has_value());
        RC_ASSERT(early->part == ClientEvent::Part::need_more);
    }
    const auto event = reader.next(wire);
    RC_ASSERT(event.has_value());
    RC_ASSERT(event->bytes.size() == wire.size());
    RC_ASSERT(event->part == ClientEvent::Part::message);
    const auto* const back = std::get_if<Message>(&*event->message);
    RC_ASSERT(back != nullptr);
    return *back;
}

template <class T>
T any() {
    return *rc::gen::arbitrary<T>();
}

std::string bytes(std::size_t count) {
    return *rc::gen::container<std::string>(count, rc::gen::arbitrary<char>());
}

PixelFormat any_format() {
    PixelFormat format;
    format.bits_per_pixel = *rc::gen::element<std::uint8_t>(8, 16, 32);
    format.depth = any<std::uint8_t>();
    format.big_endian = any<bool>();
    format.true_colour = any<bool>();
    format.red_max = any<std::uint16_t>();
    format.green_max = any<std::uint16_t>();
    format.blue_max = any<std::uint16_t>();
    format.red_shift = any<std::uint8_t>();
    format.green_shift = any<std::uint8_t>();
    format.blue_shift = any<std::uint8_t>();
    return format;
}

TEST(RfbClientReader, EveryMessageComesBackAsItWasWritten) {
    using U16 = std::uint16_t;
    EXPECT_TRUE(rc::check("messages come back", [] {
        const auto same = [](const auto& message) {
            RC_ASSERT(there_and_back(message) == message);
        };
        same(SetPixelFormat{any_format()});
        const std::string list = bytes(*rc::gen::inRange<std::size_t>(0, 40) * 4);
        same(SetEncodings{list});
        same(UpdateRequest{any<bool>(), any<U16>(), any<U16>(), any<U16>(), any<U16>()});
        same(KeyEvent{any<bool>(), any<std::uint32_t>()});
        same(PointerEvent{any<std::uint8_t>(), any<U16>(), any<U16>()});
        same(EnableContinuousUpdates{any<bool>(), any<U16>(), any<U16>(), any<U16>(), any<U16>()});
        const std::string payload = bytes(*rc::gen::inRange<std::size_t>(0, 65));
        same(Fence{any<std::uint32_t>(), payload});
        const std::string screens = bytes(*rc::gen::inRange<std::size_t>(0, 5) * 16);
        same(SetDesktopSize{any<U16>(), any<U16>(), screens});
        same(QemuKey{any<bool>(), any<std::uint32_t>(), any<std::uint32_t>()});
        same(QemuAudio{QemuAudio::Operation::enable});
        same(QemuAudio{QemuAudio::Operation::disable});
        same(QemuAudio{QemuAudio::Operation::set_format, any<std::uint8_t>(), any<std::uint8_t>(),
                       any<std::uint32_t>()});
        same(Xvp{any<std::uint8_t>()});
        ClientCutText text;
        text.extended = any<bool>();
        text.flags = text.extended ? any<std::uint32_t>() : 0;
        text.bytes = *rc::gen::inRange(0U, most_text_bytes - 4);
        same(text);
    }));
}

TEST(RfbClientReader, EncodingsAreReadWhereTheyLie) {
    std::string wire;
    write_encodings(wire, {Encoding::tight, Encoding::qemu_audio, Encoding::extended_clipboard});
    ClientReader reader;
    const auto event = reader.next(wire);
    ASSERT_TRUE(event);
    const auto& encodings = std::get<SetEncodings>(*event->message);
    ASSERT_EQ(encodings.size(), 3U);
    EXPECT_EQ(encodings.at(1), Encoding::qemu_audio);
    EXPECT_EQ(encodings.at(2), Encoding::extended_clipboard);
    EXPECT_GE(encodings.list.data(), wire.data());
    EXPECT_LT(encodings.list.data(), wire.data() + wire.size());
}

std::string any_message() {
    std::string text;
    switch (*rc::gen::inRange(0, 9)) {
    case 0:
        write(text, SetPixelFormat{any_format()});
        break;
    case 1:
        write(text, SetEncodings{bytes(*rc::gen::inRange<std::size_t>(0, 20) * 4)});
        break;
    case 2:
        write(text, UpdateRequest{});
        break;
    case 3:
        write(text, QemuKey{true, 65, 30});
        break;
    case 4: {
        const std::string words = bytes(*rc::gen::inRange<std::size_t>(0, 50));
        ClientCutText head;
        head.extended = any<bool>();
        head.bytes = static_cast<std::uint32_t>(words.size());
        write(text, head);
        text += words;
        break;
    }
    case 5:
        write(text, Fence{1, bytes(*rc::gen::inRange<std::size_t>(0, 10))});
        break;
    case 6:
        write(text, SetDesktopSize{800, 600, bytes(32)});
        break;
    case 7:
        write(text, QemuAudio{QemuAudio::Operation::set_format, 3, 2, 44100});
        break;
    default:
        write(text, PointerEvent{1, 2, 3});
        break;
    }
    return text;
}

TEST(RfbClientReader, AnyCutOfTheStreamGivesTheSameMessages) {
    EXPECT_TRUE(rc::check("any cut gives the same messages", [] {
        std::vector<std::string> made(*rc::gen::inRange<std::size_t>(1, 10));
        std::string stream;
        for (auto& one : made)
            stream += one = any_message();
        const auto cuts = *rc::gen::container<std::vector<std::size_t>>(
            rc::gen::inRange<std::size_t>(0, stream.size()));
        const Heard heard = hear(stream, cuts);
        RC_ASSERT(heard.refused.empty());
        RC_ASSERT(heard.messages == made);
        RC_ASSERT(heard.at_boundary);
    }));
}

TEST(RfbClientReader, RefusesWhatCannotBe) {
    const std::vector<std::pair<std::string, std::string>> hostile{
        {"\x07", "unknown kind 7"},
        {std::string("\0\0\0\0", 4) + std::string(16, '\0'), "0 bits per pixel"},
        {std::string("\x02\0\xFF\xFF", 4), "65535 encodings"},
        {std::string("\x06\0\0\0", 4) + be32(0x7FFFFFFF), "clipboard of 2147483647"},
        {std::string("\x06\0\0\0", 4) + be32(0x80000000), "clipboard of 2147483648"},
        {std::string("\x06\0\0\0", 4) + be32(0xFFFFFFFD), "no flags"},
        {std::string("\xF8\0\0\0\0\0\0\0\xFF", 9), "fence of 255"},
        {std::string("\xFB\0\x01\x01\x01\x01\xFF\0", 8), "255 screens"},
        {"\xFF\x09", "unknown kind 9"},
        {std::string("\xFF\x01\0\x03", 4), "audio operation 3"},
    };
    for (const auto& [stream, sentence] : hostile) {
        const Heard heard = hear(stream, {});
        EXPECT_NE(heard.refused.find(sentence), std::string::npos)
            << sentence << ": " << heard.refused;
    }
}

TEST(RfbClientReader, GarbageIsRefusedOrHeardAndLittleIsKept) {
    EXPECT_TRUE(rc::check("garbage costs little", [] {
        std::string stream = any_message();
        if (any<bool>())
            stream += *rc::gen::element('\0', '\x02', '\x06', '\xF8', '\xFB', '\xFF');
        stream += any<std::string>();
        const Heard heard = hear(stream, *rc::gen::container<std::vector<std::size_t>>(
                                             rc::gen::inRange<std::size_t>(0, stream.size())));
        RC_ASSERT(heard.most_kept < most_head_bytes);
    }));
}

} // namespace
} // namespace baton::rfb
