#include "desk/copies.h"

#include "desk/check.h"
#include "desk/content.h"
#include "desk/image.h"
#include "desk/new_file.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <tuple>
#include <unistd.h>

namespace baton::desk {

namespace {

namespace fs = std::filesystem;

constexpr const char* extension = ".desk";

/// Nobody has it now, and whoever had it gave it back.
Result<Image> open_idle(const std::string& path, Access access) {
    auto image = Image::open(path, access);
    if (!image)
        return image;
    const auto& lease = image->header().lease;
    if (lease.kind != HolderKind::none)
        return fail(Errc::busy,
                    "the desk image " + path + " has not been given back by the " +
                        std::string(to_string(lease.kind)) + " " + lease.holder,
                    "close it there; if that machine is gone for good, open and close the desk "
                    "once with baton-play --break-lease");
    return image;
}

Result<void> not_away(const Image& image) {
    if (!image.header().checked_out)
        return {};
    return fail(Errc::refused,
                "the desk " + image.path() + " was taken away to " + image.header().checked_out->to,
                "bring it back first: baton desk checkin; if that copy is lost: checkin --lost");
}

Result<void> not_damaged(const Image& image) {
    if (image.header().state != State::damaged)
        return {};
    return fail(Errc::corrupt, "the desk " + image.path() + " was found damaged",
                "mend it first: baton desk check --repair " + image.path());
}

/// A new header for a file whose content is another's.
Header settled(const Header& header, const Header& content) {
    Header result = content;
    result.id = header.id;
    result.owner = header.owner;
    result.lease = {};
    result.checked_out.reset();
    result.journey.clear();
    result.largest_fence = std::max(header.largest_fence, content.largest_fence);
    result.generation = std::max(header.generation, content.generation) + 1;
    return result;
}

/// The content of `from` under `header`, in the place of the file at `path`.
Result<void> put_in_place(const Image& from, const std::string& path, const Header& header) {
    auto file = NewFile::instead_of(path, data_offset + header.size_bytes);
    if (!file)
        return tl::unexpected(file.error());
    if (!share_content(from, file->fd()))
        if (auto copied = copy_content(from, file->fd(), path); !copied)
            return tl::unexpected(copied.error());
    BATON_TRY(write_first_header(file->fd(), header, path));
    return file->replace();
}

std::string real_path(const std::string& image) {
    std::error_code error;
    const auto real = fs::canonical(image, error);
    return error ? image : real.string();
}

std::string snapshot_path(const std::string& image, const std::string& name) {
    return snapshot_folder(image) + "/" + name + extension;
}

WallTime changed_at(const std::string& path) {
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0)
        return {};
    return WallTime(std::chrono::duration_cast<WallTime::duration>(
        std::chrono::seconds(status.st_mtim.tv_sec) +
        std::chrono::nanoseconds(status.st_mtim.tv_nsec)));
}

Result<Image> open_snapshot(const std::string& image, const std::string& name) {
    BATON_TRY(check_name("snapshot's name", name));
    const auto path = snapshot_path(image, name);
    auto snapshot = Image::open(path, Access::read);
    if (snapshot || snapshot.error().code != Errc::not_found)
        return snapshot;
    std::string names;
    for (const auto& one : list_snapshots(image).value_or(std::vector<Snapshot>{}))
        names += (names.empty() ? "" : ", ") + one.name;
    return fail(Errc::not_found, "the desk " + image + " has no snapshot '" + name + "'",
                names.empty() ? "it has none; make one with: baton desk snapshot"
                              : "it has: " + names);
}

} // namespace

std::string snapshot_folder(const std::string& image) {
    return real_path(image) + ".snapshots";
}

