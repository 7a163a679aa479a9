#include "history/recorder.h"
#include "support/readings.h"
#include "support/temporary_directory.h"

#include <gtest/gtest.h>

#include <csignal>
#include <sys/wait.h>
#include <unistd.h>

namespace baton::history {
namespace {

using testing::reading_at;
using testing::start;

/// The real database, refusing as it is told.
class Refusing final : public Samples {
  public:
    Refusing(std::unique_ptr<Samples> real, const Errc* refusal)
        : real_(std::move(real)), refusal_(refusal) {}

    Result<std::vector<std::int64_t>> enrol(const monitor::Reading& reading) override {
        return real_->enrol(reading);
    }

    Result<void> append(std::span<const Sample> samples) override {
        if (*refusal_ != Errc::internal)
            return fail(*refusal_, "the disk is full", "free some space");
        return real_->append(samples);
    }

    Result<void> annotate(const Person& person) override {
        if (*refusal_ != Errc::internal)
            return fail(*refusal_, "the disk is full", "free some space");
        return real_->annotate(person);
    }

    Result<Tended> tend(Seconds now, int most) override { return real_->tend(now, most); }

    Result<std::vector<Subject>> subjects() override { return real_->subjects(); }

    Result<std::vector<Stay>> stays() override { return real_->stays(); }

    Result<std::vector<Person>> people() override { return real_->people(); }

    Result<std::vector<Point>> read(std::int64_t subject, Seconds from, Seconds until,
                                    Resolution resolution) override {
        return real_->read(subject, from, until, resolution);
    }

    Result<Size> size() override { return real_->size(); }

  private:
    std::unique_ptr<Samples> real_;
    const Errc* refusal_;
};

class HistoryRecorder : public ::testing::Test {
  protected:
    Recorder::Open opener() {
        return [this]() -> Result<std::unique_ptr<Samples>> {
            ++opened_;
            auto real = open_sqlite(path_);
            if (!real)
                return tl::unexpected(real.error());
            return std::make_unique<Refusing>(std::move(*real), &refusal_);
        };
    }

    Recorder::Tell teller() {
        return [this](Recorder::News, const std::string& sentence) { told_.push_back(sentence); };
    }

