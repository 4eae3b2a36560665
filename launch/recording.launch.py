"""A recording played into the panoptic node and, if wished, rviz2.

    ros2 launch cups_ros recording.launch.py model:=runs/demo/model recording:=runs/demo/recording transport:=compressed

The node takes every image at its own pace: where it is slower than `rate`, images are dropped and counted.
"""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, ExecuteProcess, IncludeLaunchDescription
from launch.conditions import IfCondition
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare

PASSED_ON = ("model", "image", "transport", "depth", "depth_source")


def generate_launch_description() -> LaunchDescription:
    """Player, node, rviz2."""
    share = FindPackageShare("cups_ros")
    return LaunchDescription(
        [
            *_arguments(),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(PathJoinSubstitution([share, "launch", "panoptic.launch.py"])),
                launch_arguments={name: LaunchConfiguration(name) for name in PASSED_ON}.items(),
            ),
            ExecuteProcess(
                cmd=[
                    "ros2",
                    "bag",
                    "play",
                    LaunchConfiguration("recording"),
                    "--rate",
                    LaunchConfiguration("rate"),
                    "--delay",
                    LaunchConfiguration("delay"),
                ],
                output="screen",
            ),
            Node(
                package="rviz2",
                executable="rviz2",
                name="rviz2",
                arguments=["-d", PathJoinSubstitution([share, "config", "panoptic.rviz"])],
                condition=IfCondition(LaunchConfiguration("rviz")),
            ),
        ]
    )


def _arguments() -> list[DeclareLaunchArgument]:
    return [
        DeclareLaunchArgument("model", description="exported model folder"),
        DeclareLaunchArgument("recording", description="rosbag2 folder"),
        DeclareLaunchArgument(
            "image", default_value="/stereo/left/image_rect", description="its image topic, without /compressed"
        ),
        DeclareLaunchArgument(
            "transport", default_value="raw", choices=["raw", "compressed"], description="raw or compressed images"
        ),
        DeclareLaunchArgument(
            "depth", default_value="/stereo/disparity", description="topic of disparity or depth images"
        ),
        DeclareLaunchArgument(
            "depth_source",
            default_value="none",
            choices=["none", "disparity", "depth"],
            description="positions in metres",
        ),
        DeclareLaunchArgument("rate", default_value="1.0", description="speed, 1 is as recorded"),
        DeclareLaunchArgument(
            "delay",
            default_value="5.0",
            description="seconds until the first message: the node loads its model meanwhile",
        ),
        DeclareLaunchArgument(
            "rviz", default_value="false", choices=["true", "false"], description="start rviz2 with our layout"
        ),
    ]
