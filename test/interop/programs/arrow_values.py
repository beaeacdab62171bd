"""Values of Arrow arrays as JSON that loses nothing: numbers, decimals (unscaled) and times (counts of their unit, times of
day of microseconds) as text, floats as the hexadecimal digits of a double, bytes and uuids as theirs, structs and lists as
lists, maps as lists of pairs.
"""
import decimal
import struct
import uuid

import pyarrow as pa

EXACT = decimal.Context(prec=80)


def values(array):
    """The values of an Arrow array, one after another."""
    kind = array.type
    if isinstance(kind, pa.ExtensionType):
        return values(array.storage)
    if pa.types.is_time64(kind):
        return values(array.cast(pa.time64("us")).cast(pa.int64()))
    if pa.types.is_timestamp(kind):
        return values(array.cast(pa.int64()))
    if pa.types.is_date(kind):
        return values(array.cast(pa.int32()))
    if pa.types.is_decimal(kind):
        return [None if one is None else str(int(EXACT.scaleb(one, kind.scale))) for one in array.to_pylist()]
    if pa.types.is_struct(kind):
        members = [values(array.field(i)) for i in range(kind.num_fields)]
        return [None if null else [member[i] for member in members] for i, null in enumerate(array.is_null().to_pylist())]
    if pa.types.is_map(kind):
        pairs = lambda one: [list(pair) for pair in zip(values(one.field(0)), values(one.field(1)))]  # noqa: E731
        return [None if not scalar.is_valid else pairs(scalar.values) for scalar in array]
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return [None if not scalar.is_valid else values(scalar.values) for scalar in array]
    return [plain(one) for one in array.to_pylist()]


def plain(value):
    if isinstance(value, float):
        return struct.pack(">d", value).hex() if value == value else "nan"
    if isinstance(value, uuid.UUID):
        return value.bytes.hex()
    if isinstance(value, bytes):
        return value.hex()
    return value if value is None or isinstance(value, (bool, str)) else str(value)
