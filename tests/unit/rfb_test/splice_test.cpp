#include "rfb/server_messages.h"
#include "rfb/splice.h"
#include "support/rfb_models.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

namespace baton::rfb {
namespace {

/// Passes a desktop's bytes through, in pieces.
std::string passed(Splice& splice, ServerReader& reader, const std::string& stream,
                   std::vector<std::size_t> cuts) {
    std::string out;
    std::string buffer;
    std::sort(cuts.begin(), cuts.end());
    cuts.push_back(stream.size());
    std::size_t fed = 0;
    for (const std::size_t cut : cuts) {
        buffer += stream.substr(fed, cut - fed);
        fed = cut;
        std::size_t at = 0;
        Gather gather;
        for (;;) {
            const auto event = reader.next(std::string_view(buffer).substr(at));
            RC_ASSERT(event.has_value());
            if (event->part == ServerEvent::Part::need_more)
                break;
            at += event->bytes.size();
            RC_ASSERT(splice.take(reader, *event, gather).has_value());
        }
        out += gather.text();
        buffer.erase(0, at);
    }
    return out;
}

TEST(RfbSplice, AViewerInflatesSeveralDesktopsInARow) {
    EXPECT_TRUE(rc::check("a viewer inflates several desktops in a row", [] {
        Viewer viewer;
        Splice splice(*rc::gen::arbitrary<bool>());
        std::vector<std::string> said;
        std::size_t updates = 0;
        for (int desktops = *rc::gen::inRange(1, 5); desktops > 0; --desktops) {
            Desktop desktop;
            ServerReader reader({64, 64}, PixelFormat{});
            RC_ASSERT(splice.may_change_desktop());
            splice.begin_desktop();
            for (int i = *rc::gen::inRange(0, 5); i > 0; --i) {
                std::vector<std::string> rectangles(*rc::gen::inRange<std::size_t>(0, 4));
                for (auto& one : rectangles) {
                    said.push_back(some_text());
                    one = desktop.rectangle(
                        static_cast<Inflater>(*rc::gen::inRange<std::size_t>(0, inflaters)),
                        said.back());
                }
                const std::string stream = update(rectangles);
                viewer.feed(passed(splice, reader, stream, some_cuts(stream.size())));
                ++updates;
                RC_ASSERT(splice.may_change_desktop());
                RC_ASSERT(viewer.reader.at_boundary());
                RC_ASSERT(viewer.updates == updates);
            }
        }
        RC_ASSERT(viewer.seen == said);
    }));
}

TEST(RfbSplice, ADesktopIsLostInMidUpdateAndTheNextGoesOn) {
    EXPECT_TRUE(rc::check("a desktop is lost in mid-update", [] {
        Viewer viewer;
        const bool last_rect = *rc::gen::arbitrary<bool>();
        Splice splice(last_rect);
        std::vector<std::string> said;
        const auto rectangle = [&](Desktop& desktop) {
            said.push_back(some_text());
            return desktop.rectangle(
                static_cast<Inflater>(*rc::gen::inRange<std::size_t>(0, inflaters)), said.back());
        };
        for (int lost = 0; lost < 3; ++lost) {
            Desktop desktop;
            ServerReader reader({64, 64}, PixelFormat{});
            splice.begin_desktop();
            const auto announced = *rc::gen::inRange(1U, 5U);
            const auto come = *rc::gen::inRange(0U, announced);
            std::string stream = std::string(2, '\0') + be16(announced);
            for (unsigned i = 0; i < come; ++i)
                stream += rectangle(desktop);
            viewer.feed(passed(splice, reader, stream, some_cuts(stream.size())));
            RC_ASSERT(!splice.may_change_desktop());
            RC_ASSERT(splice.may_end_update());
            std::string end;
            splice.end_update(PixelFormat{}, end);
            viewer.feed(end);
            RC_ASSERT(splice.may_change_desktop());
            RC_ASSERT(viewer.reader.at_boundary());
        }
        RC_ASSERT(viewer.seen == said);
        RC_ASSERT(viewer.updates == 3U);
    }));
}

TEST(RfbSplice, KnowsThatItCannotEndInsideARectangle) {
    Splice splice(true);
    ServerReader reader({64, 64}, PixelFormat{});
    splice.begin_desktop();
    const std::string stream = update({head(0, 0, 2, 2, 0) + std::string(16, 'p')});
    passed(splice, reader, stream.substr(0, 20), {});
    EXPECT_FALSE(splice.may_end_update());
    passed(splice, reader, stream.substr(20), {});
    EXPECT_TRUE(splice.may_end_update());
    EXPECT_TRUE(splice.may_change_desktop());
}

TEST(RfbSplice, CopiesNothingButPatches) {
    Splice splice(false);
    ServerReader reader({64, 64}, PixelFormat{});
    splice.begin_desktop();
    std::string stream;
    for (int i = 0; i < 50; ++i)
        stream += update({head(0, 0, 8, 8, 0) + std::string(256, 'p')});
    Gather gather;
    std::string_view rest = stream;
    while (!rest.empty()) {
        const auto event = reader.next(rest);
        ASSERT_TRUE(event);
        ASSERT_TRUE(splice.take(reader, *event, gather));
        rest.remove_prefix(event->bytes.size());
    }
    ASSERT_EQ(gather.pieces(), 1U);
    EXPECT_EQ(gather.piece(0).data(), stream.data());
    EXPECT_EQ(gather.bytes(), stream.size());
    gather.own(std::string(40, 'x'));
    EXPECT_EQ(gather.text(), stream + std::string(40, 'x'));
}

TEST(RfbSplice, RefusesASecondStreamWithoutAHeader) {
    for (const std::string data : {"no zlib", "z", "x"}) {
        Splice splice(true);
        Desktop first;
        ServerReader reader({64, 64}, PixelFormat{});
        splice.begin_desktop();
        passed(splice, reader, update({first.rectangle(Inflater::zrle, "hello")}), {});
        splice.begin_desktop();
        const std::string stream =
            update({head(0, 0, 8, 8, 16) + be32(static_cast<std::uint32_t>(data.size())) + data});
        Gather gather;
        std::string_view rest = stream;
        bool refused = false;
        while (!rest.empty() && !refused) {
            const auto event = reader.next(rest);
            ASSERT_TRUE(event);
            refused = !splice.take(reader, *event, gather).has_value();
            rest.remove_prefix(event->bytes.size());
        }
        EXPECT_TRUE(refused) << data;
    }
}

TEST(RfbSplice, AStreamThatItsServerResetsKeepsItsHeader) {
    Viewer viewer;
    Splice splice(true);
    ServerReader reader({64, 64}, PixelFormat{});
    Desktop first;
    Desktop second;
    splice.begin_desktop();
    viewer.feed(passed(splice, reader, update({first.rectangle(Inflater::tight_2, "one")}), {}));
    splice.begin_desktop();
    std::string reset = second.rectangle(Inflater::tight_2, "two");
    reset[12] = static_cast<char>(reset[12] | 1 << 2);
    viewer.feed(passed(splice, reader, update({reset}), {}));
    EXPECT_EQ(viewer.seen, (std::vector<std::string>{"one", "two"}));
}

} // namespace
} // namespace baton::rfb
