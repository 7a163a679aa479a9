/// `baton-play`: a person's desk on this PC. Parsing and wiring only; what it does is in
/// src/player/.
#include "programs/baton_play/play.h"

int main(int argc, char** argv) {
    return baton::play_program::run(argc, argv, {});
}
