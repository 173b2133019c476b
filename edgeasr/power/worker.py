"""The process that reads an I2C bus. It runs as a file, `python -I -S worker.py OPTIONS`, and imports next to nothing.

Options: the bus's path, then the descriptors of the requests and of the answers. A request is a line
`word ADDRESS REGISTER` or `block ADDRESS REGISTER LENGTH`; its answer is a line of hexadecimal bytes, or `!` and the
kernel's error number. Its first line says that it has started. It ends when the requests end. It never writes to a
chip, but for the register's number.

The kernel's interface: Documentation/i2c/dev-interface and include/uapi/linux/i2c.h (I2C_SLAVE, I2C_SMBUS).
smbus2 does the same by ctypes, which takes twice the memory of this whole process.
"""

import array
import fcntl
import os
import struct
import sys

_SLAVE = 0x0703
_SMBUS = 0x0720
_READ = 1
_WORD_DATA = 3
_I2C_BLOCK_DATA = 8
_LONGEST_BLOCK = 32
_NO_BUS = 19  # ENODEV
_INVALID = 22  # EINVAL
HELLO = b"ready\n"  # before anything that could hang


def read(bus: int, kind: int, address: int, register: int, length: int) -> bytes:
    """Return the bytes of one SMBus transfer; raises OSError."""
    fcntl.ioctl(bus, _SLAVE, address)
    data = array.array("B", [length]) + array.array("B", bytes(_LONGEST_BLOCK + 1))
    # struct i2c_smbus_ioctl_data: direction, register, kind of transfer, pointer to the data
    fcntl.ioctl(bus, _SMBUS, struct.pack("@BBIP", _READ, register, kind, data.buffer_info()[0]))
    return data[:2].tobytes() if kind == _WORD_DATA else data[1 : 1 + data[0]].tobytes()


def answer(bus: int, line: str) -> str:
    """Return the answer to a request."""
    try:
        kind, *numbers = line.split()
        address, register, *rest = (int(number) for number in numbers)
        if kind == "word":
            return read(bus, _WORD_DATA, address, register, 0).hex()
        if kind == "block" and 1 <= rest[0] <= _LONGEST_BLOCK:
            got = read(bus, _I2C_BLOCK_DATA, address, register, rest[0])
            return got.hex() if len(got) == rest[0] else "!5"
    except OSError as error:
        return f"!{error.errno or 5}"
    except (ValueError, IndexError, OverflowError, struct.error):
        pass
    return f"!{_INVALID}"


def main(path: str, requests: int, answers: int) -> None:
    """Answer until the requests end; where the bus cannot be opened, each answer says why."""
    os.write(answers, HELLO)
    bus, refusal = -1, _NO_BUS
    try:
        bus = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    except OSError as error:
        refusal = error.errno or _NO_BUS
    with os.fdopen(requests, "r", encoding="ascii") as lines:
        for line in lines:
            told = answer(bus, line) if bus >= 0 else f"!{refusal}"
            os.write(answers, told.encode("ascii") + b"\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
