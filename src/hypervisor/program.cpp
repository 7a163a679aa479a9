#include "hypervisor/program.h"

namespace baton::hypervisor {

process::Command make_overlay_command(const std::string& base, const std::string& overlay) {
    process::Command command;
    command.words = {"qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", base, overlay};
    return command;
}

} // namespace baton::hypervisor
