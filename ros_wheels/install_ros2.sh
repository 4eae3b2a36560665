#!/bin/sh
# install_ros2.sh PREFIX: put the stand-in for `ros2` into PREFIX/bin, unless a real ros2 is on the path.
prefix=$1
folder=$(cd "$(dirname "$0")" && pwd)
real=$(command -v ros2 || true)
if [ -n "$real" ] && [ "$real" != "$prefix/bin/ros2" ]; then
    echo "ros2 is $real; no stand-in is installed"
    exit 0
fi
cat > "$prefix/bin/ros2" <<SCRIPT
#!$prefix/bin/python
import sys

sys.path.insert(0, "$folder")

from ros2_stand_in.__main__ import main

sys.exit(main())
SCRIPT
chmod 755 "$prefix/bin/ros2"
