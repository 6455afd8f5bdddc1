"""nnU-Net plans a generated data set by itself, then takes a step with our trainer and with our plans."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from switchseg.integrations.nnunet import TRAINERS, with_switch_norm
from switchseg.norms import SwitchNorm2d, SwitchNorm3d
from tests.integrations.hosts import host, run_snippets

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # nnU-Net's own


def make_data(root):
    """Write five volumes with a cube each, as nnU-Net wants them."""
    import nibabel
    import numpy as np

    generator = np.random.default_rng(0)
    for folder in ("imagesTr", "labelsTr"):
        (root / folder).mkdir(parents=True)
    for index in range(5):
        label = np.zeros((16, 16, 16), np.uint8)
        label[4:9, 4:9, 4:9] = 1
        image = generator.normal(size=label.shape).astype(np.float32) + 3 * label
        nibabel.save(nibabel.Nifti1Image(image, np.eye(4)), root / "imagesTr" / f"case{index}_0000.nii.gz")
        nibabel.save(nibabel.Nifti1Image(label, np.eye(4)), root / "labelsTr" / f"case{index}.nii.gz")
    description = {"channel_names": {"0": "MR"}, "labels": {"background": 0, "cube": 1}, "numTraining": 5}
    (root / "dataset.json").write_text(json.dumps({**description, "file_ending": ".nii.gz"}))


@pytest.fixture(scope="module")
def planned(tmp_path_factory):
    host("nnunetv2")
    root = tmp_path_factory.mktemp("nnunet")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("raw", "preprocessed", "results"):
            patch.setenv(f"nnUNet_{name}", str(root / name))
        patch.setenv("nnUNet_extTrainer", str(TRAINERS))
        patch.setenv("nnUNet_compile", "f")
        make_data(root / "raw" / "Dataset004_Cubes")
        program = Path(sys.executable).with_name("nnUNetv2_plan_and_preprocess")
        command = [program, "-d", "4", "-np", "1", "-npfp", "1", "-c", "2d", "3d_fullres"]
        subprocess.run(command, check=True, capture_output=True)
        yield root / "preprocessed" / "Dataset004_Cubes"


def step(trainer_class, planned, plans, configuration):
    description = json.loads((planned.parent.parent / "raw" / planned.name / "dataset.json").read_text())
    plans = {**plans, "continue_training": False}  # as nnU-Net's command does
    trainer = trainer_class(plans, configuration, 0, description, device=torch.device("cpu"))
    trainer.initialize()
    before = {name: parameter.detach().clone() for name, parameter in trainer.network.named_parameters()}
    shape = (2, 1, *trainer.configuration_manager.patch_size)
    outputs = trainer.network(torch.zeros(shape))
    targets = [torch.randint(2, (2, 1, *output.shape[2:])) for output in outputs]
    trainer.train_step({"data": torch.randn(shape), "target": targets})
    moved = {name for name, value in trainer.network.named_parameters() if not value.equal(before[name])}
    return trainer, moved


@pytest.mark.parametrize(("configuration", "layer"), [("2d", SwitchNorm2d), ("3d_fullres", SwitchNorm3d)])
def test_the_trainer_is_found_by_its_name_and_trains_a_step(planned, configuration, layer):
    find = pytest.importorskip("nnunetv2.utilities.find_objects", reason="nnU-Net 2.8 and newer look outside")
    trainer_class = find.recursive_find_trainer_class_by_name("nnUNetTrainerSN")
    plans = json.loads((planned / "nnUNetPlans.json").read_text())
    trainer, moved = step(trainer_class, planned, plans, configuration)
    layers = {id(module): path for path, module in trainer.network.named_modules() if isinstance(module, layer)}
    assert layers
    assert not any("InstanceNorm" in type(module).__name__ for module in trainer.network.modules())
    assert any(name.endswith("mean_weight") for name in moved)
    decays = {group["name"]: group["weight_decay"] for group in trainer.optimizer.param_groups}
    assert decays["mixing"] == 0 < decays["decayed"] == trainer.weight_decay


def test_the_plans_of_the_page_train_a_step(planned, monkeypatch):
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

    monkeypatch.chdir(planned)
    run_snippets("nnU-Net")
    plans = json.loads(Path("nnUNetPlansSN.json").read_text())
    assert plans["plans_name"] == "nnUNetPlansSN"
    trainer, moved = step(nnUNetTrainer, planned, plans, "3d_fullres")
    assert any(isinstance(module, SwitchNorm3d) for module in trainer.network.modules())
    assert any(name.endswith("var_weight") for name in moved)


def test_plans_without_a_norm_are_refused():
    with pytest.raises(ValueError, match="norm_op"):
        with_switch_norm({"plans_name": "nnUNetPlans", "configurations": {"2d": {"architecture": {"arch_kwargs": {}}}}})
