#include "viewer/keyboard.h"

#include <SDL2/SDL_keycode.h>
#include <array>
#include <utility>

namespace baton::viewer {

namespace {

struct Known {
    SDL_Scancode key;
    std::uint32_t scan_code; ///< XT
    std::uint32_t keysym;    ///< X11; 0: what the key types
};

constexpr std::array known_keys{
    Known{SDL_SCANCODE_ESCAPE, 0x01, 0xFF1B},
    Known{SDL_SCANCODE_1, 0x02, 0},
    Known{SDL_SCANCODE_2, 0x03, 0},
    Known{SDL_SCANCODE_3, 0x04, 0},
    Known{SDL_SCANCODE_4, 0x05, 0},
    Known{SDL_SCANCODE_5, 0x06, 0},
    Known{SDL_SCANCODE_6, 0x07, 0},
    Known{SDL_SCANCODE_7, 0x08, 0},
    Known{SDL_SCANCODE_8, 0x09, 0},
    Known{SDL_SCANCODE_9, 0x0A, 0},
    Known{SDL_SCANCODE_0, 0x0B, 0},
    Known{SDL_SCANCODE_MINUS, 0x0C, 0},
    Known{SDL_SCANCODE_EQUALS, 0x0D, 0},
    Known{SDL_SCANCODE_BACKSPACE, 0x0E, 0xFF08},
    Known{SDL_SCANCODE_TAB, 0x0F, 0xFF09},
    Known{SDL_SCANCODE_Q, 0x10, 0},
    Known{SDL_SCANCODE_W, 0x11, 0},
    Known{SDL_SCANCODE_E, 0x12, 0},
    Known{SDL_SCANCODE_R, 0x13, 0},
    Known{SDL_SCANCODE_T, 0x14, 0},
    Known{SDL_SCANCODE_Y, 0x15, 0},
    Known{SDL_SCANCODE_U, 0x16, 0},
    Known{SDL_SCANCODE_I, 0x17, 0},
    Known{SDL_SCANCODE_O, 0x18, 0},
    Known{SDL_SCANCODE_P, 0x19, 0},
    Known{SDL_SCANCODE_LEFTBRACKET, 0x1A, 0},
    Known{SDL_SCANCODE_RIGHTBRACKET, 0x1B, 0},
    Known{SDL_SCANCODE_RETURN, 0x1C, 0xFF0D},
    Known{SDL_SCANCODE_LCTRL, 0x1D, 0xFFE3},
    Known{SDL_SCANCODE_A, 0x1E, 0},
    Known{SDL_SCANCODE_S, 0x1F, 0},
    Known{SDL_SCANCODE_D, 0x20, 0},
    Known{SDL_SCANCODE_F, 0x21, 0},
    Known{SDL_SCANCODE_G, 0x22, 0},
    Known{SDL_SCANCODE_H, 0x23, 0},
    Known{SDL_SCANCODE_J, 0x24, 0},
    Known{SDL_SCANCODE_K, 0x25, 0},
    Known{SDL_SCANCODE_L, 0x26, 0},
    Known{SDL_SCANCODE_SEMICOLON, 0x27, 0},
    Known{SDL_SCANCODE_APOSTROPHE, 0x28, 0},
    Known{SDL_SCANCODE_GRAVE, 0x29, 0},
    Known{SDL_SCANCODE_LSHIFT, 0x2A, 0xFFE1},
    Known{SDL_SCANCODE_BACKSLASH, 0x2B, 0},
    Known{SDL_SCANCODE_NONUSHASH, 0x2B, 0},
    Known{SDL_SCANCODE_Z, 0x2C, 0},
    Known{SDL_SCANCODE_X, 0x2D, 0},
    Known{SDL_SCANCODE_C, 0x2E, 0},
    Known{SDL_SCANCODE_V, 0x2F, 0},
    Known{SDL_SCANCODE_B, 0x30, 0},
    Known{SDL_SCANCODE_N, 0x31, 0},
    Known{SDL_SCANCODE_M, 0x32, 0},
    Known{SDL_SCANCODE_COMMA, 0x33, 0},
    Known{SDL_SCANCODE_PERIOD, 0x34, 0},
    Known{SDL_SCANCODE_SLASH, 0x35, 0},
    Known{SDL_SCANCODE_RSHIFT, 0x36, 0xFFE2},
    Known{SDL_SCANCODE_KP_MULTIPLY, 0x37, 0xFFAA},
    Known{SDL_SCANCODE_LALT, 0x38, 0xFFE9},
    Known{SDL_SCANCODE_SPACE, 0x39, 0x20},
    Known{SDL_SCANCODE_CAPSLOCK, 0x3A, 0xFFE5},
    Known{SDL_SCANCODE_F1, 0x3B, 0xFFBE},
    Known{SDL_SCANCODE_F2, 0x3C, 0xFFBF},
    Known{SDL_SCANCODE_F3, 0x3D, 0xFFC0},
    Known{SDL_SCANCODE_F4, 0x3E, 0xFFC1},
    Known{SDL_SCANCODE_F5, 0x3F, 0xFFC2},
    Known{SDL_SCANCODE_F6, 0x40, 0xFFC3},
    Known{SDL_SCANCODE_F7, 0x41, 0xFFC4},
    Known{SDL_SCANCODE_F8, 0x42, 0xFFC5},
    Known{SDL_SCANCODE_F9, 0x43, 0xFFC6},
    Known{SDL_SCANCODE_F10, 0x44, 0xFFC7},
    Known{SDL_SCANCODE_NUMLOCKCLEAR, 0x45, 0xFF7F},
    Known{SDL_SCANCODE_SCROLLLOCK, 0x46, 0xFF14},
    Known{SDL_SCANCODE_KP_7, 0x47, 0xFFB7},
    Known{SDL_SCANCODE_KP_8, 0x48, 0xFFB8},
    Known{SDL_SCANCODE_KP_9, 0x49, 0xFFB9},
    Known{SDL_SCANCODE_KP_MINUS, 0x4A, 0xFFAD},
    Known{SDL_SCANCODE_KP_4, 0x4B, 0xFFB4},
    Known{SDL_SCANCODE_KP_5, 0x4C, 0xFFB5},
    Known{SDL_SCANCODE_KP_6, 0x4D, 0xFFB6},
    Known{SDL_SCANCODE_KP_PLUS, 0x4E, 0xFFAB},
    Known{SDL_SCANCODE_KP_1, 0x4F, 0xFFB1},
    Known{SDL_SCANCODE_KP_2, 0x50, 0xFFB2},
    Known{SDL_SCANCODE_KP_3, 0x51, 0xFFB3},
    Known{SDL_SCANCODE_KP_0, 0x52, 0xFFB0},
    Known{SDL_SCANCODE_KP_PERIOD, 0x53, 0xFFAE},
    Known{SDL_SCANCODE_NONUSBACKSLASH, 0x56, 0},
    Known{SDL_SCANCODE_F11, 0x57, 0xFFC8},
    Known{SDL_SCANCODE_F12, 0x58, 0xFFC9},
    Known{SDL_SCANCODE_KP_EQUALS, 0x59, 0xFFBD},
    Known{SDL_SCANCODE_INTERNATIONAL2, 0x70, 0xFF27}, // Katakana/Hiragana
    Known{SDL_SCANCODE_LANG2, 0x71, 0xFF34},          // Hanja
    Known{SDL_SCANCODE_LANG1, 0x72, 0xFF31},          // Hangul
    Known{SDL_SCANCODE_INTERNATIONAL1, 0x73, 0},      // Ro
    Known{SDL_SCANCODE_INTERNATIONAL4, 0x79, 0xFF23}, // Henkan
    Known{SDL_SCANCODE_INTERNATIONAL5, 0x7B, 0xFF22}, // Muhenkan
    Known{SDL_SCANCODE_INTERNATIONAL3, 0x7D, 0},      // Yen
    Known{SDL_SCANCODE_KP_COMMA, 0x7E, 0xFFAC},
    Known{SDL_SCANCODE_KP_ENTER, 0x9C, 0xFF8D},
    Known{SDL_SCANCODE_RCTRL, 0x9D, 0xFFE4},
    Known{SDL_SCANCODE_MUTE, 0xA0, 0x1008FF12},
    Known{SDL_SCANCODE_VOLUMEDOWN, 0xAE, 0x1008FF11},
    Known{SDL_SCANCODE_VOLUMEUP, 0xB0, 0x1008FF13},
    Known{SDL_SCANCODE_KP_DIVIDE, 0xB5, 0xFFAF},
    Known{SDL_SCANCODE_PRINTSCREEN, 0xB7, 0xFF61},
    Known{SDL_SCANCODE_RALT, 0xB8, 0xFFEA},
    Known{SDL_SCANCODE_PAUSE, 0xC6, 0xFF13},
    Known{SDL_SCANCODE_HOME, 0xC7, 0xFF50},
    Known{SDL_SCANCODE_UP, 0xC8, 0xFF52},
    Known{SDL_SCANCODE_PAGEUP, 0xC9, 0xFF55},
    Known{SDL_SCANCODE_LEFT, 0xCB, 0xFF51},
    Known{SDL_SCANCODE_RIGHT, 0xCD, 0xFF53},
    Known{SDL_SCANCODE_END, 0xCF, 0xFF57},
    Known{SDL_SCANCODE_DOWN, 0xD0, 0xFF54},
    Known{SDL_SCANCODE_PAGEDOWN, 0xD1, 0xFF56},
    Known{SDL_SCANCODE_INSERT, 0xD2, 0xFF63},
    Known{SDL_SCANCODE_DELETE, 0xD3, 0xFFFF},
    Known{SDL_SCANCODE_LGUI, 0xDB, 0xFFEB},
    Known{SDL_SCANCODE_RGUI, 0xDC, 0xFFEC},
    Known{SDL_SCANCODE_APPLICATION, 0xDD, 0xFF67},
    Known{SDL_SCANCODE_POWER, 0xDE, 0x1008FF2A},
    Known{SDL_SCANCODE_SLEEP, 0xDF, 0x1008FF2F},
};

const Known* find(SDL_Scancode key) {
    for (const Known& one : known_keys)
        if (one.key == key)
            return &one;
    return nullptr;
}

/// On the keypad the same keys are others without Num Lock.
std::uint32_t without_num_lock(std::uint32_t keysym) {
    constexpr std::uint32_t digit_0 = 0xFFB0;
    // Insert, End, Down, Next, Left, Begin, Right, Home, Up, Prior
    constexpr std::array<std::uint32_t, 10> others{0xFF9E, 0xFF9C, 0xFF99, 0xFF9B, 0xFF96,
                                                   0xFF9D, 0xFF98, 0xFF95, 0xFF97, 0xFF9A};
    if (keysym >= digit_0 && keysym < digit_0 + others.size())
        return others[keysym - digit_0];
    return keysym == 0xFFAE ? 0xFF9F : keysym; // Delete
}

/// The first character; 0: none.
std::uint32_t character_of(std::string_view text) {
    if (text.empty())
        return 0;
    const auto byte = [&](std::size_t at) {
        return static_cast<std::uint32_t>(static_cast<unsigned char>(text[at]));
    };
    const std::uint32_t first = byte(0);
    const std::size_t more = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : first >= 0xC0 ? 1 : 0;
    if (text.size() <= more)
        return 0;
    std::uint32_t character = more == 0 ? first : first & (0x3FU >> more);
    for (std::size_t i = 1; i <= more; ++i)
        character = character << 6 | (byte(i) & 0x3F);
    return character;
}

/// X11: Latin-1 is its own keysym, the rest of Unicode is marked.
std::uint32_t keysym_of(std::uint32_t character) {
    constexpr std::uint32_t unicode = 0x01000000;
    return character < 0x100 ? character : character | unicode;
}

/// What Shift makes of a key that types nothing just now (with Ctrl), as on a US and a Korean
/// keyboard.
std::uint32_t shifted(std::uint32_t character) {
    constexpr std::string_view plain = "`1234567890-=[]\\;',./";
    constexpr std::string_view with_shift = "~!@#$%^&*()_+{}|:\"<>?";
    if (character >= 'a' && character <= 'z')
        return character - 'a' + 'A';
    if (character >= 0x80)
        return character;
    const std::size_t at = plain.find(static_cast<char>(character));
    return at == std::string_view::npos ? character : static_cast<std::uint32_t>(with_shift[at]);
}

} // namespace

std::uint32_t scan_code_of(SDL_Scancode key) {
    const Known* known = find(key);
    return known == nullptr ? 0 : known->scan_code;
}

picture::Key key_of(const SDL_Keysym& key, std::string_view text) {
    const Known* known = find(key.scancode);
    picture::Key said;
    said.scan_code = known == nullptr ? 0 : known->scan_code;
    if (known != nullptr && known->keysym != 0) {
        const bool num_lock = (key.mod & KMOD_NUM) != 0;
        said.keysym = num_lock ? known->keysym : without_num_lock(known->keysym);
        return said;
    }
    if (const std::uint32_t character = character_of(text); character >= ' ') {
        said.keysym = keysym_of(character);
        return said;
    }
    const auto plain = static_cast<std::uint32_t>(key.sym);
    if (plain >= ' ' && (plain & SDLK_SCANCODE_MASK) == 0)
        said.keysym = keysym_of((key.mod & KMOD_SHIFT) != 0 ? shifted(plain) : plain);
    return said;
}

} // namespace baton::viewer
