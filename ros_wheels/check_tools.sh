#!/bin/sh
# check_tools.sh PYTHON [venv] [compiler]: say in one sentence what the set-up misses and how to get it.
python=$1
shift
missing=""
version=$("$python" -c 'import sys; print(sys.version_info[0] * 100 + sys.version_info[1])' 2>/dev/null)
if [ -z "$version" ]; then
    missing="$missing python3"
elif [ "$version" -lt 310 ] || [ "$version" -gt 313 ]; then
    echo "expected Python 3.10 to 3.13, found $("$python" --version 2>&1): name another one with \`make install PYTHON=python3.12\`" >&2
    exit 1
fi
for part in "$@"; do
    case $part in
    venv)
        "$python" -c 'import venv, ensurepip' 2>/dev/null || missing="$missing python3-venv"
        ;;
    compiler)
        command -v g++ >/dev/null || missing="$missing g++"
        command -v cmake >/dev/null || missing="$missing cmake"
        "$python" -c 'import os, sysconfig; os.stat(os.path.join(sysconfig.get_path("include"), "Python.h"))' 2>/dev/null ||
            missing="$missing python3-dev"
        ;;
    esac
done
if [ -n "$missing" ]; then
    echo "building the messages needs what is missing here; install it with: sudo apt-get install -y$missing" >&2
    exit 1
fi
