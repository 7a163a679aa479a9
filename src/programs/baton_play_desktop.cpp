/// What `baton-play --graphical` becomes: the same program with what speaks with displays
/// (src/screen/), which a session in a terminal does not wait for.
#include "programs/baton_play/play.h"
#include "screen/begin_desktop.h"
#include "screen/desktop.h"

int main(int argc, char** argv) {
    return baton::play_program::run(
        argc, argv, {&baton::screen::prepare_desktop, &baton::screen::begin_desktop});
}
