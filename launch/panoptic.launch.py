"""Start a panoptic node for one camera, or one for each of several; each configures and activates itself and is started
anew when it dies.

    ros2 launch cups_ros panoptic.launch.py model:=runs/street/model image:=/stereo/left/image_rect
    ros2 launch cups_ros panoptic.launch.py model:=runs/street/model cameras:=front,rear image:=/{camera}/image_rect
"""

from launch import LaunchContext, LaunchDescription
from launch.action import Action
from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    OpaqueFunction,
    RegisterEventHandler,
    SetEnvironmentVariable,
)
from launch.event_handlers import OnProcessExit
from launch.events import matches_action
from launch.events.process import ShutdownProcess
from launch.substitutions import EnvironmentVariable, LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

PROFILE = "FASTRTPS_DEFAULT_PROFILES_FILE"
BOTH = ["true", "false"]
# parameters named at launch
OWN = {"model": str, "input_transport": str, "depth_source": str, "engines": str, "use_sim_time": bool}
RESPAWN_DELAY_S = 1.0
REFUSED = 2  # exit code of the node where a parameter can never be right


def generate_launch_description() -> LaunchDescription:
    """The arguments, the transport profile, the nodes."""
    profile = SetEnvironmentVariable(PROFILE, LaunchConfiguration("dds_profile"))
    return LaunchDescription(
        [*_arguments_of_inputs(), *_arguments_of_the_node(), profile, OpaqueFunction(function=_nodes)]
    )


def _arguments_of_inputs() -> list[Action]:
    """What the node reads: a model and topics."""
    return [
        DeclareLaunchArgument(
            "model", default_value="", description="exported model folder; empty: the one in params_file"
        ),
        DeclareLaunchArgument(
            "cameras",
            default_value="",
            description="names with commas between: one node each in the namespace of that name; "
            "{camera} in a topic stands for the name",
        ),
        DeclareLaunchArgument(
            "image", default_value="/stereo/left/image_rect", description="image topic, without /compressed"
        ),
        DeclareLaunchArgument(
            "camera_info", default_value="", description="its camera_info; empty: beside the image topic"
        ),
        DeclareLaunchArgument(
            "depth", default_value="/stereo/disparity", description="topic of disparity or depth images"
        ),
        DeclareLaunchArgument(
            "depth_source",
            default_value="",
            choices=["", "none", "disparity", "depth"],
            description="positions in metres from disparity or depth images; empty: as in params_file",
        ),
        DeclareLaunchArgument(
            "transport",
            default_value="",
            choices=["", "raw", "compressed"],
            description="raw or compressed images; empty: as in params_file",
        ),
    ]


def _arguments_of_the_node() -> list[Action]:
    """How the node runs."""
    config = [FindPackageShare("cups_ros"), "config"]
    return [
        DeclareLaunchArgument(
            "engines",
            default_value="",
            description="back ends to try, with commas between; empty: as in params_file",
        ),
        DeclareLaunchArgument(
            "params_file",
            default_value=PathJoinSubstitution([*config, "panoptic.yaml"]),
            description="parameters of the node; several files with commas between, of which later ones win",
        ),
        DeclareLaunchArgument(
            "autostart", default_value="true", choices=BOTH, description="configure and activate the node"
        ),
        DeclareLaunchArgument(
            "respawn", default_value="true", choices=BOTH, description="start the node anew when it dies"
        ),
        DeclareLaunchArgument(
            "use_sim_time", default_value="", choices=["", *BOTH], description="take the time from /clock"
        ),
        DeclareLaunchArgument(
            "namespace", default_value="", description="namespace of the node and its relative topics"
        ),
        DeclareLaunchArgument(
            "dds_profile",
            description="Fast DDS profile with room for images; empty: none",
            default_value=EnvironmentVariable(
                PROFILE, default_value=PathJoinSubstitution([*config, "fastdds_images.xml"])
            ),
        ),
    ]


def _nodes(context: LaunchContext) -> list[Action]:
    """One node for each camera, with the parameters that were named at launch laid over those of the file."""

    def given(name: str) -> str:
        return str(LaunchConfiguration(name).perform(context))

    named = {name: given({"input_transport": "transport"}.get(name, name)) for name in OWN}
    overrides = {
        name: ParameterValue(value, value_type=OWN[name]) if OWN[name] is str else value == "true"
        for name, value in named.items()
        if value
    }
    overrides["autostart"] = given("autostart") == "true"
    nodes = [_node(given, overrides, camera) for camera in _listed(given("cameras")) or [""]]
    return [*map(_ends_where_refused, nodes), *nodes]


def _ends_where_refused(node: Action) -> Action:
    """A node that refuses its parameters would do so again every second: it is not started anew, others go on."""

    def on_exit(event, _context: LaunchContext) -> list[Action]:
        return (
            [EmitEvent(event=ShutdownProcess(process_matcher=matches_action(node)))]
            if event.returncode == REFUSED
            else []
        )

    return RegisterEventHandler(OnProcessExit(target_action=node, on_exit=on_exit))


def _listed(text: str) -> list[str]:
    """What stands between the commas."""
    return [part.strip() for part in text.split(",") if part.strip()]


def _node(given, overrides: dict, camera: str) -> Action:
    image = given("image").replace("{camera}", camera)
    camera_info = given("camera_info").replace("{camera}", camera) or image.rsplit("/", 1)[0] + "/camera_info"
    respawn = given("respawn") == "true"
    return Node(
        package="cups_ros",
        executable="panoptic_node",
        name="panoptic_node",
        output="screen",
        namespace="/".join(part for part in (given("namespace").strip("/"), camera) if part),
        parameters=[*_listed(given("params_file")), overrides],
        respawn=respawn,
        respawn_delay=RESPAWN_DELAY_S,
        remappings=[
            ("image", image),
            ("camera_info", camera_info),
            ("depth", given("depth").replace("{camera}", camera)),
        ],
    )
