#include "guest/desk_mount.h"

#include <ranges>
#include <utility>

namespace baton::guest {

Result<void> DeskMount::mount(const std::string& device, bool read_only,
                              const std::string& person) {
    auto done = mount_all(device, read_only, person);
    if (!done)
        if (const auto undone = unmount(); !undone)
            return fail(done.error().code,
                        done.error().message() + "; and then " + undone.error().message());
    return done;
}

Result<void> DeskMount::mount_all(const std::string& device, bool read_only,
                                  const std::string& person) {
    const std::string desk(desk_folder);
    BATON_TRY(calls_.make_folder(desk));
    BATON_TRY(calls_.mount_ext4(device, desk, read_only));
    mounted_.push_back(desk);
    for (const Forward& forward : forwards) {
        const std::string inside = desk + "/" + std::string(forward.inside);
        const std::string at(forward.at);
        if (const auto made = calls_.make_folder(inside); !made) {
            if (read_only)
                continue;
            return made;
        }
        if (forward.persons && !read_only)
            BATON_TRY(calls_.give_to_person(inside));
        BATON_TRY(calls_.make_folder(at));
        BATON_TRY(calls_.bind(inside, at));
        mounted_.push_back(at);
    }
    if (!read_only)
        BATON_TRY(calls_.make_home("/home/" + person));
    return {};
}

Result<void> DeskMount::unmount() {
    if (mounted_.empty())
        return {};
    const std::string desk = mounted_.front();
    // an error here is an error of the disk: it is told, but the desk has to be let go all the same
    auto flushed = calls_.flush(desk);

    std::vector<std::string> busy;
    const auto unmount_all = [this, &busy](const std::vector<std::string>& places) {
        busy.clear();
        for (const std::string& at : places | std::views::reverse)
            if (!calls_.unmount(at))
                busy.insert(busy.begin(), at);
    };
    unmount_all(mounted_);
    if (!busy.empty()) {
        calls_.kill_holders(desk);
        unmount_all(std::vector<std::string>(busy));
    }
    if (!busy.empty()) {
        if (const auto cut = calls_.cut_off(desk); !cut) {
            mounted_ = busy;
            return cut;
        }
        for (const std::string& at : std::vector<std::string>(busy) | std::views::reverse)
            BATON_TRY(calls_.detach(at));
    }
    mounted_.clear();
    return flushed;
}

} // namespace baton::guest
