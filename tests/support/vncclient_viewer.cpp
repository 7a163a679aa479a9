/// libvncclient (GPL-2+; this program is a test's own and is never installed) as a viewer:
/// vncclient_viewer PORT CA USER PASSWORD. Then a line on standard input each, answered by one:
///
///     picture FILE      what it shows, as a PPM
///     type TEXT         presses and releases keys
///     screenshot FILE   the same as picture
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <poll.h>
#include <rfb/rfbclient.h>
#include <string>
#include <unistd.h>

namespace {

std::string authority;
std::string user;
std::string password;

rfbCredential* give_credential(rfbClient* /*client*/, int kind) {
    auto* credential = static_cast<rfbCredential*>(std::calloc(1, sizeof(rfbCredential)));
    if (kind == rfbCredentialTypeX509) {
        credential->x509Credential.x509CACertFile = ::strdup(authority.c_str());
    } else {
        credential->userCredential.username = ::strdup(user.c_str());
        credential->userCredential.password = ::strdup(password.c_str());
    }
    return credential;
}

rfbBool make_room(rfbClient* client) {
    std::free(client->frameBuffer);
    const auto pixels =
        static_cast<std::size_t>(client->width) * static_cast<std::size_t>(client->height);
    client->frameBuffer = static_cast<std::uint8_t*>(std::calloc(pixels, 4));
    client->updateRect = {0, 0, client->width, client->height};
    return TRUE;
}

void write_picture(const rfbClient& client, const std::string& path) {
    std::ofstream file(path, std::ios::binary);
    file << "P6\n" << client.width << " " << client.height << "\n255\n";
    for (int i = 0; i < client.width * client.height; ++i) {
        const std::uint8_t* pixel = client.frameBuffer + std::ptrdiff_t{i} * 4;
        for (const int shift :
             {client.format.redShift, client.format.greenShift, client.format.blueShift})
            file.put(static_cast<char>(pixel[shift / 8]));
    }
}

bool obey(rfbClient* client, const std::string& line) {
    const std::size_t space = line.find(' ');
    const std::string word = line.substr(0, space);
    const std::string rest = space == std::string::npos ? "" : line.substr(space + 1);
    if (word == "picture" || word == "screenshot") {
        write_picture(*client, rest);
        return true;
    }
    if (word != "type")
        return false;
    for (const char letter : rest)
        for (const rfbBool down : {TRUE, FALSE}) {
            SendKeyEvent(client, static_cast<std::uint32_t>(letter), down);
            ::usleep(10'000); // as fast as a person: a keyboard's queue has 16 places
        }
    return true;
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 5)
        return 2;
    authority = argv[2];
    user = argv[3];
    password = argv[4];
    rfbEnableClientLogging = std::getenv("BATON_LOG") != nullptr ? TRUE : FALSE;
    rfbClient* client = rfbGetClient(8, 3, 4);
    client->serverHost = ::strdup("127.0.0.1");
    client->serverPort = std::atoi(argv[1]);
    client->canHandleNewFBSize = TRUE;
    client->GetCredential = give_credential;
    client->MallocFrameBuffer = make_room;
    client->appData.encodingsString = "tight zrle hextile raw";
    client->appData.useRemoteCursor = TRUE;
    if (rfbInitClient(client, nullptr, nullptr) == FALSE)
        return 1; // it has freed the client
    for (;;) {
        pollfd asked{STDIN_FILENO, POLLIN, 0};
        const int waits = WaitForMessage(client, 5'000);
        if (waits < 0 || (waits > 0 && HandleRFBServerMessage(client) == FALSE))
            return 1;
        if (waits > 0 || ::poll(&asked, 1, 0) != 1)
            continue;
        std::string line;
        if (!std::getline(std::cin, line))
            return 0;
        std::cout << (obey(client, line) ? "ok" : "no such command") << std::endl;
    }
}