Result<Snapshot> take_snapshot(const std::string& image, const std::string& name) {
    BATON_TRY(check_name("snapshot's name", name));
    auto from = open_idle(image, Access::read);
    if (!from)
        return tl::unexpected(from.error());
    const auto folder = snapshot_folder(image);
    const bool first = ::mkdir(folder.c_str(), 0700) == 0;
    if (!first && errno != EEXIST)
        return fail_errno(errno, "cannot make the folder " + folder);
    // on its own file system the name of a file is durable only when the folder's is
    if (first)
        BATON_TRY(sync_folder_of(folder));
    const auto path = snapshot_path(image, name);
    auto file = NewFile::create(path, data_offset + from->header().size_bytes);
    if (!file) {
        ::rmdir(folder.c_str());
        return tl::unexpected(file.error());
    }
    Snapshot snapshot{name, path, {}, from->header().generation, 0, false};
    snapshot.shared = share_content(*from, file->fd());
    const auto filled = [&]() -> Result<void> {
        if (!snapshot.shared)
            if (auto copied = copy_content(*from, file->fd(), path); !copied)
                return tl::unexpected(copied.error());
        BATON_TRY(write_first_header(file->fd(), from->header(), path));
        if (::fchmod(file->fd(), 0444) != 0)
            return fail_errno(errno, "cannot make " + path + " read-only");
        return file->commit();
    }();
    if (!filled) {
        {
            const NewFile gone = std::move(*file);
        }
        ::rmdir(folder.c_str());
        return tl::unexpected(filled.error());
    }
    snapshot.made = changed_at(path);
    if (const auto kept = Image::open(path, Access::look))
        snapshot.allocated_bytes = kept->allocated_bytes().value_or(0);
    return snapshot;
}

Result<std::vector<Snapshot>> list_snapshots(const std::string& image) {
    auto desk = Image::open(image, Access::look);
    if (!desk)
        return tl::unexpected(desk.error());
    std::vector<Snapshot> found;
    std::error_code error;
    for (fs::directory_iterator it(snapshot_folder(image), error), end; it != end && !error;
         it.increment(error)) {
        const auto name = it->path().stem().string();
        if (it->path().extension() != extension || !check_name("snapshot", name))
            continue;
        auto one = Image::open(it->path(), Access::look);
        if (!one || one->header().id != desk->header().id)
            continue;
        found.push_back({name, it->path().string(), changed_at(it->path()),
                         one->header().generation, one->allocated_bytes().value_or(0), false});
    }
    std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
        return std::tie(a.made, a.name) < std::tie(b.made, b.name);
    });
    return found;
}

Result<void> remove_snapshot(const std::string& image, const std::string& name) {
    auto snapshot = open_snapshot(image, name);
    if (!snapshot)
        return tl::unexpected(snapshot.error());
    if (::unlink(snapshot->path().c_str()) != 0)
        return fail_errno(errno, "cannot remove the snapshot " + snapshot->path());
    BATON_TRY(sync_folder_of(snapshot->path()));
    ::rmdir(snapshot_folder(image).c_str()); // when it was the last
    return {};
}

Result<void> remove_snapshots(const std::string& image) {
    const auto folder = snapshot_folder(image);
    std::error_code error;
    for (fs::directory_iterator it(folder, error), end; it != end && !error; it.increment(error))
        if (it->path().extension() == extension && ::unlink(it->path().c_str()) != 0)
            return fail_errno(errno, "cannot remove the snapshot " + it->path().string());
    if (::rmdir(folder.c_str()) != 0 && errno != ENOENT && errno != ENOTEMPTY)
        return fail_errno(errno, "cannot remove the folder " + folder);
    return {};
}

Result<Header> restore_snapshot(const std::string& image, const std::string& name) {
    auto desk = open_idle(image, Access::write);
    if (!desk)
        return tl::unexpected(desk.error());
    BATON_TRY(not_away(*desk));
    auto snapshot = open_snapshot(image, name);
    if (!snapshot)
        return tl::unexpected(snapshot.error());
    if (snapshot->header().id != desk->header().id)
        return fail(Errc::conflict, snapshot->path() + " is a snapshot of another desk",
                    "see those of this one: baton desk show " + image);
    auto header = settled(desk->header(), snapshot->header());
    BATON_TRY(put_in_place(*snapshot, image, header));
    return header;
}

Result<Copied> check_out(const std::string& image, const std::string& to,
                         const std::string& place) {
    BATON_TRY(check_name("check-out place", place));
    auto journey = new_desk_id();
    if (!journey)
        return tl::unexpected(journey.error());
    std::uint64_t generation = 0;
    {
        auto desk = open_idle(image, Access::read);
        if (!desk)
            return tl::unexpected(desk.error());
        BATON_TRY(not_away(*desk));
        BATON_TRY(not_damaged(*desk));
        generation = desk->header().generation;
    }
    auto copied = copy_image(image, to);
    if (!copied)
        return copied;
    const auto marked = [&]() -> Result<void> {
        BATON_TRY(begin_journey(to, journey->value));
        BATON_TRY(mark_checked_out(image, journey->value, generation, place));
        return {};
    }();
    if (!marked) {
        ::unlink(to.c_str());
        return tl::unexpected(marked.error());
    }
    copied->header.journey = journey->value;
    return copied;
}

