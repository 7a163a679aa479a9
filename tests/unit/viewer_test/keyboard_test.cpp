#include "viewer/keyboard.h"

#include <gtest/gtest.h>

#include <SDL2/SDL_keycode.h>
#include <array>
#include <map>

namespace baton::viewer {
namespace {

SDL_Keysym sdl_key(SDL_Scancode scancode, SDL_Keycode sym = 0, unsigned modifiers = 0) {
    SDL_Keysym key{};
    key.scancode = scancode;
    key.sym = sym;
    key.mod = static_cast<Uint16>(modifiers);
    return key;
}

/// rfbproto, QEMU Extended Key Event; the numbers are those of a PC's keyboard (XT).
TEST(Keyboard, KnowsTheKeysOfAKorean106KeyKeyboard) {
    const std::map<SDL_Scancode, std::uint32_t> expected{
        {SDL_SCANCODE_LANG1, 0x72}, // Hangul
        {SDL_SCANCODE_LANG2, 0x71}, // Hanja
        {SDL_SCANCODE_ESCAPE, 0x01},      {SDL_SCANCODE_BACKSLASH, 0x2B},
        {SDL_SCANCODE_GRAVE, 0x29},       {SDL_SCANCODE_RALT, 0xB8},
        {SDL_SCANCODE_RCTRL, 0x9D},       {SDL_SCANCODE_LGUI, 0xDB},
        {SDL_SCANCODE_RGUI, 0xDC},        {SDL_SCANCODE_APPLICATION, 0xDD},
        {SDL_SCANCODE_KP_ENTER, 0x9C},    {SDL_SCANCODE_KP_DIVIDE, 0xB5},
        {SDL_SCANCODE_PRINTSCREEN, 0xB7}, {SDL_SCANCODE_PAUSE, 0xC6},
        {SDL_SCANCODE_INSERT, 0xD2},      {SDL_SCANCODE_UP, 0xC8},
        {SDL_SCANCODE_F12, 0x58},         {SDL_SCANCODE_NUMLOCKCLEAR, 0x45}};
    for (const auto& [key, code] : expected)
        EXPECT_EQ(scan_code_of(key), code) << SDL_GetScancodeName(key);
    EXPECT_EQ(key_of(sdl_key(SDL_SCANCODE_LANG1), "").keysym, 0xFF31U);
    EXPECT_EQ(key_of(sdl_key(SDL_SCANCODE_LANG2), "").keysym, 0xFF34U);
}

/// SDL's own list: 4 to 129 without what no keyboard of a PC has.
TEST(Keyboard, HasNoTwoKeysForOnePlace) {
    std::map<std::uint32_t, SDL_Scancode> places;
    int known = 0;
    for (int i = 0; i < SDL_NUM_SCANCODES; ++i) {
        const auto key = static_cast<SDL_Scancode>(i);
        const std::uint32_t code = scan_code_of(key);
        if (code == 0 || key == SDL_SCANCODE_NONUSHASH)
            continue;
        ++known;
        EXPECT_LT(code, 0x100U);
        EXPECT_TRUE(places.emplace(code, key).second) << SDL_GetScancodeName(key);
    }
    EXPECT_GE(known, 106);
}

TEST(Keyboard, SaysWhatAKeyTypes) {
    EXPECT_EQ(key_of(sdl_key(SDL_SCANCODE_A, 'a'), "a").keysym, 'a');
    EXPECT_EQ(key_of(sdl_key(SDL_SCANCODE_A, 'a', KMOD_SHIFT), "A").keysym, 'A');
    EXPECT_EQ(key_of(sdl_key(SDL_SCANCODE_2, '2', KMOD_SHIFT), "@").keysym, '@');
    EXPECT_EQ(key_of(sdl_key(SDL_SCANCODE_E, 'e'), "é").keysym, 0xE9U);
    EXPECT_EQ(key_of(sdl_key(SDL_SCANCODE_R, 'r'), "ㄱ").keysym, 0x01003131U);
    EXPECT_EQ(key_of(sdl_key(SDL_SCANCODE_E, 'e'), "€").keysym, 0x010020ACU);
    // with Ctrl nothing is typed
    EXPECT_EQ(key_of(sdl_key(SDL_SCANCODE_C, 'c', KMOD_CTRL), "").keysym, 'c');
    EXPECT_EQ(key_of(sdl_key(SDL_SCANCODE_2, '2', KMOD_CTRL | KMOD_SHIFT), "").keysym, '@');
    // a half of a character
    EXPECT_EQ(key_of(sdl_key(SDL_SCANCODE_A, 'a'), "\xE3\x84").keysym, 'a');
}

TEST(Keyboard, MindsNumLock) {
    EXPECT_EQ(key_of(sdl_key(SDL_SCANCODE_KP_7, SDLK_KP_7, KMOD_NUM), "7").keysym, 0xFFB7U);
    EXPECT_EQ(key_of(sdl_key(SDL_SCANCODE_KP_7, SDLK_KP_7), "").keysym, 0xFF95U);
    EXPECT_EQ(key_of(sdl_key(SDL_SCANCODE_KP_PERIOD, SDLK_KP_PERIOD), "").keysym, 0xFF9FU);
}

} // namespace
} // namespace baton::viewer
