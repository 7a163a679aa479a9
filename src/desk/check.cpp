#include "desk/check.h"

#include "desk/sandbox.h"

#include <algorithm>
#include <charconv>

namespace baton::desk {

namespace {

/// e2fsck's exit status is a sum of these.
constexpr int mended = 1 | 2;
constexpr int left_damaged = 4;
constexpr int killed = 128;

/// The most lines of e2fsck's that a report carries.
constexpr std::size_t lines_kept = 20;

std::string placed(std::int64_t content_offset) {
    return image_in_sandbox + ("?offset=" + std::to_string(content_offset));
}

/// Bytes of a hostile file system reach a terminal through here alone.
std::string printable(std::string_view text) {
    std::string clean(text);
    for (char& c : clean)
        if (static_cast<unsigned char>(c) < ' ' || c == 0x7f)
            c = '?';
    return clean;
}

template <class Sink>
void each_line(std::string_view text, Sink sink) {
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        sink(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
}

void keep_findings(std::string_view output, std::vector<std::string>& findings) {
    std::size_t lines = 0;
    each_line(output, [&](std::string_view line) {
        if (line.empty() || line.starts_with("Pass ") || line.starts_with("e2fsck 1."))
            return;
        if (lines++ < lines_kept)
            findings.push_back("e2fsck: " + printable(line));
    });
    if (lines > lines_kept)
        findings.push_back("e2fsck: " + std::to_string(lines - lines_kept) + " more lines");
}

/// One run of e2fsck: its exit status; what it said goes into the report unless all was well.
Result<int> run_pass(const Image& image, int pass, const CheckOrder& order, CheckReport& report) {
    SandboxOrder sandbox;
    const auto& path = image.path();
    sandbox.words = check_words(pass, image.content_offset());
    sandbox.image = path;
    sandbox.writable = pass != 0;
    sandbox.deadline = order.deadline;
    auto finished = run_in_sandbox(sandbox);
    if (!finished)
        return tl::unexpected(finished.error().in("checking the desk image " + path));
    const int status = finished->status;
    if (status != 0) {
        keep_findings(finished->out, report.findings);
        keep_findings(finished->error, report.findings);
    }
    if (status >= killed) {
        report.findings.push_back("e2fsck was ended by signal " + std::to_string(status - killed) +
                                  ": this file system is not to be trusted");
        return left_damaged;
    }
    return status;
}

/// Looks, without writing. `unsettled`: the journal has not been replayed, so that e2fsck's
/// complaints may be about what the journal holds.
Result<Verdict> look(const Image& image, const CheckOrder& order, bool readable,
                     CheckReport& report) {
    const auto status = run_pass(image, 0, order, report);
    if (!status)
        return tl::unexpected(status.error());
    if (!readable || (report.superblock.has_errors && *status != 0))
        return Verdict::damaged;
    if (report.superblock.needs_recovery)
        return Verdict::unsettled;
    if (*status == 0)
        return Verdict::clean;
    if ((*status & ~(mended | left_damaged)) != 0)
        return fail(Errc::io,
                    "e2fsck could not check the desk image " + image.path() + ": " +
                        (report.findings.empty() ? "it gave no reason" : report.findings.back()));
    return Verdict::damaged;
}

/// The group descriptors are bad, not the superblock itself.
bool wants_copies(const CheckReport& report) {
    return std::any_of(report.findings.begin(), report.findings.end(), [](const auto& line) {
        return line.find("trying backup blocks") != std::string::npos;
    });
}

Result<Verdict> mend(const Image& image, const CheckOrder& order, bool readable,
                     CheckReport& report) {
    // e2fsck makes matters worse when it mends by group descriptors that are rubbish: look first
    auto status = run_pass(image, 0, order, report);
    const bool copies = !readable || wants_copies(report);
    if (status)
        status = run_pass(image, copies ? 3 : 1, order, report);
    if (status && *status >= left_damaged)
        status = run_pass(image, 2, order, report);
    if (!status)
        return tl::unexpected(status.error());
    const bool changed = *status != 0;
    status = run_pass(image, 0, order, report);
    if (!status)
        return tl::unexpected(status.error());
    if (*status != 0)
        return Verdict::damaged;
    return changed ? Verdict::repaired : Verdict::clean;
}

Result<void> mark_state(Image& image, Verdict verdict) {
    Header header = image.header();
    header.state = verdict == Verdict::damaged ? State::damaged : State::ready;
    if (header == image.header() && image.warnings().empty())
        return {};
    return image.change(header);
}

std::string_view field(std::string_view& line) {
    const auto end = std::min(line.find('/'), line.size());
    const auto value = line.substr(0, end);
    line.remove_prefix(std::min(end + 1, line.size()));
    return value;
}

template <class T>
bool number(std::string_view text, T& value, int base = 10) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    return error == std::errc{} && end == text.data() + text.size();
}

std::string_view kind_of(unsigned mode) {
    switch (mode & 0170000U) {
    case 0100000U:
        return "file";
    case 0040000U:
        return "folder";
    case 0120000U:
        return "link";
    default:
        return "other";
    }
}

} // namespace

std::string_view to_string(Verdict verdict) {
    switch (verdict) {
    case Verdict::clean:
        return "clean";
    case Verdict::unsettled:
        return "unsettled";
    case Verdict::repaired:
        return "repaired";
    case Verdict::damaged:
        break;
    }
    return "damaged";
}

std::vector<std::string> check_words(int pass, std::int64_t content_offset) {
    constexpr std::array how{"-n", "-p", "-y", "-y"};
    std::vector<std::string> words{"e2fsck", "-f", how.at(static_cast<std::size_t>(pass))};
    // e2fsck looks for copies of the superblock without the offset: it must be told where one is
    if (pass == 3)
        words.insert(words.end(), {"-b", "32768", "-B", "4096"});
    words.push_back(placed(content_offset));
    return words;
}

Result<CheckReport> check(const std::string& path, const CheckOrder& order) {
    const bool write = order.repair || order.mark;
    auto image = Image::open(path, write ? Access::write : Access::read);
    if (!image)
        return tl::unexpected(image.error());
    return check(*image, order);
}

Result<CheckReport> check(Image& image, const CheckOrder& order) {
    CheckReport report;
    report.findings = image.warnings();
    auto superblock = image.superblock();
    if (superblock)
        report.superblock = *superblock;
    else
        report.findings.push_back(superblock.error().what);
    auto verdict = order.repair ? mend(image, order, superblock.has_value(), report)
                                : look(image, order, superblock.has_value(), report);
    if (!verdict)
        return tl::unexpected(verdict.error());
    report.verdict = *verdict;
    if (order.repair || order.mark)
        BATON_TRY(mark_state(image, report.verdict));
    if (order.repair) {
        BATON_TRY(image.sync());
        superblock = image.superblock();
        report.superblock = superblock.value_or(Superblock{});
    }
    report.header = image.header();
    return report;
}

std::vector<ListedFile> parse_listing(std::string_view text) {
    std::vector<ListedFile> files;
    each_line(text, [&](std::string_view line) {
        // "/16/100644/1000/1000/.profile/3/"
        if (!line.starts_with('/'))
            return;
        line.remove_prefix(1);
        field(line);
        ListedFile file;
        const bool sound = number(field(line), file.mode, 8) && number(field(line), file.uid) &&
                           number(field(line), file.gid);
        file.name = printable(field(line));
        const auto size = field(line);
        if (!sound || (!size.empty() && !number(size, file.size_bytes)))
            return;
        if (file.name.empty() || file.name == "." || file.name == "..")
            return;
        file.kind = kind_of(file.mode);
        file.mode &= 07777U;
        files.push_back(std::move(file));
    });
    return files;
}

Result<std::vector<ListedFile>> list_files(const std::string& path, const std::string& folder) {
    auto image = Image::open(path, Access::read);
    if (!image)
        return tl::unexpected(image.error());
    return list_files(*image, folder);
}

Result<std::vector<ListedFile>> list_files(const Image& image, const std::string& folder) {
    const auto& path = image.path();
    const bool speakable = std::none_of(folder.begin(), folder.end(), [](char c) {
        return c == '"' || c == '\\' || static_cast<unsigned char>(c) < ' ';
    });
    if (!speakable || !folder.starts_with('/'))
        return fail(Errc::invalid_argument, "'" + printable(folder) + "' is no folder of a desk",
                    "write it from the top, for example /fwd/home");
    SandboxOrder sandbox;
    sandbox.words = {"debugfs", "-R", "ls -p \"" + folder + "\"", placed(image.content_offset())};
    sandbox.image = path;
    sandbox.deadline = std::chrono::seconds(30);
    auto finished = run_in_sandbox(sandbox);
    if (!finished)
        return tl::unexpected(finished.error().in("looking into the desk image " + path));
    if (finished->error.find("File not found") != std::string::npos)
        return fail(Errc::not_found, "the desk image " + path + " has no folder " + folder);
    if (finished->error.find('\n') != finished->error.rfind('\n') || finished->status != 0)
        return fail(Errc::corrupt,
                    "cannot look into the desk image " + path + ": " +
                        process::last_line(finished->error),
                    "check it with: baton desk check");
    return parse_listing(finished->out);
}

} // namespace baton::desk
