/// One way of measuring every VM of a libvirtd, again and again, for the benches of the monitor:
///
///     monitor_ways ours|paper URI ROUNDS
///
/// "ours": the fast tier, connected to libvirtd and following it, without the slow one; "paper":
/// the four calls for each domain that the paper names, and virNodeGetInfo. Says "ready" when all
/// domains have been found, waits for a line on standard input, measures, says "done", and waits
/// for another line.
#include "hypervisor/libvirt_handles.h"
#include "hypervisor/xml.h"
#include "sampling/collector.h"

#include <libvirt/libvirt.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

namespace {

void pause_until_told(const char* what) {
    std::cout << what << std::endl;
    std::string line;
    std::getline(std::cin, line);
}

int ours(const std::string& uri, int rounds) {
    baton::sampling::CollectorSettings settings;
    settings.host = baton::HostId("bench");
    settings.libvirt_uri = uri;
    settings.slow_period = std::chrono::hours(24);
    settings.disks_every = 1'000'000;
    baton::sampling::Collector collector(settings);
    virConnectPtr connection = virConnectOpen(uri.c_str());
    const int domains = connection != nullptr ? virConnectNumOfDomains(connection) : -1;
    if (domains < 0)
        return 1;
    // each is asked once when it is found: not a part of what is measured
    for (std::size_t told = 0; told < static_cast<std::size_t>(domains);) {
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        collector.collect();
        told = 0;
        for (const auto& desktop : collector.desktops())
            told += desktop.sample.memory.at.known() ? 1 : 0;
    }
    pause_until_told("ready");
    for (int i = 0; i < rounds; ++i)
        collector.collect();
    pause_until_told("done");
    virConnectClose(connection);
    return 0;
}

struct Known {
    virDomainPtr domain;
    std::string disk, nic;
};

int paper(const std::string& uri, int rounds) {
    namespace xml = baton::hypervisor::xml;
    virConnectPtr connection = virConnectOpen(uri.c_str());
    virDomainPtr* list = nullptr;
    const int count =
        connection != nullptr
            ? virConnectListAllDomains(connection, &list, VIR_CONNECT_LIST_DOMAINS_ACTIVE)
            : -1;
    if (count < 0)
        return 1;
    std::vector<Known> all;
    for (int i = 0; i < count; ++i) {
        char* text = virDomainGetXMLDesc(list[i], 0);
        const xml::Document document = xml::parse(text);
        all.push_back({list[i], xml::value(document, "/domain/devices/disk/target/@dev"),
                       xml::value(document, "/domain/devices/interface/target/@dev")});
        free(text);
    }
    free(static_cast<void*>(list));
    pause_until_told("ready");
    int failed = 0;
    for (int i = 0; i < rounds; ++i) {
        virNodeInfo node{};
        failed += virNodeGetInfo(connection, &node) == 0 ? 0 : 1;
        for (const Known& one : all) {
            virDomainInfo info{};
            virDomainBlockStatsStruct block{};
            virDomainInterfaceStatsStruct net{};
            std::array<virDomainMemoryStatStruct, VIR_DOMAIN_MEMORY_STAT_NR> memory{};
            failed += virDomainGetInfo(one.domain, &info) == 0 ? 0 : 1;
            failed +=
                virDomainMemoryStats(one.domain, memory.data(), memory.size(), 0) >= 0 ? 0 : 1;
            failed += virDomainBlockStats(one.domain, one.disk.c_str(), &block, sizeof block) == 0
                          ? 0
                          : 1;
            failed +=
                virDomainInterfaceStats(one.domain, one.nic.c_str(), &net, sizeof net) == 0 ? 0 : 1;
        }
    }
    pause_until_told("done");
    for (const Known& one : all)
        virDomainFree(one.domain);
    virConnectClose(connection);
    if (failed > 0)
        std::cerr << failed << " calls failed\n";
    return failed == 0 ? 0 : 1;
}

} // namespace

int main(int argc, char** argv) {
    const std::vector<std::string> words(argv + 1, argv + argc);
    if (words.size() != 3 || (words[0] != "ours" && words[0] != "paper")) {
        std::cerr << "usage: monitor_ways ours|paper URI ROUNDS\n";
        return 2;
    }
    const int rounds = std::atoi(words[2].c_str());
    return words[0] == "ours" ? ours(words[1], rounds) : paper(words[1], rounds);
}
