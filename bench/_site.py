"""Benches on a whole site: run lab/batonlab/measure.py in the lab's namespaces and take its figures."""
import json
import os
import pathlib
import subprocess
import sys

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent


def measure(build, what, image, rounds, route="nat"):
    done = subprocess.run(
        [str(REPOSITORY / "lab" / "in-namespaces"), "python3", "-m", "batonlab.measure", what, "--image", image,
         "--rounds", str(rounds), "--route", route, "--build", str(build)],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "BATON_LAB_DIR": str(pathlib.Path(build) / "lab-bench")})
    if done.returncode != 0:
        sys.exit(f"measuring {what} with the image {image} failed (status {done.returncode})")
    return json.loads(done.stdout.splitlines()[-1])
