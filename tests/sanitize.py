"""Run the tests that call the compiled loops under AddressSanitizer and UndefinedBehaviorSanitizer (`make sanitize`).

The package, its tests and the vectors are copied to `build/sanitize`, with the loops compiled for the sanitizers beside
them: what is installed stays as it is, and no module knows of it. Faults made on purpose show first that each is found.

    python tests/sanitize.py [--seconds 10]
"""

from __future__ import annotations

import argparse
import os
import platform
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build" / "sanitize"
TESTS = [
    "common/test_kernels",
    "common/test_kernels_hostile",
    "coding/test_rans",
    "network/test_fill",
    "packed/test_products",
    "packed/test_resident",
    "conformance/test_vectors",
    "conformance/test_damage",
]
COMPILED = "not numpy and not second_decoder"  # what runs without the loops has nothing to show here
COPIED = ["pemncodec", "tests", "spec", "benchmarks", "pyproject.toml"]

SANITIZERS = "-fsanitize=undefined,address,float-cast-overflow,float-divide-by-zero"
FLAGS = [SANITIZERS, "-fno-sanitize-recover=all", "-fno-omit-frame-pointer", "-g", "-O1", "-fPIC", "-shared"]
# As in pyproject.toml: the loops give the same bits only with these.
FLOATS = ["-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"]

REPORTS = ["runtime error:", "ERROR: AddressSanitizer"]

# A function for each fault, and what its report says.
FAULTS = {
    "misaligned": "misaligned address",
    "overflow": "signed integer overflow",
    "shift": "shift exponent 32 is too large",
    "division": "division by zero",
    "conversion": "outside the range of representable values",
    "past_end": "heap-buffer-overflow",
}
FAULTY = """
#include <stdint.h>
int misaligned(const char *p) { return *(const int32_t *)(p + 1); }
int overflow(const char *p) { return 0x7FFFFFFF + p[0]; }
int shift(const char *p) { return 1 << (31 + p[0]); }
int division(const char *p) { return 1 / (p[0] - 1); }
int conversion(const char *p) { return (int)(3e9f * (float)p[0]); }
int past_end(const char *p) { return p[16]; }
"""
CALL_FAULT = """
import ctypes, numpy, sys
library, content = ctypes.CDLL(sys.argv[1]), numpy.ones(16, numpy.uint8)
print(getattr(library, sys.argv[2])(ctypes.c_void_p(content.ctypes.data)))
"""
# Eight bytes of a buffer are made forbidden, and the loops read them.
READ_FORBIDDEN = """
import ctypes, numpy
from pemncodec.common import kernels
print(kernels.compiled.__file__, flush=True)
kept = numpy.ones(64, numpy.uint8)
ctypes.CDLL(None).__asan_poison_memory_region(ctypes.c_void_p(kept.ctypes.data + 40), ctypes.c_size_t(8))
kernels.compiled.scatter(bytearray(64), b"\\xff" * 8, 1, kept)
"""


class SanitizeError(Exception):
    """Why nothing was checked, or what was found; one line."""


def find_compiler() -> list[str]:
    """The first that makes a library with both sanitizers, and has their runtime."""
    BUILD.mkdir(parents=True, exist_ok=True)
    (BUILD / "faulty.c").write_text(FAULTY)
    chosen = os.environ.get("CC")
    for compiler in [shlex.split(chosen)] if chosen else [["gcc"], ["clang"], ["cc"]]:
        try:
            command = [*compiler, *FLAGS, *_shared_runtime(compiler), "faulty.c", "-o", "faulty.so"]
            subprocess.run(command, cwd=BUILD, capture_output=True, check=True)
            runtimes(compiler)
        except (OSError, subprocess.CalledProcessError, SanitizeError):
            continue
        return compiler
    raise SanitizeError(
        "make sanitize needs gcc or clang with -fsanitize=undefined,address and its libraries: "
        f"{chosen or 'none of gcc, clang and cc'} is no such compiler; CC=... names another"
    )


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _is_clang(compiler: list[str]) -> bool:
    return "clang" in _output(*compiler, "--version").lower()


def _shared_runtime(compiler: list[str]) -> list[str]:
    return ["-shared-libasan"] if _is_clang(compiler) else []


def runtimes(compiler: list[str]) -> list[str]:
    """Return the libraries that a Python without instrumentation must load first: ASan's runtime and libstdc++.

    libstdc++ is among them for the sake of torch's exceptions.
    """
    names = ["libasan.so"]
    if _is_clang(compiler):
        names = [f"libclang_rt.asan-{platform.machine()}.so", "libclang_rt.asan.so"]
    paths = [_output(*compiler, f"-print-file-name={name}") for name in names]
    found = [path for path in paths if Path(path).is_absolute() and Path(path).exists()]
    if not found:
        raise SanitizeError(f"{names[0]} is missing")
    return [found[0], _output(*compiler, "-print-file-name=libstdc++.so.6")]


