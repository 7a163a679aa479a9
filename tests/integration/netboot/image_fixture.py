#!/usr/bin/env python3
"""Builds the client image of the tests with the authority of a controller that is made for it, in the build folder's
netboot-site/. Nothing changed: a moment. Not in a namespace of its own: packages come from Debian."""
import os
import pathlib
import shutil
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))
from netboot_site import SITE, BootServer  # noqa: E402

SITE.mkdir(exist_ok=True)
with BootServer(address="127.0.0.1", port=0) as server:
    if (SITE / "state").exists():
        shutil.copytree(SITE / "state", server.state)
    server.start_batond()  # makes its authority, or keeps what is there
    authority = server.state / "pki" / "api" / "ca-cert.pem"
    if not (SITE / "state").exists():
        fresh = SITE / "state.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir()
        shutil.copytree(server.state / "pki", fresh / "pki")
        fresh.rename(SITE / "state")
    done = server.run("netboot", "build", "--folder", str(SITE / "netboot"), "--authority", str(authority),
                      "--cache", os.environ["BATON_IMAGE_CACHE"])
    print(done.stdout)
