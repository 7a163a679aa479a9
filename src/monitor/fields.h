#pragma once

#include "monitor/rates.h"

/// Every value by name, in one place: JSON, CSV and the host link are made of this, so that none of
/// them can forget one. Names carry their unit; without a suffix the corrected column, with
/// `_paper` the paper's.
namespace baton::monitor {

/// Calls visit(name, value) for each; `traffic` may be const or not, and so `value`.
template <class OneTraffic, class Visit>
void each_traffic_value(OneTraffic& receive, OneTraffic& transmit, Visit visit) {
    visit("receive_packets_per_second", receive.packets_per_second);
    visit("receive_bits_per_packet", receive.bits_per_packet);
    visit("receive_bits_per_second", receive.l2_bits_per_second);
    visit("receive_wire_bits_per_second", receive.l1_bits_per_second);
    visit("transmit_packets_per_second", transmit.packets_per_second);
    visit("transmit_bits_per_packet", transmit.bits_per_packet);
    visit("transmit_bits_per_second", transmit.l2_bits_per_second);
    visit("transmit_wire_bits_per_second", transmit.l1_bits_per_second);
}

template <class Paper, class Visit>
void each_paper_traffic_value(Paper& paper, Visit visit) {
    visit("packets_paper", paper.packets);
    visit("bits_per_packet_paper", paper.bits_per_packet);
    visit("bits_paper", paper.bits);
}

template <class Rates, class Visit>
void each_pressure_value(Rates& pressure, Visit visit) {
    visit("cpu_pressure_percent", pressure.cpu_some_percent);
    visit("memory_pressure_percent", pressure.memory_some_percent);
    visit("memory_full_pressure_percent", pressure.memory_full_percent);
    visit("io_pressure_percent", pressure.io_some_percent);
    visit("io_full_pressure_percent", pressure.io_full_percent);
}

template <class Rates, class Visit>
void each_disk_value(Rates& disk, Visit visit) {
    visit("read_bytes_per_second", disk.read_bytes_per_second);
    visit("written_bytes_per_second", disk.written_bytes_per_second);
    visit("reads_per_second", disk.reads_per_second);
    visit("writes_per_second", disk.writes_per_second);
    visit("busy_percent", disk.busy_percent);
}

template <class Rates, class Visit>
void each_interface_value(Rates& one, Visit visit) {
    each_traffic_value(one.receive, one.transmit, visit);
    each_paper_traffic_value(one.paper, visit);
    visit("errors_per_second", one.errors_per_second);
    visit("drops_per_second", one.drops_per_second);
}

/// HostRates without its lists.
template <class Rates, class Visit>
void each_host_value(Rates& rates, Visit visit) {
    visit("cpu_percent", rates.cpu_percent.corrected);
    visit("cpu_percent_paper", rates.cpu_percent.paper);
    visit("iowait_percent", rates.iowait_percent);
    visit("steal_percent", rates.steal_percent);
    visit("guest_percent", rates.guest_percent);
    visit("memory_percent", rates.memory_percent.corrected);
    visit("memory_percent_paper", rates.memory_percent.paper);
    visit("memory_total_bytes", rates.memory_total_bytes);
    visit("memory_used_bytes", rates.memory_used_bytes);
    visit("disk_bytes_per_second", rates.disk_bytes.corrected);
    visit("disk_bytes_paper", rates.disk_bytes.paper);
    visit("disk_read_bytes_per_second", rates.disk_read_bytes_per_second);
    visit("disk_written_bytes_per_second", rates.disk_written_bytes_per_second);
    each_traffic_value(rates.receive, rates.transmit, visit);
    each_paper_traffic_value(rates.network_paper, visit);
    each_pressure_value(rates.pressure, visit);
}

/// DesktopRates without its lists.
template <class Rates, class Visit>
void each_desktop_value(Rates& rates, Visit visit) {
    visit("cpu_percent", rates.cpu_percent.corrected);
    visit("cpu_percent_paper", rates.cpu_percent.paper);
    visit("vcpu_percent", rates.cpu_percent_of_vcpus);
    visit("vcpu_wait_percent", rates.vcpu_wait_percent);
    visit("overhead_percent", rates.overhead_percent);
    visit("memory_percent", rates.memory.corrected);
    visit("memory_paper_bytes", rates.memory.paper);
    visit("memory_given_bytes", rates.memory_given_bytes);
    visit("memory_used_bytes", rates.memory_used_bytes);
    visit("memory_available_bytes", rates.memory_available_bytes);
    visit("memory_unused_bytes", rates.memory_unused_bytes);
    visit("memory_caches_bytes", rates.memory_caches_bytes);
    visit("resident_bytes", rates.rss_bytes);
    visit("swap_in_bytes_per_second", rates.swap_in_bytes_per_second);
    visit("swap_out_bytes_per_second", rates.swap_out_bytes_per_second);
    visit("major_faults_per_second", rates.major_faults_per_second);
    visit("minor_faults_per_second", rates.minor_faults_per_second);
    visit("disk_bytes_per_second", rates.disk_bytes.corrected);
    visit("disk_bytes_paper", rates.disk_bytes.paper);
    visit("disk_read_bytes_per_second", rates.disk_read_bytes_per_second);
    visit("disk_written_bytes_per_second", rates.disk_written_bytes_per_second);
    each_traffic_value(rates.receive, rates.transmit, visit);
    each_paper_traffic_value(rates.network_paper, visit);
    each_pressure_value(rates.pressure, visit);
}

} // namespace baton::monitor
