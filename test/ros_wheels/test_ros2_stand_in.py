"""The stand-in for `ros2`: arguments, the launch subset, playing a recording to a subscriber."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from rosbags.rosbag2 import Reader, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "ros_wheels"))

from ros2_stand_in import launch_api as api  # noqa: E402
from ros2_stand_in import record  # noqa: E402
from ros2_stand_in.__main__ import main  # noqa: E402
from ros2_stand_in.launch import launch  # noqa: E402
from ros2_stand_in.launch_context import LaunchContext, LaunchError, text  # noqa: E402


def test_arguments_defaults_choices_and_conditions() -> None:
    context = LaunchContext({"given": "b"})
    api.DeclareLaunchArgument("given", default_value="a", choices=["a", "b"]).visit(context)
    api.DeclareLaunchArgument("other", default_value=[api.LaunchConfiguration("given"), "/x"]).visit(context)
    assert text(api.LaunchConfiguration("other"), context) == "b/x"
    api.SetEnvironmentVariable("NAME", "1", condition=api.UnlessCondition("true")).visit(context)
    assert "NAME" not in context.environment
    with pytest.raises(LaunchError, match="needed:= is required"):
        api.DeclareLaunchArgument("needed").visit(context)
    with pytest.raises(LaunchError, match="expected one of"):
        api.DeclareLaunchArgument("given", choices=["a"]).visit(context)


def test_node_command_keeps_strings_and_the_order_of_parameters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path / "share/ament_index/resource_index/packages/cups_ros"
    marker.parent.mkdir(parents=True)
    marker.touch()
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path))
    node = api.LifecycleNode(
        package="cups_ros",
        executable="panoptic_node",
        name="n",
        namespace="front",
        remappings=[("image", "/camera")],
        parameters=["first.yaml", {"model": api.ParameterValue("123", value_type=str), "depth": 2}],
    )
    command = node.command(LaunchContext({}))
    assert command[:6] == [
        f"{tmp_path}/lib/cups_ros/panoptic_node",
        "--ros-args",
        "-r",
        "__node:=n",
        "-r",
        "__ns:=/front",
    ]
    assert command[6:9] == ["--params-file", "first.yaml", "--params-file"] and command[-2:] == ["-r", "image:=/camera"]
    assert Path(command[9]).read_text() == "/front/n:\n  ros__parameters:\n    depth: 2\n    model: '123'\n"


def test_a_process_that_dies_is_started_anew_until_the_launch_ends(tmp_path: Path) -> None:
    file, log = tmp_path / "x.launch.py", tmp_path / "log"
    file.write_text(f"""
from launch import LaunchDescription
from launch.actions import ExecuteProcess
def generate_launch_description():
    return LaunchDescription([ExecuteProcess(cmd=["sh", "-c", "echo $$ >> {log}; exec sleep 60"], respawn=True, respawn_delay=0.1)])
""")
    process = command(0, "launch", str(file))
    try:
        pids: list[int] = []
        end = time.monotonic() + 30
        while len(pids) < 3:
            assert time.monotonic() < end
            time.sleep(0.05)
            found = [int(word) for word in log.read_text().split()] if log.exists() else []
            if len(found) > len(pids):
                pids = found
                time.sleep(0.1)  # `exec` has to be through
                if len(pids) < 3:
                    os.kill(pids[-1], signal.SIGKILL)
        process.send_signal(signal.SIGINT)
        output = process.communicate(timeout=30)[0]
    finally:
        process.kill()
    assert (
        output.count("process has died, exit code -9; it is started anew") == 2 and output.count("process started") == 3
    )
    with pytest.raises(ProcessLookupError):
        os.kill(pids[-1], 0)


@pytest.mark.parametrize(("code", "starts"), [(2, 1), (3, 3)])
def test_a_handler_may_end_a_process_for_good_by_its_exit_code(tmp_path: Path, code: int, starts: int) -> None:
    file, log = tmp_path / "x.launch.py", tmp_path / "starts"
    file.write_text(f"""
