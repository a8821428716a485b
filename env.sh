# Source this: a shell in which the nodes and `vlm-robot` run.  . ./env.sh
_here=$(cd "$(dirname "${BASH_SOURCE[0]:-$0}")" && pwd)
export VIRTUAL_ENV="$_here/.venv"
case ":$PATH:" in *":$_here/.venv/bin:"*) ;; *) PATH="$_here/install/vlm_robot_ros/bin:$_here/.venv/bin:$PATH" ;; esac
if [ ! -d "/opt/ros/${ROS_DISTRO:-none}" ]; then
  # No ROS installation: the wheels make the environment an ament prefix.
  export CMAKE_PREFIX_PATH="$_here/.venv"
  export AMENT_PREFIX_PATH="$_here/install/vlm_robot_ros:$_here/.venv"
  export PYTHONPATH="$(echo "$_here"/install/vlm_robot_ros/lib/python3*/site-packages)"
  export LD_LIBRARY_PATH="$_here/install/vlm_robot_ros/lib:$_here/.venv/lib"
  export RMW_IMPLEMENTATION=rmw_fastrtps_cpp
elif [ -f "$_here/install/setup.sh" ]; then
  . "$_here/install/setup.sh"
fi
# Without this profile Fast DDS loses most camera frames. Jazzy's knows the older name only.
case "${ROS_DISTRO:-$(cat "$_here/.venv/ready" 2>/dev/null)}" in
  *jazzy*) export FASTRTPS_DEFAULT_PROFILES_FILE="$_here/config/fastdds.xml" ;;
  *) export FASTDDS_DEFAULT_PROFILES_FILE="$_here/config/fastdds.xml" ;;
esac
unset _here
