"""python -m wholebody.runtime.kernels: compile the CUDA kernels for one GPU and say where they are."""
import argparse
import pathlib
import sys
from typing import Tuple

from wholebody.errors import WholebodyError
from wholebody.runtime.kernels.compiling import PREBUILT, compile_kernels, find_nvcc, prebuilt_name, write_cubin


def _capability(text: str) -> Tuple[int, int]:
    major, _, minor = text.partition(".")
    if not (major.isdigit() and minor.isdigit()):
        raise argparse.ArgumentTypeError("expected a compute capability such as 8.7, got %r" % text)
    return int(major), int(minor)


def main() -> int:
    """Exit status 0, or 1 with one line of what went wrong."""
    parser = argparse.ArgumentParser(prog="python -m wholebody.runtime.kernels",
                                     description="Compile the CUDA kernels for one kind of GPU, with nvcc.")
    parser.add_argument("--sm", type=_capability, required=True, metavar="X.Y",
                        help="compute capability, such as 8.7 for Orin")
    parser.add_argument("--output", type=pathlib.Path, default=PREBUILT, metavar="DIR",
                        help="folder for the file; WHOLEBODY_CUBINS names it to whoever uses it (default: %(default)s)")
    arguments = parser.parse_args()
    try:
        compiler = find_nvcc()
        path = arguments.output / prebuilt_name(arguments.sm)
        sys.stderr.write("compiling with %s ...\n" % compiler.path)
        cubin = compile_kernels(arguments.sm, compiler)
        arguments.output.mkdir(parents=True, exist_ok=True)
        write_cubin(path, cubin)
        sys.stdout.write("%s\n" % path)
    except (WholebodyError, OSError) as error:
        sys.stderr.write("error: %s\n" % error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
