"""Every tiny variant over every tiny trunk, from one seed, on one thread."""

import pytest
import torch
from tiny_networks import TINY_TRUNKS, TINY_VARIANTS


@pytest.fixture(params=TINY_TRUNKS, name="trunk")
def _trunk(request):
    return TINY_TRUNKS[request.param]


@pytest.fixture(params=TINY_VARIANTS, name="variant")
def _variant(request):
    return TINY_VARIANTS[request.param]


@pytest.fixture(autouse=True)
def _seed_and_one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(threads)
