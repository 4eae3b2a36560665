"""Start the panoptic node and, unless told otherwise, bring it to `active`.

    ros2 launch cups_ros panoptic.launch.py model:=runs/street/model image:=/stereo/left/image_rect
"""
from launch import LaunchContext, LaunchDescription
from launch.action import Action
from launch.actions import DeclareLaunchArgument, EmitEvent, OpaqueFunction, RegisterEventHandler, SetEnvironmentVariable
from launch.conditions import IfCondition
from launch.events import matches_action
from launch.substitutions import EnvironmentVariable, LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import LifecycleNode
from launch_ros.event_handlers import OnStateTransition
from launch_ros.events.lifecycle import ChangeState
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare
from lifecycle_msgs.msg import Transition

PROFILE = "FASTRTPS_DEFAULT_PROFILES_FILE"


def generate_launch_description() -> LaunchDescription:
    """The arguments, the transport profile, the node."""
    config = [FindPackageShare("cups_ros"), "config"]
    return LaunchDescription([
        DeclareLaunchArgument("model", default_value="", description="exported model folder; empty: the one in params_file"),
        DeclareLaunchArgument("image", default_value="/stereo/left/image_rect", description="image topic, without /compressed"),
        DeclareLaunchArgument("transport", default_value="", choices=["", "raw", "compressed"],
                              description="raw or compressed images; empty: as in params_file"),
        DeclareLaunchArgument("params_file", default_value=PathJoinSubstitution([*config, "panoptic.yaml"]), description="parameters of the node"),
        DeclareLaunchArgument("autostart", default_value="true", choices=["true", "false"], description="configure and activate the node"),
        DeclareLaunchArgument("namespace", default_value="", description="namespace of the node and its relative topics"),
        DeclareLaunchArgument("dds_profile", description="Fast DDS profile with room for images; empty: none",
                              default_value=EnvironmentVariable(PROFILE, default_value=PathJoinSubstitution([*config, "fastdds_images.xml"]))),
        SetEnvironmentVariable(PROFILE, LaunchConfiguration("dds_profile")),
        OpaqueFunction(function=_node),
    ])


def _node(context: LaunchContext) -> list[Action]:
    """The node with the parameters that were named at launch laid over those of the file."""
    named = {"model": LaunchConfiguration("model").perform(context), "input_transport": LaunchConfiguration("transport").perform(context)}
    overrides = {name: ParameterValue(value, value_type=str) for name, value in named.items() if value}
    node = LifecycleNode(
        package="cups_ros", executable="panoptic_node", name="panoptic_node", namespace=LaunchConfiguration("namespace"), output="screen",
        parameters=[LaunchConfiguration("params_file"), *([overrides] if overrides else [])],
        remappings=[("image", LaunchConfiguration("image"))])
    autostart = IfCondition(LaunchConfiguration("autostart"))
    configure = EmitEvent(event=_change(node, Transition.TRANSITION_CONFIGURE), condition=autostart)
    # Without start_state the handler would also fire on active -> inactive and undo every manual deactivate.
    activate = RegisterEventHandler(OnStateTransition(
        target_lifecycle_node=node, start_state="configuring", goal_state="inactive",
        entities=[EmitEvent(event=_change(node, Transition.TRANSITION_ACTIVATE))]), condition=autostart)
    return [activate, node, configure]


def _change(node: LifecycleNode, transition: int) -> ChangeState:
    return ChangeState(lifecycle_node_matcher=matches_action(node), transition_id=transition)
