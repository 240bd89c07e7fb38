"""NumPy's side of tests/unit/test_npy_numpy.c; that file says what is compared.

usage: npy_numpy.py          exit 0 where NumPy is installed, 77 where not
       npy_numpy.py FOLDER   check FOLDER/c-*.npy, write FOLDER/n-*.npy
"""
import io
import sys
import warnings

try:
    import numpy
    from numpy.lib import format as npy
except ImportError:
    sys.exit(77)

TYPES = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8"]
SHAPES = [(), (5,), (3, 0), (2, 3, 4)]


def values(dtype, shape):
    """0, 1, 2... in C order; 0, -1, -2... where the type has a sign and is whole."""
    count = int(numpy.prod(shape, dtype=numpy.int64))
    sign = -1 if dtype[0] == "i" else 1
    return (sign * numpy.arange(count)).astype("<" + dtype).reshape(shape)


def check(path, want):
    with open(path, "rb") as file:
        raw = file.read()
    found = numpy.load(io.BytesIO(raw), allow_pickle=False)
    assert found.dtype == want.dtype and found.shape == want.shape, (path, found)
    assert found.tobytes() == want.tobytes(), (path, found, want)
    own = io.BytesIO()
    numpy.save(own, want)
    assert own.getvalue() == raw, (path, raw, own.getvalue())


def write(path, array, version):
    with open(path, "wb") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        npy.write_array(file, array, version)


def main(folder):
    for dtype in TYPES:
        for number, shape in enumerate(SHAPES):
            array = values(dtype, shape)
            check(f"{folder}/c-{dtype}-{number}.npy", array)
            for order, name in (("<", "little"), (">", "big")):
                for version in (1, 2, 3):
                    write(f"{folder}/n-{dtype}-{number}-{name}-{version}.npy",
                          array.astype(order + dtype), (version, 0))
    numpy.save(f"{folder}/n-fortran.npy", numpy.asfortranarray(numpy.ones((2, 3))))
    numpy.save(f"{folder}/n-bool.npy", numpy.ones(3, dtype=bool))
    numpy.save(f"{folder}/n-object.npy", numpy.array([None, "x"], dtype=object), allow_pickle=True)
    numpy.save(f"{folder}/n-fields.npy", numpy.zeros(3, dtype=[("x", "<f4"), ("y", "<i2")]))
    numpy.savez(f"{folder}/n-archive.npz", numpy.ones(3))


if len(sys.argv) > 1:
    main(sys.argv[1])
