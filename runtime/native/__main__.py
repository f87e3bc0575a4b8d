"""python -m wholebody.runtime.native: build the native library in place and say where it is."""
import argparse
import sys

from wholebody.errors import WholebodyError
from wholebody.runtime.native.build import build, find_compiler


def main() -> int:
    """Exit status 0, or 1 with one line of what went wrong."""
    parser = argparse.ArgumentParser(prog="python -m wholebody.runtime.native",
                                     description="Build the native library next to its sources.")
    parser.add_argument("--compiler", metavar="CXX", help="C++ compiler (default: $CXX, g++, c++ or clang++)")
    arguments = parser.parse_args()
    try:
        compiler = arguments.compiler or find_compiler()
        sys.stderr.write("compiling with %s ...\n" % compiler)
        sys.stdout.write("%s\n" % build(compiler))
    except WholebodyError as error:
        sys.stderr.write("error: %s\n" % error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
