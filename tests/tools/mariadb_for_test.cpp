/// mariadb_for_test DATABASE...: a MariaDB server of the caller's alone, its URL on a line for each
/// database, until standard input ends. A 'k' there kills it, an 's' starts it over the same data;
/// each is answered by a line when it is done.
#include "support/mariadb_server.h"

#include <cstdio>
#include <exception>

int main(int argc, char** argv) {
    try {
        baton::testing::MariadbServer server;
        for (int i = 1; i < argc; ++i)
            std::printf("%s\n", server.database(argv[i]).c_str());
        std::fflush(stdout);
        for (int word = std::getchar(); word != EOF; word = std::getchar()) {
            if (word == 'k')
                server.kill();
            else if (word == 's')
                server.start();
            else
                continue;
            std::printf("done\n");
            std::fflush(stdout);
        }
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
    return 0;
}
