#include "netboot/script.h"

#include "netboot/folder.h"

namespace baton::netboot {

std::string http_place(const Settings& settings) {
    return "http://" + settings.address + ":" + std::to_string(settings.http_port) + "/netboot";
}

std::string script_place(const Settings& settings) {
    const std::string name(script_name);
    return settings.kernel_by == KernelBy::tftp ? name : http_place(settings) + "/" + name;
}

Script script_for(const Manifest& image, const Settings& settings) {
    const std::string folder = "/images/" + image.id + "/";
    const std::string kernel_base =
        (settings.kernel_by == KernelBy::tftp ? "tftp://" + settings.address
                                              : http_place(settings)) +
        folder;
    const std::string root =
        (settings.root_by == RootBy::nfs ? "nfs://" + settings.address + settings.nfs_export
                                         : http_place(settings)) +
        folder + std::string(root_name);
    const File* file = image.file(root_name);
    Script script;
    script.image = image.id;
    script.server = settings.address;
    script.kernel = kernel_base + std::string(kernel_name);
    script.initrd = kernel_base + std::string(initrd_name);
    script.arguments = image.kernel_arguments;
    for (const auto& [name, value] :
         {std::pair{"image", image.id}, std::pair{"root", root},
          std::pair{"sha256", file == nullptr ? std::string() : file->sha256},
          std::pair{"controller", settings.controller}})
        script.arguments += std::string(" baton.") + name + "=" + value;
    if (!settings.kernel_arguments.empty())
        script.arguments += " " + settings.kernel_arguments;
    return script;
}

std::string to_text(const Script& script) {
    // initrd=: UEFI's way of naming it (the kernel's efi-stub.rst); BIOS passes it over.
    // BOOTIF as pxelinux writes it: the card that has just worked.
    return "#!ipxe\n"
           ":again\n"
           "echo Baton " +
           script.image + " from " + script.server +
           "\n"
           "imgfree\n"
           "kernel " +
           script.kernel + " " + script.arguments +
           " BOOTIF=01-${netX/mac:hexhyp} initrd=initrd || goto failed\n"
           "initrd " +
           script.initrd +
           " || goto failed\n"
           "boot || goto failed\n"
           ":failed\n"
           "echo The boot server " +
           script.server +
           " did not give what this PC needs. Trying again in 5 seconds.\n"
           "sleep 5\n"
           "goto again\n";
}

} // namespace baton::netboot