Result<void> begin_journey(const std::string& copy, const std::string& journey) {
    auto image = Image::open(copy, Access::write);
    if (!image)
        return tl::unexpected(image.error());
    auto header = image->header();
    header.journey = journey;
    header.checked_out.reset();
    return image->change(header);
}

Result<Header> mark_checked_out(const std::string& image, const std::string& journey,
                                std::uint64_t generation, const std::string& place) {
    auto desk = open_idle(image, Access::write);
    if (!desk)
        return tl::unexpected(desk.error());
    auto header = desk->header();
    if (header.checked_out && header.journey == journey)
        return header;
    BATON_TRY(not_away(*desk));
    BATON_TRY(not_damaged(*desk));
    if (header.generation != generation)
        return fail(Errc::conflict,
                    "the desk " + image + " was opened while it was being checked out",
                    "try again when it is closed");
    header.checked_out = CheckOut{place, wall_now(), header.generation};
    header.journey = journey;
    BATON_TRY(desk->change(header));
    return header;
}

Result<void> may_come_back(const Header& copy, const Header& home) {
    const auto refuse = [](const std::string& why) {
        return fail(Errc::conflict, "this copy cannot come back: " + why,
                    "nothing is merged; keep it under another name, or copy files out of it with "
                    "baton-play");
    };
    if (copy.id != home.id)
        return refuse("it is of another desk");
    if (!home.checked_out)
        return refuse(copy.journey.empty() ? "the desk is not checked out"
                                           : "the desk is not checked out any more: it was opened "
                                             "at home since, or another copy came back");
    if (copy.checked_out)
        return refuse("it is the one that stayed when the desk went on to " + copy.checked_out->to);
    if (copy.journey.empty() || copy.journey != home.journey)
        return refuse("it is not the one that left when the desk was checked out to " +
                      home.checked_out->to);
    if (home.generation != home.checked_out->generation)
        return refuse("the desk was changed at home since (generation " +
                      std::to_string(home.generation) + ", it left at " +
                      std::to_string(home.checked_out->generation) + ")");
    if (copy.generation < home.checked_out->generation)
        return refuse("it is older than what it was copied from");
    // one more with each opening: nobody opens a desk a thousand times a second for a lifetime
    constexpr std::uint64_t most_openings = std::uint64_t{1} << 41;
    if (copy.generation - home.checked_out->generation > most_openings)
        return refuse("its header counts more openings than there can have been");
    return {};
}

Result<Header> check_in(const std::string& copy, const std::string& image,
                        const std::string& place) {
    BATON_TRY(check_name("check-out place", place));
    auto home = Image::open(image, Access::write);
    if (!home)
        return tl::unexpected(home.error());
    auto came = open_idle(copy, Access::write);
    if (!came)
        return tl::unexpected(came.error());
    BATON_TRY(may_come_back(came->header(), home->header()));
    const auto report = check(*came, {});
    if (!report)
        return tl::unexpected(report.error());
    if (report->verdict == Verdict::damaged)
        return fail(Errc::corrupt,
                    "the copy " + copy + " is damaged" +
                        (report->findings.empty() ? "" : ": " + report->findings.front()),
                    "mend it first: baton desk check --repair " + copy);
    auto header = settled(home->header(), came->header());
    BATON_TRY(put_in_place(*came, image, header));
    // the desk is home; that this one stays behind is for who opens it by mistake
    BATON_TRY(leave_behind(*came, place));
    return header;
}

Result<Image> hold_copy(const std::string& copy) {
    return open_idle(copy, Access::write);
}

Result<void> leave_behind(Image& copy, const std::string& place) {
    BATON_TRY(check_name("check-out place", place));
    auto header = copy.header();
    header.checked_out = CheckOut{place, wall_now(), header.generation};
    return copy.change(header);
}

Result<Header> call_off(const std::string& image) {
    auto desk = open_idle(image, Access::write);
    if (!desk)
        return tl::unexpected(desk.error());
    auto header = desk->header();
    if (!header.checked_out)
        return fail(Errc::conflict, "the desk " + image + " is not checked out",
                    "there is nothing to call off");
    header.checked_out.reset();
    header.journey.clear();
    BATON_TRY(desk->change(header));
    return header;
}

} // namespace baton::desk
