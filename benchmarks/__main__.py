"""All benchmarks, one after the other: `make bench`."""

from benchmarks import c_move, c_store

if __name__ == "__main__":
    c_store.main()
    c_move.main()