def environment(compiler: list[str]) -> dict[str, str]:
    """That of the instrumented processes."""
    options = {
        # Python and torch keep memory until they end, on purpose; tests of the loops count what these leave.
        "detect_leaks": "0",
        # Some tests ask for more than there is, and expect MemoryError.
        "allocator_may_return_null": "1",
        "detect_stack_use_after_return": "1",
    }
    settings = ":".join(f"{name}={value}" for name, value in options.items())
    changed = {
        "LD_PRELOAD": ":".join(runtimes(compiler)),
        "ASAN_OPTIONS": settings,
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "PYTHONMALLOC": "malloc",  # Python's own pools would hide where an object ends
        "PYTHONPATH": str(BUILD),
    }
    return {name: value for name, value in os.environ.items() if name != "PEMNCODEC_KERNELS"} | changed


def build(compiler: list[str]) -> Path:
    """Copy the tree, and compile the loops into it."""
    for name in COPIED:
        source, target = ROOT / name, BUILD / name
        if source.is_dir():
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("*.so", "__pycache__", "cache"))
        else:
            shutil.copy(source, target)
    include = f"-I{sysconfig.get_paths()['include']}"
    made = []
    for name in ("packed/_products", "common/_kernels"):
        source = BUILD / "pemncodec" / f"{name}.c"
        made.append(source.with_name(source.stem + str(sysconfig.get_config_var("EXT_SUFFIX"))))
        command = [*compiler, *FLAGS, *FLOATS, *_shared_runtime(compiler), include, str(source), "-o", str(made[-1])]
        done = subprocess.run([*command, "-lm"], capture_output=True, text=True, check=False)
        if done.returncode:
            raise SanitizeError(f"{compiler[0]} does not compile {name}.c: {done.stderr.strip().splitlines()[-1]}")
    return made[-1]


def show_that_faults_are_found(library: Path, variables: dict[str, str]) -> None:
    """Each fault ends its process with a report, and so does one in the loops themselves."""

    def report(*command: str) -> str:
        full = [sys.executable, "-c", *command]
        done = subprocess.run(full, cwd=BUILD, env=variables, capture_output=True, text=True, check=False)
        if not done.returncode:
            raise SanitizeError(f"the sanitizers are not active: {' '.join(command[1:])} found nothing")
        return done.stdout + done.stderr

    for function, phrase in FAULTS.items():
        if phrase not in report(CALL_FAULT, str(BUILD / "faulty.so"), function):
            raise SanitizeError(f"the sanitizers are not active: no report says {phrase!r}")
    found = report(READ_FORBIDDEN)
    if str(library) not in found or "use-after-poison" not in found or "in scatter_8" not in found:
        raise SanitizeError("AddressSanitizer does not see what the compiled loops read")
    if b"__ubsan_handle_" not in library.read_bytes():
        raise SanitizeError("UndefinedBehaviorSanitizer is not in the compiled loops")


def run(compiler: list[str], seconds: float) -> None:
    """Build, check, test and play."""
    library, variables = build(compiler), environment(compiler)
    show_that_faults_are_found(library, variables)
    print(f"{len(FAULTS) + 1} faults made on purpose: each was reported", flush=True)
    tests = [f"tests/{name}.py" for name in TESTS]
    commands = {
        # Python's side of the output is captured alone: a report goes to the file, although its process ends there.
        "tests": ["pytest", "-q", "--capture=sys", "-p", "no:cacheprovider", "-k", COMPILED, *tests],
        "calls": ["tests.kernel_play", "--seconds", str(seconds)],
    }
    failed, errors = [], ""
    for what, command in commands.items():
        path = BUILD / f"{what}.stderr"
        with path.open("wb") as file:
            done = subprocess.run([sys.executable, "-m", *command], cwd=BUILD, env=variables, stderr=file, check=False)
        errors += path.read_text("utf-8", "replace")
        if done.returncode:
            failed.append(f"the {what} ended with exit status {done.returncode}")
    print(errors, end="", file=sys.stderr)
    reports = sum(errors.count(phrase) for phrase in REPORTS)
    print(f"{reports} reports of the sanitizers", flush=True)
    if reports or failed:
        raise SanitizeError("; ".join([f"{reports} reports", *failed]))


def main() -> int:
    """0 if nothing was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=10, help="how long to make random calls after the tests")
    options = parser.parse_args()
    try:
        run(find_compiler(), options.seconds)
    except SanitizeError as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