    std::size_t kept() {
        auto samples = open_sqlite(path_, {}, true);
        return samples ? (*samples)->read(1, start, start + 10'000, Resolution::second)->size() : 0;
    }

    testing::TemporaryDirectory directory_;
    std::string path_ = directory_.file("samples.db");
    Errc refusal_ = Errc::internal; ///< internal: none
    int opened_ = 0;
    std::vector<std::string> told_;
};

TEST_F(HistoryRecorder, WhatIsOfferedIsWrittenAtTheNextSecond) {
    Recorder recorder(opener(), teller());
    for (Seconds at = start; at < start + 5; ++at) {
        recorder.offer(reading_at(at, 3));
        recorder.work(at);
    }
    EXPECT_EQ(kept(), 5U);
    EXPECT_EQ(recorder.figures().written, 20U);
    EXPECT_TRUE(told_.empty());
}

TEST_F(HistoryRecorder, AFullDiskIsShoutedOnceAndCaughtUp) {
    Recorder recorder(opener(), teller());
    recorder.offer(reading_at(start, 1));
    recorder.work(start);
    refusal_ = Errc::full;
    for (Seconds at = start + 1; at < start + 100; ++at) {
        recorder.offer(reading_at(at, 1));
        recorder.work(at);
    }
    ASSERT_EQ(told_.size(), 1U);
    EXPECT_NE(told_[0].find("HISTORY HAS STOPPED"), std::string::npos) << told_[0];
    EXPECT_NE(told_[0].find("the disk is full"), std::string::npos);
    EXPECT_EQ(kept(), 1U);
    EXPECT_EQ(recorder.figures().waiting_samples, 198U);
    refusal_ = Errc::internal;
    recorder.work(start + 150);
    ASSERT_EQ(told_.size(), 2U);
    EXPECT_EQ(told_[1], "history goes on: 198 samples were caught up, 0 were lost");
    EXPECT_EQ(kept(), 100U);
    EXPECT_EQ(opened_, 1);
}

TEST_F(HistoryRecorder, WhoHasASessionWaitsToo) {
    Recorder recorder(opener(), teller(), {.most_people = 2});
    refusal_ = Errc::full;
    recorder.annotate({"s-kim", "kim", "tiny-1", start});
    recorder.work(start);
    recorder.annotate({"s-lee", "lee", "tiny-1", start + 1});
    recorder.annotate(
        {"s-kim", "kim", "tiny-2", start + 2}); // newer than what could not be written
    recorder.annotate({"s-park", "park", "tiny-1", start + 3}); // one too many
    recorder.work(start + 5);
    EXPECT_TRUE(recorder.figures().failing);
    refusal_ = Errc::internal;
    recorder.work(start + 60);
    auto samples = open_sqlite(path_, {}, true).value();
    EXPECT_EQ(samples->people().value(),
              (std::vector<Person>{{"s-kim", "kim", "tiny-2", start + 2},
                                   {"s-lee", "lee", "tiny-1", start + 1}}));
    recorder.annotate({"s-park", "park", "tiny-1", start + 3});
    recorder.work(start + 61);
    EXPECT_EQ(samples->people()->size(), 3U);
}

TEST_F(HistoryRecorder, TheFiguresSayHowItGoes) {
    Recorder recorder(opener(), teller());
    EXPECT_FALSE(recorder.figures().sized);
    recorder.offer(reading_at(start, 1));
    recorder.work(start);
    const auto good = recorder.figures();
    EXPECT_TRUE(good.sized);
    EXPECT_GT(good.size.used_bytes, 4096);
    EXPECT_GE(good.size.file_bytes, good.size.used_bytes);
    refusal_ = Errc::full;
    recorder.offer(reading_at(start + 1, 1));
    recorder.work(start + 1);
    const auto bad = recorder.figures();
    EXPECT_TRUE(bad.failing);
    EXPECT_EQ(bad.since, start + 1);
    EXPECT_NE(bad.why.find("the disk is full"), std::string::npos);
    refusal_ = Errc::internal;
    recorder.work(start + 60);
    EXPECT_FALSE(recorder.figures().failing);
    EXPECT_EQ(recorder.figures().why, "");
    EXPECT_EQ(recorder.figures().since, 0);
}

TEST_F(HistoryRecorder, WhatWaitsIsBoundedAndTheOldestIsLost) {
    Recorder recorder(opener(), teller(), {.most_bytes = 20'000});
    refusal_ = Errc::unavailable;
    for (Seconds at = start; at < start + 1000; ++at) {
        recorder.offer(reading_at(at, 1));
        recorder.work(at);
    }
    const auto figures = recorder.figures();
    EXPECT_LE(figures.waiting_bytes, 20'000U);
    EXPECT_GT(figures.waiting_samples, 50U);
    EXPECT_EQ(figures.waiting_samples + figures.lost, 2000U);
    refusal_ = Errc::internal;
    recorder.work(start + 2000);
    EXPECT_EQ(kept(), figures.waiting_samples / 2); // the newest
    EXPECT_EQ(recorder.figures().waiting_bytes, 0U);
}

TEST_F(HistoryRecorder, ADatabaseThatIsLostIsOpenedAnew) {
    Recorder recorder(opener(), teller());
    recorder.offer(reading_at(start, 1));
    recorder.work(start);
    refusal_ = Errc::corrupt;
    recorder.offer(reading_at(start + 1, 1));
    recorder.work(start + 1);
    refusal_ = Errc::internal;
    recorder.work(start + 40);
    EXPECT_EQ(opened_, 2);
    EXPECT_EQ(kept(), 2U);
}

TEST_F(HistoryRecorder, AFileThatIsTakenAwayIsNoticedWithinAMinute) {
    Recorder recorder(opener(), teller());
    for (Seconds at = start; at < start + 130; ++at) {
        recorder.offer(reading_at(at, 1));
        recorder.work(at);
        if (at == start + 10)
            std::filesystem::rename(path_, directory_.file("aside.db"));
    }
    ASSERT_EQ(told_.size(), 2U);
    EXPECT_NE(told_[0].find("was removed or put aside"), std::string::npos) << told_[0];
    EXPECT_EQ(opened_, 2);
    EXPECT_GE(kept(), 60U);
}

TEST_F(HistoryRecorder, AFolderThatIsNotThereYetIsToldOnce) {
    path_ = directory_.file("later/samples.db");
    Recorder recorder(opener(), teller());
    for (Seconds at = start; at < start + 60; ++at) {
        recorder.offer(reading_at(at, 1));
        recorder.work(at);
    }
    ASSERT_EQ(told_.size(), 1U) << told_[0];
    std::filesystem::create_directory(directory_.file("later"));
    recorder.work(start + 100);
    EXPECT_EQ(kept(), 60U);
}

TEST_F(HistoryRecorder, AClockThatWasSetBackDoesNotStopHistory) {
    Recorder recorder(opener(), teller());
    refusal_ = Errc::full;
    recorder.offer(reading_at(start + 7200, 1));
    recorder.work(start + 7200);
    refusal_ = Errc::internal;
    recorder.offer(reading_at(start, 1));
    recorder.work(start);
    EXPECT_EQ(recorder.figures().waiting_samples, 0U);
}

TEST_F(HistoryRecorder, KillNineLosesNothingThatWasWorkedOff) {
    int pipe_ends[2];
    ASSERT_EQ(::pipe(pipe_ends), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) { // writes second after second until it is killed, telling each one
        Recorder recorder(opener(), [](Recorder::News, const std::string&) {});
        for (Seconds at = start;; ++at) {
            recorder.offer(reading_at(at, 20));
            recorder.work(at);
            if (::write(pipe_ends[1], &at, sizeof at) != sizeof at)
                ::_exit(1);
        }
    }
    ::close(pipe_ends[1]);
    Seconds last = 0;
    while (last < start + 130) // in the middle of a third minute
        ASSERT_EQ(::read(pipe_ends[0], &last, sizeof last), static_cast<ssize_t>(sizeof last));
    ::kill(child, SIGKILL);
    Seconds at = 0;
    while (::read(pipe_ends[0], &at, sizeof at) == static_cast<ssize_t>(sizeof at))
        last = at; // told before it died
    ::close(pipe_ends[0]);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status));
    auto samples = open_sqlite(path_).value();
    const auto points = samples->read(1, start, last + 10, Resolution::second).value();
    ASSERT_FALSE(points.empty());
    EXPECT_GE(points.back().at, last);
    EXPECT_EQ(points.size(), static_cast<std::size_t>(points.back().at - start + 1));
}

} // namespace
} // namespace baton::history
