#pragma once

#include "hypervisor_contract/libvirt_world.h"

#include <gtest/gtest.h>

#include <string>

/// What the libvirt adapter promises beyond the port's contract.
namespace baton::hypervisor::contract {

class LibvirtTest : public ::testing::Test {
  protected:
    [[nodiscard]] Hypervisor& hypervisor() { return world_.hypervisor(); }

    /// A desktop whose whole life is this shell script, run as the first process of tiny's kernel
    /// with the root disk mounted at /newroot and its output on the console.
    DesktopSpec scripted(const std::string& id, const std::string& script);

    /// Starts it and waits for its end.
    std::string run_to_the_end(const DesktopSpec& spec);

    [[nodiscard]] std::string console(const DesktopId& desktop) {
        return hypervisor().console_tail(desktop, 4000).value_or("no console");
    }

    LibvirtWorld world_;
};

/// A firmware that finds nothing to boot: a guest that runs and answers nothing.
DesktopSpec mute(LibvirtWorld& world, const std::string& id, const std::string& disk);

/// Runs a program to its end; throws when it fails. Returns what it wrote.
std::string run(const std::vector<std::string>& words, const std::string& input = {});

} // namespace baton::hypervisor::contract
