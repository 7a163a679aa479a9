#include "history/directory.h"

#include <fmt/format.h>

namespace baton::history {
namespace {

constexpr std::string_view gone = "gone";
constexpr Seconds seconds_per_hour = 3600;

std::string key_of(const Subject& subject) {
    return (subject.kind == Kind::host ? "h" : "d") + subject.key;
}

Subject host_of(const monitor::Reading& reading) {
    Subject subject;
    subject.kind = Kind::host;
    // HostIP is the paper's key; a host that did not say its address goes by its name
    subject.key = reading.address.empty() ? reading.host.value : reading.address;
    subject.name = reading.host.value;
    subject.handle = reading.host.value;
    subject.state = "up";
    subject.first_seen = subject.last_seen = seconds_of(reading.wall);
    return subject;
}

Subject desktop_of(const monitor::DesktopReading& desktop, const std::string& host) {
    Subject subject;
    subject.kind = Kind::desktop;
    subject.key = desktop.who.uuid;
    subject.name = desktop.who.name;
    subject.host = host;
    subject.handle = desktop.who.desktop.value;
    subject.state = std::string(monitor::to_string(desktop.who.state));
    subject.first_seen = subject.last_seen = seconds_of(desktop.wall);
    return subject;
}

bool alike(const Subject& a, const Subject& b) {
    return a.name == b.name && a.host == b.host && a.handle == b.handle && a.state == b.state;
}

} // namespace

Result<void> Directory::load(Sql& sql) {
    known_.clear();
    ids_.clear();
    BATON_TRY(sql.run("SELECT id, kind, identity, name, host, handle, state, first_seen, "
                      "last_seen, rolled FROM subject",
                      {}, [&](const Answer& row) {
                          Known known;
                          known.subject = {row.integer(0),
                                           row.integer(1) == 0 ? Kind::host : Kind::desktop,
                                           std::string(row.text(2)),
                                           std::string(row.text(3)),
                                           std::string(row.text(4)),
                                           std::string(row.text(5)),
                                           std::string(row.text(6)),
                                           row.integer(7),
                                           row.integer(8)};
                          known.rolled = row.integer(9);
                          ids_[key_of(known.subject)] = row.integer(0);
                          known_[row.integer(0)] = std::move(known);
                      }));
    return sql.run("SELECT session, subject FROM stay ORDER BY until", {}, [&](const Answer& row) {
        if (const auto found = known_.find(row.integer(1)); found != known_.end())
            found->second.session = std::string(row.text(0));
    });
}

const Directory::Known* Directory::find(const Subject& subject) const {
    const auto id = ids_.find(key_of(subject));
    return id == ids_.end() ? nullptr : &known_.at(id->second);
}

bool Directory::up_to_date(const Subject& subject, const std::string& session) const {
    const Known* known = find(subject);
    return known != nullptr && alike(known->subject, subject) && known->session == session;
}

Result<std::vector<std::int64_t>> Directory::enrol(Sql& sql, const monitor::Reading& reading) {
    std::vector<Subject> wanted{host_of(reading)};
    std::vector<const std::string*> sessions;
    const std::string none_yet;
    sessions.push_back(&none_yet);
    for (const monitor::DesktopReading& desktop : reading.desktops) {
        wanted.push_back(desktop_of(desktop, wanted.front().key));
        sessions.push_back(&desktop.who.session.value);
    }
    std::set<std::int64_t> there;
    bool changes = false;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        changes = changes || !up_to_date(wanted[i], *sessions[i]);
        if (const Known* known = find(wanted[i]))
            there.insert(known->subject.id);
    }
    for (const auto& [id, known] : known_)
        changes = changes || (known.subject.host == wanted.front().key &&
                              known.subject.state != gone && !there.contains(id));
    if (changes) {
        BATON_TRY(sql.begin());
        const auto written = [&]() -> Result<void> {
            for (std::size_t i = 0; i < wanted.size(); ++i)
                if (!up_to_date(wanted[i], *sessions[i]))
                    BATON_TRY(write(sql, wanted[i], *sessions[i]));
            for (const Subject& subject : wanted)
                there.insert(find(subject)->subject.id);
            BATON_TRY(mark_gone(sql, wanted.front().key, there));
            return sql.commit();
        }();
        if (!written) {
            sql.roll_back();
            static_cast<void>(load(sql)); // what was cached of it is not in the database
            return tl::unexpected(written.error());
        }
    }
    std::vector<std::int64_t> ids;
    ids.reserve(wanted.size());
    for (const Subject& subject : wanted)
        ids.push_back(find(subject)->subject.id);
    return ids;
}

