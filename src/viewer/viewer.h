#pragma once

#include "model/error.h"
#include "viewer/canvas_choice.h"
#include "viewer/layout.h"
#include "viewer/link.h"
#include "viewer/words.h"

#include <optional>
#include <string>
#include <vector>

namespace baton::viewer {

struct ViewerSettings {
    LinkSettings link;
    std::string controller; ///< its URL, where OS images are to be chosen from; "": the site's own
    std::string user;
    std::optional<std::string> password; ///< given: logs in without asking
    Language language = Language::english;
    int width = 0; ///< of the window; 0: the full screen
    int height = 0;
    Scale scale = Scale::fit;
    Draw draw = Draw::automatic;
    bool status = false;      ///< the status line from the beginning
    bool once = false;        ///< ends with the connection, or with the first refusal
    std::string font;         ///< a file; "": fontconfig finds one
    std::string message_file; ///< a line for the person comes in it; "": nobody writes to them
    std::string report; ///< a file or FIFO that is told when what was first seen; "": nobody is
};

/// Shows a screen until the person or SIGTERM ends it. On the main thread; once in a process.
/// With `once`: the error that ended it. Errc::unsupported: no display that SDL knows.
Result<void> run(ViewerSettings settings);

} // namespace baton::viewer
