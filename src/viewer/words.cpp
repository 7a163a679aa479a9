#include "viewer/words.h"

#include "rfb/security.h"

#include <array>

namespace baton::viewer {

namespace {

struct Entry {
    std::string_view english;
    std::string_view korean;
};

constexpr std::array<Entry, 20> words{{
    {"Your desktop", "내 데스크톱"},
    {"Name", "이름"},
    {"Password", "비밀번호"},
    {"System", "운영체제"},
    {"Log in", "로그인"},
    {"Connecting ...", "연결하는 중 ..."},
    {"Your desktop is being prepared ...", "데스크톱을 준비하는 중 ..."},
    {"It is tried again by itself.", "자동으로 다시 시도합니다."},
    {"Esc: cancel", "Esc: 취소"},
    {"The name or the password is wrong.", "이름 또는 비밀번호가 틀렸습니다."},
    {"You are logged out.", "로그아웃되었습니다."},
    {"Type your name first.", "이름을 먼저 입력하십시오."},
    {"Choose the system that your desktop starts from (arrow keys), then press Enter.",
     "시작할 운영체제를 화살표 키로 고른 다음 Enter를 누르십시오."},
    {"Caps Lock is on", "Caps Lock이 켜져 있습니다"},
    {"Connection lost; connecting again ...", "연결이 끊어졌습니다. 다시 연결하는 중 ..."},
    {"user", "사용자"},
    {"desktop", "데스크톱"},
    {"host", "호스트"},
    {"round trip", "왕복"},
    {"frames/s", "초당 프레임"},
}};

std::string_view cause_in_korean(Errc code) {
    switch (code) {
    case Errc::refused:
    case Errc::full:
        return "지금은 데스크톱을 열 수 없습니다.";
    case Errc::unavailable:
        return "서버에 연결할 수 없습니다.";
    case Errc::timeout:
        return "서버가 응답하지 않습니다.";
    case Errc::unauthenticated:
        return "로그인이 거부되었습니다.";
    default:
        return "오류가 발생했습니다.";
    }
}

} // namespace

std::string_view word(Word which, Language language) {
    const Entry& entry = words[static_cast<std::size_t>(which)];
    return language == Language::korean ? entry.korean : entry.english;
}

std::string sentence(const Error& why, Language language) {
    if (why.what == rfb::wrong_credentials)
        return std::string(word(Word::wrong_credentials, language));
    if (language == Language::english)
        return why.message();
    return std::string(cause_in_korean(why.code)) + "\n" + why.message();
}

} // namespace baton::viewer
