"""torch.utils.data: data sets, samplers, and the loader that makes batches of them.

The loader of a training that can be repeated and taken up anywhere is `lenetcli.data.DataLoader`; this one is torch's.
"""

from typing import TYPE_CHECKING

from lenetcli.lazy import offered

if TYPE_CHECKING:
    from lenetcli.utils.data.collate import *
    from lenetcli.utils.data.dataloader import *
    from lenetcli.utils.data.dataset import *
    from lenetcli.utils.data.sampler import *
    from lenetcli.utils.data.worker import *

_MODULES = {
    "lenetcli.utils.data.collate": "default_collate default_convert",
    "lenetcli.utils.data.dataloader": "DataLoader",
    "lenetcli.utils.data.dataset": """ChainDataset ConcatDataset Dataset IterableDataset StackDataset Subset
        TensorDataset random_split""",
    "lenetcli.utils.data.sampler": """BatchSampler RandomSampler Sampler SequentialSampler SubsetRandomSampler
        WeightedRandomSampler""",
    "lenetcli.utils.data.worker": "get_worker_info",
}  # fmt: skip
if not TYPE_CHECKING:
    __getattr__, __dir__, __all__ = offered(__name__, _MODULES)
