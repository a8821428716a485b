"""Frames of a video by their times."""

from pathlib import Path

import av
import numpy as np

from vlm_robot_ros.data.dataset import DataError
from vlm_robot_ros.file_limits import UnpackedSize, check_image


def frames_at(path: Path, times: list[float], slack: float, size: UnpackedSize) -> np.ndarray:
    """Return the frames of a video that are nearest to some times.

    Args:
        path: An mp4 file.
        times: Ascending [s].
        slack: How far a frame may be from its time [s].
        size: Is given what the frames take.

    Returns:
        Shape (T, H, W, 3), uint8 RGB.

    Raises:
        DataError: it cannot be read, or has no frame at one of the times.
        FileLimitError: its frames take more than the limit.
    """
    found: list[np.ndarray] = []
    try:
        # Another format, such as a playlist, could name files elsewhere.
        with av.open(str(path), format="mp4") as file:
            stream = file.streams.video[0]
            if stream.time_base is None:
                raise DataError(f"'{path}': its video has no time")
            check_image(stream.width, stream.height, f"'{path}'")
            file.seek(int(times[0] / stream.time_base), stream=stream)
            for frame in file.decode(stream):
                while len(found) < len(times) and abs(frame.time - times[len(found)]) <= slack:
                    check_image(frame.width, frame.height, f"'{path}'")
                    size.add(3 * frame.width * frame.height)
                    found.append(frame.to_ndarray(format="rgb24"))
                if len(found) == len(times):
                    return np.stack(found)
                if frame.time > times[-1] + slack:
                    break  # the rest of the video, however long, has none of them
    except (OSError, IndexError, av.error.FFmpegError) as error:
        raise DataError(f"'{path}' cannot be read: {error}") from error
    raise DataError(f"'{path}' has {len(found)} of {len(times)} frames that the table speaks of")
