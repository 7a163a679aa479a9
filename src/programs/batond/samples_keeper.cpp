#include "programs/batond/samples_keeper.h"

#include "history/mariadb_url.h"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

namespace baton::controller {

namespace {

using history::Recorder;

/// Questions that wait for the reading thread; more are refused.
constexpr int most_waiting_reads = 64;

std::string shown(const std::string& place) {
    const auto url = history::parse_mariadb_url(place);
    return place.starts_with("mysql://") ? (url ? url->shown() : "MariaDB") : place;
}

std::string kind_of(Recorder::News news) {
    switch (news) {
    case Recorder::News::stopped:
        return "samples.stopped";
    case Recorder::News::resumed:
        return "samples.resumed";
    case Recorder::News::shortened:
        return "samples.shortened";
    }
    return "samples";
}

} // namespace

SamplesKeeper::SamplesKeeper(Doors doors, Settings settings)
    : doors_(std::move(doors)),
      settings_(std::move(settings)),
      shown_(shown(settings_.place)),
      recorder_([this] { return history::open(settings_.place, settings_.retention); },
                [this](Recorder::News news, const std::string& sentence) { tell(news, sentence); },
                {.most_bytes = settings_.most_waiting_bytes}),
      alive_(std::make_shared<std::atomic<bool>>(true)) {}

SamplesKeeper::~SamplesKeeper() {
    *alive_ = false;
    reading_.stop();
    thread_.reset();
}

void SamplesKeeper::begin() {
    annotate_all();
    thread_ = std::make_unique<history::RecorderThread>(recorder_);
}

void SamplesKeeper::annotate(const handoff::SessionView& session) {
    if (session.row.phase == store::SessionPhase::serving ||
        session.row.phase == store::SessionPhase::handing_off)
        recorder_.annotate({session.row.id.value, session.row.user.value, session.row.image.value,
                            history::seconds_of(session.row.created)});
}

void SamplesKeeper::annotate_all() {
    for (const handoff::SessionView& session : doors_.engine.sessions())
        annotate(session);
}

void SamplesKeeper::happened(const std::vector<store::EventRow>& events) {
    for (const store::EventRow& event : events)
        if (event.kind == "session.opened")
            if (const auto session = doors_.engine.session(SessionId(event.subject)))
                annotate(*session);
}

void SamplesKeeper::tell(Recorder::News news, const std::string& sentence) {
    doors_.log(news != Recorder::News::resumed, sentence);
    doors_.clock.post([this, alive = alive_, news, sentence] {
        if (!*alive)
            return;
        if (news == Recorder::News::resumed) {
            open_anew_ = true;
            annotate_all(); // it may be another database than before
        }
        store::Change change;
        store::EventRow event;
        event.at = doors_.clock.wall();
        event.kind = kind_of(news);
        event.subject = "samples";
        event.text = sentence;
        event.data_json = boost::json::serialize(boost::json::object{{"where", shown_}});
        change.events.push_back(std::move(event));
        if (const auto told = doors_.store.commit(change); !told)
            return doors_.log(true, told.error().in("telling of the samples").message());
        doors_.events_grew();
    });
}

api::Kept::State SamplesKeeper::state() const {
    return {shown_, recorder_.figures()};
}

bool SamplesKeeper::read(Read read) {
    if (++waiting_reads_ > most_waiting_reads) {
        --waiting_reads_;
        return false;
    }
    reading_.run([this, read = std::move(read)] {
        read_now(read);
        --waiting_reads_;
    });
    return true;
}

void SamplesKeeper::read_now(const Read& read) {
    if (open_anew_.exchange(false))
        reader_.reset();
    if (!reader_) {
        auto opened = history::open(settings_.place, settings_.retention, true);
        if (!opened) {
            static_cast<void>(read(tl::unexpected(opened.error())));
            return;
        }
        reader_ = std::move(*opened);
    }
    // SQLite's file may have been put aside or mended: a connection that fails is not kept
    if (!read(std::ref(*reader_)))
        reader_.reset();
}

} // namespace baton::controller