from launch import LaunchDescription
from launch.actions import EmitEvent, ExecuteProcess, RegisterEventHandler
from launch.event_handlers import OnProcessExit
from launch.events import matches_action
from launch.events.process import ShutdownProcess

def generate_launch_description():
    odd = ExecuteProcess(cmd=["sh", "-c", "echo a >> {log}; exit {code}"], respawn=True, respawn_delay=0.05)
    end = EmitEvent(event=ShutdownProcess(process_matcher=matches_action(odd)))
    handler = OnProcessExit(target_action=odd, on_exit=lambda event, context: [end] if event.returncode == 2 else [])
    other = ExecuteProcess(cmd=["sleep", "60"])
    return LaunchDescription([RegisterEventHandler(handler), other, odd])
""")
    process = command(0, "launch", str(file))
    try:
        end = time.monotonic() + 30
        while (log.read_text().count("a") if log.exists() else 0) < starts:
            assert time.monotonic() < end
            time.sleep(0.05)
        time.sleep(1)
        assert process.poll() is None  # the other process goes on
        assert (log.read_text().count("a") == 1) == (starts == 1)
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)


def test_the_node_that_refuses_a_parameter_is_not_started_anew(tmp_path: Path) -> None:
    params = tmp_path / "params.yaml"
    params.write_text("/**:\n  ros__parameters:\n    max_rate_hz: fast\n")
    share = ROOT / "launch" / "panoptic.launch.py"
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'ros_wheels'}:{ROOT}", "ROS_DOMAIN_ID": "99"}
    done = subprocess.run(
        [sys.executable, "-m", "ros2_stand_in", "launch", str(share), f"params_file:={params}"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2 and done.stdout.count("process started") == 1, done.stdout + done.stderr
    assert "max_rate_hz is 'fast', expected a number" in done.stdout


def test_a_launch_file_includes_another(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    inner, outer = tmp_path / "inner.launch.py", tmp_path / "outer.launch.py"
    inner.write_text("""
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, ExecuteProcess
from launch.substitutions import LaunchConfiguration
def generate_launch_description():
    return LaunchDescription([DeclareLaunchArgument("word"), ExecuteProcess(cmd=["sh", "-c", ["exit ", LaunchConfiguration("word")]])])
""")
    outer.write_text(f"""
from launch import LaunchDescription
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
def generate_launch_description():
    return LaunchDescription([IncludeLaunchDescription(PythonLaunchDescriptionSource("{inner}"), launch_arguments={{"word": "7"}}.items())])
