import numpy as np

from tests.ops.sample import Sample, integers, normal

SAMPLES = [
    Sample("cat", ([normal(2, 3), normal(1, 3)],)),
    Sample("cat", ([normal(2, 3, 2, 2), normal(2, 1, 2, 2)], 1)),
    Sample("cat", ((normal(2, 3), normal(2, 3)), -1)),
    Sample("cat", ([normal(0), normal(2, 3), normal(0, 3)],)),
    Sample("cat", ([normal(2), integers(0, 9, 3)],)),
    Sample("cat", ([np.array([1, 2], np.uint8), np.array([3], np.int8)],), grad=False),
    Sample("concat", ([normal(2), normal(1)],)),
    Sample("concatenate", ([normal(2, 1), normal(2, 2)], 1)),
    Sample("stack", ([normal(2, 3), normal(2, 3)],)),
    Sample("stack", ([normal(2, 3), normal(2, 3)], 1)),
    Sample("stack", ([normal(), normal()], -1)),
    Sample("hstack", ([normal(2), normal(1)],)),
    Sample("hstack", ([normal(2, 1), normal(2, 2)],)),
    Sample("hstack", ([normal(), normal()],)),
    Sample("vstack", ([normal(3), normal(2, 3)],)),
    Sample("row_stack", ([normal(3), normal(3)],)),
    Sample("dstack", ([normal(3), normal(3)],)),
    Sample("dstack", ([normal(2, 3), normal(2, 3, 2)],)),
    Sample("column_stack", ([normal(2), normal(2, 2)],)),
    Sample("column_stack", ([normal(), normal()],)),
    Sample("block_diag", (normal(2, 1), normal(3), normal())),
]
