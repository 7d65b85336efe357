"""An open file of an SFTP session."""

from __future__ import annotations

import os
from dataclasses import dataclass

from local_aws.services.transfer.sftp.home import Place


@dataclass
class Handle:
    """Bytes are counted for the log. `opened`: when, in seconds since 1970; `writes`: opened to be written to."""

    fd: int
    place: Place
    appends: bool
    writes: bool
    opened: float
    bytes_in: int = 0
    bytes_out: int = 0

    @property
    def logged(self) -> str:
        return self.place.logged

    def read(self, offset: int, size: int) -> bytes:
        data = os.pread(self.fd, size, offset)
        self.bytes_out += len(data)
        return data

    def write(self, offset: int, data: bytes) -> int:
        if self.appends:
            offset = os.lseek(self.fd, 0, os.SEEK_END)
        left = memoryview(data)
        while left:
            written = os.pwrite(self.fd, left, offset)
            left, offset = left[written:], offset + written
        self.bytes_in += len(data)
        return len(data)

    def seek(self, offset: int, whence: int) -> int:
        """For the library's own extension that asks where a sparse file has data."""
        return os.lseek(self.fd, offset, whence)

    def close(self) -> None:
        os.close(self.fd)
