import pytest
import torch
from torch import nn

from switchseg.norms import SparseSwitchNorm2d, SwitchNorm2d, SyncSparseSwitchNorm2d, SyncSwitchNorm2d
from tests.integrations.hosts import host, run_snippets

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # Lightning's own


@pytest.fixture(autouse=True, scope="module")
def lightning():
    return host("lightning.pytorch")


@pytest.fixture
def task(lightning):
    class Task(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.network = nn.Sequential(
                nn.Conv2d(3, 4, 3), SwitchNorm2d(4, activation="relu"), nn.Sequential(SparseSwitchNorm2d(4))
            )
            self.seen = None

        def training_step(self, batch, _):
            self.seen = {type(module) for module in self.network.modules()}
            return self.network(batch[0]).square().mean()

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), 0.1)

    return Task()


def test_the_layers_are_synchronised_while_it_fits(lightning, task, tmp_path):
    from lightning.pytorch.strategies import DDPStrategy

    from switchseg.integrations.lightning import SwitchNormSync

    before = {name: tensor.clone() for name, tensor in task.state_dict().items()}
    store = torch.distributed.FileStore(str(tmp_path / "store"), 1)
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        trainer = lightning.Trainer(
            accelerator="cpu",
            devices=1,
            strategy=DDPStrategy(process_group_backend="gloo"),
            plugins=[SwitchNormSync()],
            max_steps=1,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=tmp_path,
        )
        trainer.fit(task, torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.randn(2, 3, 8, 8)), 2))
    finally:
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
    assert {SyncSwitchNorm2d, SyncSparseSwitchNorm2d} <= task.seen
    assert not {SwitchNorm2d, SparseSwitchNorm2d} & task.seen
    after = task.state_dict()
    assert after.keys() == before.keys()
    assert not after["network.1.mean_weight"].equal(before["network.1.mean_weight"])
    assert type(task.network[1]) is SwitchNorm2d
    assert task.network[1].activation == "relu"
    assert type(task.network[2][0]) is SparseSwitchNorm2d


def test_what_a_sparse_layer_has_reached_is_kept():
    from switchseg.integrations.lightning import SwitchNormSync

    layer = SparseSwitchNorm2d(4)
    with torch.no_grad():
        layer.mean_weight.copy_(torch.tensor([9.0, 0, 0]))
        layer.var_weight.copy_(torch.tensor([0, 9.0, 0]))
        layer.radius.fill_(1)
    assert layer.freeze()
    sync = SwitchNormSync()
    applied = sync.apply(nn.Sequential(layer))
    assert type(applied[0]) is SyncSparseSwitchNorm2d
    assert applied[0].mean_weight is layer.mean_weight
    assert applied[0].mixture()[0] == layer.mixture()[0] == ("in", "ln")
    reverted = sync.revert(applied)
    assert type(reverted[0]) is SparseSwitchNorm2d
    assert reverted[0].mixture()[0] == ("in", "ln")


def test_the_line_of_the_page_makes_a_trainer():
    trainer = run_snippets("Lightning")["trainer"]
    assert trainer._accelerator_connector._layer_sync is not None
