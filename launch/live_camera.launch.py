"""A camera on this machine with its driver, the panoptic node behind it and, if wished, rviz2.

    ros2 launch cups_ros live_camera.launch.py model:=runs/street/model
    ros2 launch cups_ros live_camera.launch.py model:=runs/street/model driver:=usb_cam executable:=usb_cam_node_exe
    rviz:=true

The driver's own parameters go into `driver_params`; it must be installed: ros-$ROS_DISTRO-v4l2-camera, unless another
is named.
"""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription
from launch.conditions import IfCondition
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare

CAMERA = "camera"  # namespace of the driver


def generate_launch_description() -> LaunchDescription:
    """Driver, node, rviz2."""
    share = FindPackageShare("cups_ros")
    return LaunchDescription(
        [
            *_arguments(),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(PathJoinSubstitution([share, "launch", "panoptic.launch.py"])),
                launch_arguments={
                    "model": LaunchConfiguration("model"),
                    "image": LaunchConfiguration("image"),
                    "transport": LaunchConfiguration("transport"),
                    "params_file": LaunchConfiguration("driver_params"),
                }.items(),
            ),
            Node(
                package=LaunchConfiguration("driver"),
                executable=LaunchConfiguration("executable"),
                name="driver",
                namespace=CAMERA,
                output="screen",
                parameters=[LaunchConfiguration("driver_params")],
                respawn=True,
                respawn_delay=1.0,
                condition=IfCondition(LaunchConfiguration("start_driver")),
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
        DeclareLaunchArgument("driver", default_value="v4l2_camera", description="package of the camera's driver"),
        DeclareLaunchArgument(
            "start_driver",
            default_value="true",
            choices=["true", "false"],
            description="false: the driver runs already",
        ),
        DeclareLaunchArgument("executable", default_value="v4l2_camera_node", description="program of the driver"),
        DeclareLaunchArgument(
            "driver_params",
            default_value=PathJoinSubstitution([FindPackageShare("cups_ros"), "config", "live_camera.yaml"]),
            description="parameters of the driver and of the node",
        ),
        DeclareLaunchArgument(
            "image", default_value=f"/{CAMERA}/image_raw", description="its image topic, without /compressed"
        ),
        DeclareLaunchArgument(
            "transport", default_value="raw", choices=["raw", "compressed"], description="raw or compressed images"
        ),
        DeclareLaunchArgument(
            "rviz", default_value="false", choices=["true", "false"], description="start rviz2 with our layout"
        ),
    ]
