#pragma once

#include "model/error.h"

#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>

namespace baton {

/// A name or identifier that cannot be mistaken for another kind. Empty = none.
template <class Tag>
struct Id {
    std::string value;

    Id() = default;

    explicit Id(std::string text) : value(std::move(text)) {}

    [[nodiscard]] bool empty() const { return value.empty(); }

    auto operator<=>(const Id&) const = default;
};

/// A host's name, as given when it was invited: "host1".
using HostId = Id<struct HostTag>;
/// A gateway's name, as given when it was invited: "gate1".
using GatewayId = Id<struct GatewayTag>;
/// One running (or once running) VM: "d-" and 8 to 32 of [0-9a-z]; never used twice.
using DesktopId = Id<struct DesktopTag>;
/// One person at work: "s-" and 8 to 32 of [0-9a-z]; never used twice.
using SessionId = Id<struct SessionTag>;
/// A person's login name.
using UserName = Id<struct UserTag>;
/// A managed desk's name, as people say it: "kim".
using DeskName = Id<struct DeskNameTag>;
/// The UUID in a desk's header: the same desk wherever its file is.
using DeskId = Id<struct DeskIdTag>;
/// "name-version", for example "tiny-1": one immutable content, forever.
using OsImageId = Id<struct OsImageTag>;

/// Who may write a desk. Only grows; a holder with a smaller number has lost it. 0 = never held.
struct FencingNumber {
    std::uint64_t value = 0;

    [[nodiscard]] FencingNumber next() const { return FencingNumber{value + 1}; }

    auto operator<=>(const FencingNumber&) const = default;
};

/// Names that people choose (hosts, users, desks, image names): 1 to 63 of [a-z0-9.-], beginning
/// with a letter or digit, no "..". Safe in file names, host names, NBD export names and nft sets.
/// `kind` begins the message: "user name".
Result<void> check_name(std::string_view kind, std::string_view name);

} // namespace baton

template <class Tag>
struct std::hash<baton::Id<Tag>> {
    std::size_t operator()(const baton::Id<Tag>& id) const noexcept {
        return std::hash<std::string>{}(id.value);
    }
};