""")
    assert command(0, "launch", str(outer)).wait(30) == 7


def test_wrong_names_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["launch", "no_such_package", "x.launch.py"]) == 1
    assert "package 'no_such_package' not found" in capsys.readouterr().out
    assert main(["bag", "info", "/no/such/recording"]) == 1
    assert "cannot read /no/such/recording" in capsys.readouterr().out


def test_show_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    assert launch([str(ROOT / "launch/panoptic.launch.py")], show_arguments=True) == 0
    shown = capsys.readouterr().out
    for name in (
        "model",
        "cameras",
        "image",
        "camera_info",
        "depth",
        "transport",
        "params_file",
        "autostart",
        "respawn",
        "namespace",
        "dds_profile",
    ):
        assert f"\n    {name}:\n" in shown


def test_a_recording_is_played_to_a_late_subscriber_and_recorded_again(tmp_path: Path) -> None:
    count, domain = 30, 30 + (os.getpid() + 17) % 35
    write_recording(tmp_path / "bag", count)
    recorder = command(domain, "bag", "record", "-o", str(tmp_path / "again"), "/image", "/cups/nothing")
    player = command(domain, "bag", "play", str(tmp_path / "bag"), "--rate", "2", "--delay", "5")
    try:
        assert receive(domain, count) == list(range(count))
        assert player.communicate(timeout=30)[0].strip() == f"published {count} messages"
        recorder.send_signal(signal.SIGINT)
        assert recorder.communicate(timeout=30)[0].splitlines()[-1] == f"recorded {count} messages"
    finally:
        player.kill()
        recorder.kill()
    with Reader(tmp_path / "bag") as first, Reader(tmp_path / "again") as second:
        for (*_, played), (*_, recorded) in zip(first.messages(), second.messages(), strict=True):
            assert bytes(recorded).startswith(bytes(played)) and len(recorded) - len(played) < 4  # DDS pads to words


def test_recorded_types_hold_our_messages() -> None:
    store = get_typestore(Stores.ROS2_JAZZY)
    store.register(record.definitions_of("cups_ros"))
    assert {"cups_ros/msg/PanopticImage", "cups_ros/msg/LabelInfo", "cups_ros/msg/SegmentInfo"} <= set(store.fielddefs)


def command(domain: int, *words: str) -> subprocess.Popen:
    environment = {
        **os.environ,
        "ROS_DOMAIN_ID": str(domain),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        "PYTHONPATH": str(ROOT / "ros_wheels"),
    }
    return subprocess.Popen(
        [sys.executable, "-m", "ros2_stand_in", *words],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        # jobs in the background of a script ignore it
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def write_recording(path: Path, count: int) -> None:
    """`count` small images 50 ms apart, their number in the stamp."""
    store = get_typestore(Stores.ROS2_JAZZY)
    types = store.types
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        connection = writer.add_connection("/image", "sensor_msgs/msg/Image", typestore=store)
        for number in range(count):
            header = types["std_msgs/msg/Header"](types["builtin_interfaces/msg/Time"](number, 0), "camera")
            message = types["sensor_msgs/msg/Image"](header, 1, 2, "mono8", 0, 2, np.zeros(2, np.uint8))
            writer.write(connection, number * 50_000_000, store.serialize_cdr(message, connection.msgtype))


def receive(domain: int, count: int) -> list[int]:
    """The numbers of the images that a best-effort subscriber gets."""
    import rclpy
    from rclpy.context import Context
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.qos import QoSProfile, ReliabilityPolicy
    from sensor_msgs.msg import Image

    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    context = Context()
    rclpy.init(args=[], context=context, domain_id=domain)
    node = rclpy.create_node("receiver", context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    numbers: list[int] = []
    node.create_subscription(
        Image,
        "/image",
        lambda message: numbers.append(message.header.stamp.sec),
        QoSProfile(depth=100, reliability=ReliabilityPolicy.BEST_EFFORT),
    )
    end = time.monotonic() + 60
    while len(numbers) < count and time.monotonic() < end:
        executor.spin_once(timeout_sec=0.05)
    executor.remove_node(node)
    node.destroy_node()
    rclpy.shutdown(context=context)
    return numbers


def test_a_topic_of_a_type_that_is_not_installed_is_left_out(tmp_path: Path) -> None:
    """The images are played, /tf is told of; names that are not there are a sentence."""
    write_recording(tmp_path / "bag", 3)
    with Reader(tmp_path / "bag") as played, Writer(tmp_path / "both", version=9) as writer:
        store = get_typestore(Stores.ROS2_JAZZY)
        image = writer.add_connection("/image", played.connections[0].msgtype, typestore=store)
        odometry = writer.add_connection("/tf", "tf2_msgs/msg/TFMessage", typestore=store)
        for _, stamp, data in played.messages():
            writer.write(image, stamp, data)
            writer.write(odometry, stamp, data)
    domain = 30 + (os.getpid() + 18) % 35
    shown = command(domain, "bag", "play", str(tmp_path / "both"), "--wait", "0").communicate(timeout=60)[0]
    assert "/tf is left out" in shown and shown.rstrip().endswith("published 3 messages")
    absent = command(domain, "bag", "play", str(tmp_path / "both"), "--wait", "0", "--topics", "/none")
    assert "topics there: /image, /tf" in absent.communicate(timeout=60)[0]
