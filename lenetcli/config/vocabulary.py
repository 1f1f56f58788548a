"""Words that other tools have for what is called otherwise here, so that a message can name the right one."""

from __future__ import annotations

import re

# word there, in small letters without _ and -  ->  words here; the first that fits the place is meant
_WORDS: dict[str, str] = {
    # keys
    "learningrate lrate eta stepsizelr": "lr",
    "rate": "lr p",
    "epoch numepochs nepochs maxepochs nbepochs numepoch iterations": "epochs",
    "batch bs minibatch minibatchsize trainbatchsize": "batch_size",
    "wd l2 decay l2reg regularization": "weight_decay",
    "filters numfilters nfilters outchannel outputchannels channelsout channels": "out_channels",
    "inchannel inputchannels": "in_channels",
    "units neurons outputdim outputsize outdim outfeature features size outputs":
        "out_features out_channels",
    "numclasses nclasses classes": "out_features",
    "infeature inputfeatures inputdim": "in_features input",
    "kernel filtersize ksize poolsize window windowsize size kernelsizes": "kernel_size",
    "strides": "stride",
    "pad": "padding",
    "usebias": "bias",
    "dropout droprate dropprob prob probability": "p",
    "randomseed manualseed rng rngseed": "seed",
    "gpu accelerator cuda gpus": "device",
    "inputshape inputsize inshape shape imageshape": "input",
    "criterion lossfn lossfunction objective": "loss",
    "optim opt optimiser": "optimizer",
    "lrscheduler schedule sched lrschedule": "scheduler",
    "dataset datasource datasets": "data",
    "training trainer": "train",
    "arch architecture net network": "model",
    "modules blocks": "layers",
    "valsplit validationsplit valsize val testsize valfraction": "validation",
    "gradclip clip clipnorm maxnorm maxgradnorm clipgrad gradientclipval gradientclip": "clip_grad_norm",
    "accumulategradbatches gradientaccumulationsteps gradaccum accumulation accum": "accumulate",
    "earlystop": "early_stopping",
    "path folder dir directory datadir datapath datafolder location": "root path",
    "file filename": "path",
    "imagesize imgsize resizeto size": "resize",
    "mean std normalise normalization": "normalize",
    "aug augmentation augmentations transform transforms": "augment",
    "kind class cls": "type",
    "warmupsteps warmupepochs": "warmup",
    "timelimit timeout": "max_time",
    "maxsteps maxbatches limit": "limit_batches",
    "tolerance mindelta": "min_delta",
    # layers
    "dense fc fullyconnected lin": "Linear",
    "conv convolution convolution2d convolutional": "Conv2d",
    "maxpool maxpooling maxpooling2d pool pooling pool2d": "MaxPool2d",
    "avgpool averagepooling2d avgpooling averagepool meanpool": "AvgPool2d",
    "globalaveragepooling2d gap globalavgpool adaptiveavgpool": "AdaptiveAvgPool2d",
    "batchnorm bn batchnormalization": "BatchNorm2d",
    "drop": "Dropout",
    "swish": "SiLU",
    "logistic": "Sigmoid",
    "view reshape flat": "Flatten",
    "resblock residualblock skip": "Residual",
    # losses
    "ce crossentropy categoricalcrossentropy sparsecategoricalcrossentropy xent softmaxcrossentropy":
        "CrossEntropyLoss",
    "mse meansquarederror l2loss": "MSELoss",
    "bce binarycrossentropy bcewithlogits": "BCEWithLogitsLoss",
    "mae l1 meanabsoluteerror": "L1Loss",
    "nll negativeloglikelihood": "NLLLoss",
    "hinge": "MultiMarginLoss",
    # optimizers and schedulers
    "momentum nesterov gd gradientdescent": "momentum SGD",
    "cosine cos cosineannealing cosineannealling cosinedecay": "CosineAnnealingLR",
    "step steps steplearningrate": "StepLR",
    "multistep": "MultiStepLR",
    "plateau reduceonplateau": "ReduceLROnPlateau",
    "exponential exp expdecay": "ExponentialLR",
    "linear lineardecay": "LinearLR",
    "onecycle": "OneCycleLR",
    "poly polynomial": "PolynomialLR",
    # data
    "cifar": "CIFAR10",
    "fashion": "FashionMNIST",
    "images pictures imagefolders": "ImageFolder",
    "numpy": "NPZ",
    # words
    "gpu cuda nvidia": "cuda",
    "mps": "auto",
    "acc": "accuracy",
}  # fmt: skip
_PREFIX = re.compile(r"^((torch|tf|keras|lenet|lenetcli|torchvision)\.)*(nn|optim|lr_scheduler|layers|datasets)\.")


def bare(word: str) -> str:
    """A word without what writers differ in: case, hyphens, underscores, the module before it.

    Example:
        >>> bare("torch.nn.Conv2D"), bare("batch-size")
        ('conv2d', 'batchsize')
    """
    return re.sub(r"[-_ ]", "", _PREFIX.sub("", word)).lower()


def meant(word: str, known: list[str]) -> str | None:
    """The known word that is the same but for how it is written, or that other tools call so.

    Example:
        >>> meant("Learning-Rate", ["epochs", "lr"]), meant("epochs", ["lr"])
        ('lr', None)
    """
    same = {bare(name): name for name in reversed(known)}
    if bare(word) in same:
        return same[bare(word)]
    return next((name for name in _MEANINGS.get(bare(word), ()) if name in known), None)


def _table() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for words, names in _WORDS.items():
        for word in words.split():
            found.setdefault(word, []).extend(names.split())
    return found


_MEANINGS = _table()
