#pragma once

#include "guest/desk_mount.h"
#include "guest/machine.h"
#include "programs/baton_guest/linux_mounts.h"
#include "programs/baton_guest/port.h"
#include "programs/baton_guest/screen.h"
#include "programs/baton_guest/session.h"

#include <functional>
#include <sys/types.h>

namespace baton::guest_program {

/// guest::Machine on a real kernel.
class LinuxMachine : public guest::Machine {
  public:
    LinuxMachine(Port& port, Screen& screen, Session& session)
        : port_(port), screen_(screen), session_(session), desk_(mounts_) {}

    [[nodiscard]] guest::Moment now() const override { return std::chrono::steady_clock::now(); }

    void send(const guest::FromGuest& message) override { port_.send(message); }

    void show(const guest::ScreenState& state) override { screen_.show(state); }

    Result<void> set_identity(const guest::Identify& identity) override;
    std::optional<std::string> find_disk(std::string_view serial) override;
    Result<bool> file_system_is_clean(const std::string& device) override;
    Result<void> start_check(const std::string& device) override;
    void cancel_check() override;
    Result<void> mount_desk(const std::string& device, bool read_only,
                            const std::string& person) override;
    Result<void> make_home(const std::string& person) override;
    [[nodiscard]] std::int64_t desk_free_bytes() const override;

    Result<void> unmount_desk() override { return desk_.unmount(); }

    Result<void> start_session(const std::string& person) override {
        return screen_.start_session(person);
    }

    void ask_session_to_end(std::chrono::milliseconds grace) override {
        if (!screen_.ask_to_close(grace))
            session_.ask_to_end();
    }

    void kill_session() override { session_.kill(); }

    /// The outcome, if the child that ended was the check of a file system.
    std::optional<Result<void>> check_ended(pid_t pid, int wait_status);

  private:
    Port& port_;
    Screen& screen_;
    Session& session_;
    LinuxMounts mounts_;
    guest::DeskMount desk_;
    pid_t check_ = -1;
};

/// What this guest is, from its own files.
struct OwnFacts {
    std::string os_image;
    std::string boot_id;
    Mebibytes memory;
};

OwnFacts own_facts();

} // namespace baton::guest_program
