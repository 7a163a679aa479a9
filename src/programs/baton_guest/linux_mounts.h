#pragma once

#include "guest/desk_mount.h"

namespace baton::guest_program {

/// guest::MountCalls on a real kernel.
class LinuxMounts : public guest::MountCalls {
  public:
    Result<void> make_folder(const std::string& path) override;
    Result<void> give_to_person(const std::string& path) override;
    Result<void> mount_ext4(const std::string& device, const std::string& at,
                            bool read_only) override;
    Result<void> bind(const std::string& from, const std::string& to) override;
    Result<void> unmount(const std::string& at) override;
    Result<void> detach(const std::string& at) override;
    Result<void> flush(const std::string& at) override;
    void kill_holders(const std::string& at) override;
    Result<void> cut_off(const std::string& at) override;
    Result<void> make_home(const std::string& path) override;
};

} // namespace baton::guest_program
