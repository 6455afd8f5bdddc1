"""What each verb is called with, for the end of its help and for docs/commands.md."""

# verb -> command lines, each with what it does
EXAMPLES = {
    "train": {
        "switchseg train configs/quickstart.yaml --data.root scenes --out runs/first": "train, or go on",
        "switchseg train configs/quickstart.yaml --help": "the values that this config has",
        "torchrun --nproc-per-node 8 -m switchseg train CONFIG.yaml": "on eight GPUs",
    },
    "finetune": {
        "switchseg finetune mydata --minutes 30": "a model, a report and a config in runs/mydata",
        "switchseg finetune mydata --encoder resnet18_dilated16 --out runs/small": "with an encoder of your choice",
    },
    "evaluate": {
        "switchseg evaluate runs/first --dataset scenes --root scenes --json scores.json": "by the rule of the run",
        "switchseg evaluate MODEL --dataset ade20k --root ADEChallengeData2016 --rule 2018-multi": "as in 2018",
    },
    "predict": {
        "switchseg predict runs/first street.jpg photos/ --out labelled": "labels and overlays of images and folders",
        "switchseg predict runs/first map.tif --window 512 --whole-image-statistics --out labelled": "without seams",
    },
    "suspects": {
        "switchseg suspects runs/mydata": "regions to look at, in runs/mydata/suspects",
        "switchseg suspects runs/mydata --folds 4": "more of them: networks judge labels that they have not seen",
    },
    "compare": {
        "switchseg compare configs/quickstart.yaml --norms bn gn sn --data.root scenes --out runs/norms": "three norms",
        "switchseg compare CONFIG.yaml --norms bn sn --images 1 2 4 --seeds 304 305 306": "a study: mean and spread",
    },
    "probe": {
        "switchseg probe configs/quickstart.yaml --data.root scenes --minutes 10": "bn, gn, in or sn, and why",
        "switchseg probe CONFIG.yaml --images 8 --out runs/probe": "for 8 images a device",
    },
    "find-rate": {"switchseg find-rate configs/quickstart.yaml --data.root scenes": "a learning rate, and the curve"},
    "import-weights": {
        "switchseg import-weights --encoder encoder_epoch_20.pth --decoder decoder_epoch_20.pth "
        "--arch-encoder resnet50_dilated8 --arch-decoder c1_bilinear_deepsup --num-classes 150 --out MODEL": "2018's",
    },
    "export-weights": {
        "switchseg export-weights MODEL --encoder encoder.pth --decoder decoder.pth": "a pair of files as 2018 had",
    },
    "export": {
        "switchseg export runs/first --format onnx --preprocess --output labels --out model.onnx": "needs no PyTorch",
        "switchseg export runs/first --format pt2 --out model.pt2": "a torch.export program",
    },
    "models": {"switchseg models --encoder convnext_tiny": "any timm encoder, and the decoders on it"},
    "bench": {"switchseg bench norms": "layers side by side"},
    "report": {
        "switchseg report runs/norms --out report.html": "one page, of all runs in a folder",
        "switchseg report runs/first runs/second --out tables.md": "their tables alone",
    },
    "plot": {"switchseg plot shares runs/first --out shares.svg": "how much of IN, LN and BN each layer uses"},
    "demo": {"switchseg demo runs/first runs/second --port 8000": "two models side by side"},
    "make-scenes": {"switchseg make-scenes --out scenes --images 60 --seed 1": "60 scenes, and 12 for validation"},
    "check-data": {
        "switchseg check-data --dataset folder --root mydata --html check.html": "a page of findings",
        "switchseg check-data --dataset folder --root mydata --propose proposed.yaml": "what labels mean, to look at",
    },
    "make-list": {"switchseg make-list --root mydata --out mydata/training.odgt": "a list for --dataset odgt"},
}


def examples(verb: str) -> str:
    """Return the examples of a verb as lines, each under what it does; nothing for other programs."""
    lines = [f"  # {what}\n  {line}\n" for line, what in EXAMPLES.get(verb, {}).items()]
    return "".join(["\nexamples:\n", *lines]) if lines else ""
