#pragma once

#include "model/error.h"
#include "player/watch.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

/// A graphical session, as the player sees it. What it is made of is in screen/, which baton-play
/// itself does not load: a text session would pay for it.
namespace baton::player {

class Session;

/// The PC's display that DISPLAY names.
struct PcDisplay {
    std::string name;   ///< ":1", as X clients take it
    std::string socket; ///< of a local X server; empty: it is reached over the network
    bool operator==(const PcDisplay&) const = default;
};

/// Pure. Errc::invalid_argument; an empty text: Errc::not_found, with what to do.
Result<PcDisplay> parse_display(std::string_view text);

/// Whether what is cut or copied on one side can be pasted on the other.
enum class Clipboard : std::uint8_t {
    apart, ///< neither way
    in,    ///< from the PC into the desk
    out,   ///< from the desk to the PC
    both,
};

std::string_view to_string(Clipboard clipboard);
/// Errc::invalid_argument.
Result<Clipboard> parse_clipboard(std::string_view text);

class Display {
  public:
    virtual ~Display() = default;

    /// In an open session, before its first program: the desk's X server runs, and is shown.
    virtual Result<void> begin(Session& session) = 0;

    /// After the desktop was started: waits until it takes care of windows. A program that opens
    /// one before may never get it.
    virtual void wait_for_manager() = 0;

    /// The desk's desktop before the PC's, or the PC's again. Waits until it is so.
    virtual Result<void> show(bool desk) = 0;
    [[nodiscard]] virtual bool shown() const = 0;
    [[nodiscard]] virtual const PcDisplay& pc() const = 0;

    /// What to listen to while programs run.
    virtual std::vector<Watch> watches() = 0;
};

struct DisplayOrder {
    Clipboard clipboard = Clipboard::apart;
    std::string hotkey;
};

} // namespace baton::player
