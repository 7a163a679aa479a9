/// mariadb_for_test DATABASE...: a MariaDB server of the caller's alone, its URL on a line for each
/// database, until standard input ends.
#include "support/mariadb_server.h"

#include <cstdio>
#include <exception>

int main(int argc, char** argv) {
    try {
        baton::testing::MariadbServer server;
        for (int i = 1; i < argc; ++i)
            std::printf("%s\n", server.database(argv[i]).c_str());
        std::fflush(stdout);
        while (std::getchar() != EOF) {
        }
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
    return 0;
}
