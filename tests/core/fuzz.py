"""Fuzzing of the compiled core's kernels, which are all that knows nothing of nanobind, with sanitizers.

Builds tests/core/fuzz.cpp and runs it, by hand with as many inputs as are wanted:

.venv/bin/python -m tests.core.fuzz --inputs 10000000 --seed 7 csv libsvm
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sagedock.contracts.machine import cpu_count

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "src" / "core"
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
PLACED = ("-fno-pie", "-no-pie")
"""Where chance places a program, it may lie where the sanitizer wants its heap, and then it never starts: one in four
where the kernel draws 32 bits of the address (vm.mmap_rnd_bits)."""
FLAGS = ("-std=c++17", "-O0", "-g1", *SANITIZERS, *PLACED, "-ffp-contract=off")
KERNELS = (
    "csv",
    "csv_block",
    "libsvm",
    "number",
    "repr",
    "lines",
    "word_vectors",
    "forest",
    "reservoir",
    "tokenizer",
    "nearest",
    "cuts",
    "growth",
    "forecaster",
    "instances",
    "text",
    "questions",
    "classifier",
    "learning",
    "documents",
    "topic_encoder",
    "topics",
    "mixtures",
    "recurrence",
    "resampling",
    "hls",
)


def build(folder: Path) -> Path:
    """Compile every kernel and the driver; the program made."""
    program = folder / "fuzz"
    kernels = [path for path in sorted(SOURCES.glob("*.cpp")) if "nanobind" not in path.read_text()]

    def compile_one(source: Path) -> str:
        made = folder / f"{source.stem}.o"
        subprocess.run(["g++", *FLAGS, f"-I{SOURCES}", "-c", source, "-o", made], check=True)
        return str(made)

    with ThreadPoolExecutor(cpu_count()) as pool:
        objects = list(pool.map(compile_one, [*reversed(kernels), Path(__file__).with_suffix(".cpp")]))
    subprocess.run(["g++", *FLAGS, *objects, "-o", program], check=True)
    return program


def run(program: Path, kernel: str, inputs: int, seed: int) -> subprocess.CompletedProcess[str]:
    """Feed `kernel` so many inputs; a crash shows in the exit code, and its input on stderr."""
    command = [str(program), kernel, str(inputs), str(seed)]
    return subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kernels", nargs="*", default=KERNELS, metavar="KERNEL", help=f"of {', '.join(KERNELS)}")
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        program = build(Path(folder))
        done = [run(program, kernel, options.inputs, options.seed) for kernel in options.kernels]
    for one in done:
        sys.stdout.write(one.stdout + one.stderr)
    return max(one.returncode != 0 for one in done)


if __name__ == "__main__":
    sys.exit(main())
