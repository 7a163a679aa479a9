#!/usr/bin/env python3
"""PCs without a disk start from a boot server, real parts all of them: dnsmasq, batond, iPXE, OVMF, nfs-ganesha, and QEMU
without KVM for the PC. Runs under tests/support/with-routing-network, in the namespace `boot`. Pictures of the PCs' screens
stay in the build folder's screens/."""
import json
import pathlib
import re
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))
from netboot_site import PREFIX, RANGE, BootServer, OtherDhcp, Pc, Program  # noqa: E402

PHASES = ("kernel_ms", "modules_ms", "address_ms", "root_ms", "verified_ms", "mounted_ms", "up_ms")


def current(server):
    return next(row for row in server.json("netboot", "list") if row["current"])


class BootTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        subprocess.run(["ip", "address", "add", "fd98::1/64", "dev", "clients", "nodad"], check=True)

    def up(self, server, pc, firmware="bios"):
        client = pc.wait_up(server)
        self.assertEqual(client["uuid"], pc.uuid)
        self.assertEqual(client["firmware"], firmware)
        self.assertEqual(client["image"], current(server)["id"])
        self.assertGreater(client["memory_mib"], 900)
        timings = [client["timings"][phase] for phase in PHASES]
        self.assertEqual(timings, sorted(timings), client["timings"])
        print(json.dumps({"pc": pc.tap, "firmware": firmware, "timings": client["timings"]}))
        return client

    def test_bios_kernel_and_root_over_http(self):
        with BootServer(image=True) as server:
            self.assertLess(current(server)["files"][2]["size_bytes"], 100_000_000)
            server.serve_all()
            with Pc(server, 1) as pc:
                client = self.up(server, pc)
                self.assertRegex(client["address"], r"^10\.98\.0\.(1\d\d|200)$")
                self.assertEqual([one["what"] for one in client["timings"]["boot_server"]],
                                 ["boot.ipxe", "kernel", "initrd", "root.squashfs", "up"])
                pc.wait_console("client is up")
                self.assertGreater(len(set(pc.screenshot("netboot-bios"))), 2, "the screen is blank")
                shown = server.run("client", "show", pc.mac).stdout
                self.assertRegex(shown, r"address +\d+ ms")
                self.assertIn(pc.mac, server.run("client", "list").stdout)
                server.run("client", "message", pc.mac, "Lunch at one", "--timeout", "60")
                pc.wait_console("message: Lunch at one")
                pc.screenshot("netboot-message")
                self.assertTrue(server.json("client", "reboot", pc.mac, "--timeout", "60")["taken"])
                pc.process.wait(120)  # QEMU was told to end instead of starting again

    def test_a_root_that_is_not_the_images_is_refused(self):
        with BootServer(image=True) as server:
            root = server.netboot / "images" / current(server)["id"] / "root.squashfs"
            root.chmod(0o644)
            with open(root, "r+b") as file:
                file.seek(root.stat().st_size // 2)
                byte = file.read(1)
                file.seek(-1, 1)
                file.write(bytes([byte[0] ^ 1]))
            server.serve_all()
            with Pc(server, 2) as pc:
                pc.wait_console("REFUSED: the root file system that came is not the one of " + current(server)["id"])
                pc.wait_console("was refused 3 times")
                self.assertIsNone(server.client(pc.mac), "it must not have run")
                pc.screenshot("netboot-refused")

    def test_the_boot_server_goes_away_in_mid_boot(self):
        with BootServer(image=True) as server:
            server.serve_all()
            with Pc(server, 7) as pc:
                pc.wait_console(f"{current(server)['id']} starts")
                server.batond.process.kill()
                server.batond.process.wait()
                pc.wait_console("cannot fetch")
                server.start_batond()
                self.up(server, pc)

    def test_beside_the_networks_own_dhcp_server(self):
        with BootServer(image=True) as server, OtherDhcp(server.folder):
            server.serve_all("--proxy", *PREFIX)
            with Pc(server, 3, card="e1000") as pc:
                client = self.up(server, pc)
                self.assertRegex(client["address"], r"^10\.98\.0\.6\d$", "the other server gives the addresses")

    def test_uefi_with_a_rom_that_is_not_ipxe(self):
        with BootServer(image=True) as server:
            server.serve_all()
            with Pc(server, 4, uefi=True) as pc:
                self.up(server, pc, "uefi")
                self.assertIn("snponly.efi", server.service.said())
                pc.screenshot("netboot-uefi")

    def test_uefi_beside_the_networks_own_dhcp_server(self):
        with BootServer(image=True) as server, OtherDhcp(server.folder):
            server.serve_all("--proxy", *PREFIX)
            with Pc(server, 5, uefi=True) as pc:
                client = self.up(server, pc, "uefi")
                self.assertRegex(client["address"], r"^10\.98\.0\.6\d$")

    def test_the_papers_way_tftp_and_nfs(self):
        with BootServer(image=True) as server:
            ganesha = server.folder / "ganesha.conf"
            ganesha.write_text(f"""
NFS_CORE_PARAM {{ Protocols = 4; Bind_addr = 10.98.0.1; NFS_Port = 2049; Enable_NLM = false; Enable_RQUOTA = false; Enable_UDP = false; }}
NFSV4 {{ Graceless = true; RecoveryBackend = fs; }}
EXPORT {{ Export_Id = 1; Path = {server.netboot}; Pseudo = /netboot; Access_Type = RO; Squash = All_Squash; SecType = sys;
    Protocols = 4; Transports = TCP; FSAL {{ Name = VFS; }} }}
LOG {{ Default_Log_Level = EVENT; }}
""")
            subprocess.run(["mkdir", "-p", "/run/ganesha", "/var/lib/nfs/ganesha"], check=True)
            words = ["ganesha.nfsd", "-F", "-f", str(ganesha), "-L", str(server.folder / "ganesha.log"), "-p",
                     str(server.folder / "ganesha.pid")]
            with Program("ganesha", server.folder, words):
                server.serve_all(*RANGE, *PREFIX, "--kernel-by", "tftp", "--root-by", "nfs")
                with Pc(server, 6) as pc:
                    client = self.up(server, pc)
                    self.assertNotIn("boot_server", client["timings"], "nothing came over HTTP")
                    self.assertTrue(re.search(r"sent .*/kernel", server.service.said()))


if __name__ == "__main__":
    unittest.main(verbosity=2)