Result<std::int64_t> Directory::insert(Sql& sql, const Subject& wanted) {
    BATON_TRY(sql.run("INSERT INTO subject (kind, identity, name, host, handle, state, "
                      "first_seen, last_seen, rolled) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                      {Value{static_cast<std::int64_t>(wanted.kind)}, Value{wanted.key},
                       Value{wanted.name}, Value{wanted.host}, Value{wanted.handle},
                       Value{wanted.state}, Value{wanted.first_seen}, Value{wanted.last_seen},
                       Value{wanted.first_seen / seconds_per_hour}}));
    std::int64_t id = 0;
    BATON_TRY(sql.run("SELECT id FROM subject WHERE kind = ? AND identity = ?",
                      {Value{static_cast<std::int64_t>(wanted.kind)}, Value{wanted.key}},
                      [&](const Answer& row) { id = row.integer(0); }));
    if (id <= 0 || id >= 1 << 24)
        return fail(Errc::full, "the samples database has numbered its last subject",
                    "put it aside: a new one is begun");
    return id;
}

Result<void> Directory::write(Sql& sql, const Subject& wanted, const std::string& session) {
    const auto found = ids_.find(key_of(wanted));
    if (found == ids_.end()) {
        const auto id = insert(sql, wanted);
        if (!id)
            return tl::unexpected(id.error());
        Known known;
        known.subject = wanted;
        known.subject.id = *id;
        known.rolled = wanted.first_seen / seconds_per_hour;
        ids_[key_of(wanted)] = *id;
        known_[*id] = std::move(known);
    }
    Known& known = known_.at(ids_.at(key_of(wanted)));
    if (!alike(known.subject, wanted)) {
        BATON_TRY(
            sql.run("UPDATE subject SET name = ?, host = ?, handle = ?, state = ? WHERE id = ?",
                    {Value{wanted.name}, Value{wanted.host}, Value{wanted.handle},
                     Value{wanted.state}, Value{known.subject.id}}));
        known.subject.name = wanted.name;
        known.subject.host = wanted.host;
        known.subject.handle = wanted.handle;
        known.subject.state = wanted.state;
    }
    if (known.session != session) {
        if (!session.empty()) {
            std::int64_t since = wanted.last_seen;
            BATON_TRY(sql.run("SELECT since FROM stay WHERE session = ? AND subject = ?",
                              {Value{session}, Value{known.subject.id}},
                              [&](const Answer& row) { since = row.integer(0); }));
            BATON_TRY(sql.run(
                "REPLACE INTO stay (session, subject, since, until) VALUES (?, ?, ?, ?)",
                {Value{session}, Value{known.subject.id}, Value{since}, Value{wanted.last_seen}}));
        }
        known.session = session;
    }
    return {};
}

Result<void> Directory::mark_gone(Sql& sql, const std::string& host,
                                  const std::set<std::int64_t>& there) {
    for (auto& [id, known] : known_) {
        if (known.subject.host != host || known.subject.state == gone || there.contains(id))
            continue;
        BATON_TRY(sql.run("UPDATE subject SET state = ? WHERE id = ?", {Value{gone}, Value{id}}));
        known.subject.state = gone;
        known.session.clear();
    }
    return {};
}

Result<void> Directory::forget(Sql& sql, std::int64_t subject) {
    for (const char* text :
         {"DELETE FROM subject WHERE id = ?", "DELETE FROM stay WHERE subject = ?"})
        BATON_TRY(sql.run(text, {Value{subject}}));
    if (const auto found = known_.find(subject); found != known_.end()) {
        ids_.erase(key_of(found->second.subject));
        known_.erase(found);
    }
    return {};
}

} // namespace baton::history
