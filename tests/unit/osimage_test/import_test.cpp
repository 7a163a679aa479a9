#include "osimage/import.h"
#include "osimage/qcow2.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace baton::osimage {
namespace {

/// A version 3 header of a 1 GiB disk, nothing special about it.
std::string header(std::initializer_list<std::pair<std::size_t, int>> changes = {}) {
    std::string bytes(qcow2_header_size, '\0');
    bytes.replace(0, 4, "QFI\xfb");
    bytes[7] = 3;
    bytes[23] = 16; // clusters of 64 KiB
    bytes[28] = 0x40;
    for (const auto& [at, value] : changes)
        bytes[at] = static_cast<char>(value);
    return bytes;
}

Errc verdict(const std::string& bytes) {
    const auto read = read_qcow2_header(bytes);
    if (!read)
        return read.error().code;
    const auto checked = check_self_contained(*read, "x.qcow2");
    return checked ? Errc::internal : checked.error().code;
}

constexpr Errc good = Errc::internal;

TEST(Qcow2, APlainImageIsGood) {
    EXPECT_EQ(verdict(header()), good);
    EXPECT_EQ(read_qcow2_header(header())->virtual_size_bytes, 1ULL << 30U);
    EXPECT_EQ(verdict(header({{7, 2}}).substr(0, 72)), good) << "version 2 has a shorter header";
}

TEST(Qcow2, WhatLeansOnOthersIsRefused) {
    EXPECT_EQ(verdict(header({{15, 0x68}})), Errc::unsupported) << "a backing file";
    EXPECT_EQ(verdict(header({{79, 4}})), Errc::unsupported) << "external data";
    EXPECT_EQ(verdict(header({{35, 2}})), Errc::unsupported) << "encrypted";
    EXPECT_EQ(verdict(header({{79, 2}})), Errc::corrupt) << "marked corrupt";
    EXPECT_EQ(verdict(header({{79, 1}})), good) << "dirty: QEMU's check repairs its counts";
}

TEST(Qcow2, WhatIsNoneIsSaid) {
    EXPECT_EQ(verdict(""), Errc::corrupt);
    EXPECT_EQ(verdict("root:x:0:0"), Errc::corrupt);
    EXPECT_EQ(verdict(header().substr(0, 50)), Errc::corrupt);
    EXPECT_EQ(verdict(header().substr(0, 90)), Errc::corrupt);
    EXPECT_EQ(verdict(header({{7, 4}})), Errc::corrupt);
    EXPECT_EQ(verdict(header({{23, 60}})), Errc::corrupt);
    EXPECT_EQ(verdict(header({{28, 0}})), Errc::unsupported) << "no bytes at all";
    EXPECT_EQ(verdict(header({{24, 0x7f}})), Errc::unsupported) << "too many";
}

TEST(Qcow2, AnyBytesGetAVerdict) {
    rc::check("a header is read or refused",
              [](const std::string& bytes) { (void)verdict(bytes); });
}

TEST(Import, CommandsTrustNoFormatAndHaveBounds) {
    EXPECT_EQ(process::shown(check_command("/a b.qcow2")),
              "prlimit --as=2147483648 -- qemu-img check -f qcow2 --output=json -- '/a b.qcow2'");
    EXPECT_EQ(process::shown(copy_command("/a", "/b")),
              "prlimit --as=2147483648 -- qemu-img convert -p -f qcow2 -O qcow2 -- /a /b");
}

TEST(Import, QemusVerdictIsRead) {
    EXPECT_TRUE(judge_check(0, R"({"check-errors": 0})", ""));
    EXPECT_TRUE(judge_check(3, R"({"check-errors": 0, "leaks": 7})", ""));
    EXPECT_EQ(judge_check(2, R"({"check-errors": 0, "corruptions": 12})", "").error().code,
              Errc::corrupt);
    EXPECT_NE(judge_check(2, R"({"corruptions": 12})", "").error().what.find("12"),
              std::string::npos);
    EXPECT_NE(judge_check(1, "", "qemu-img: Image is not in qcow2 format\n")
                  .error()
                  .what.find("not in qcow2"),
              std::string::npos);
    EXPECT_FALSE(judge_check(0, "rubbish", ""));
}

} // namespace
} // namespace baton::osimage
