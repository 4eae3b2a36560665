# Arguments are those of the launch file; a command after `--` is run in the sourced environment instead.
set -e
for setup in /opt/ros/*/setup.bash /ws/install/setup.bash; do
    . "$setup"
done
if [ "$1" = "--" ]; then
    shift
    exec "$@"
fi
exec ros2 launch cups_ros panoptic.launch.py "$@"
