"""The part of the `ros2` command that this project uses, for machines where ROS 2 comes from wheels. Never beside a
real ROS 2."""
